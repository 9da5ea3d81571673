"""What becomes of a group's new name: moves at once, waits, or stays."""

from __future__ import annotations

import pytest

from scim_operator.access.grants import GroupNames
from scim_operator.access.renames import Held, Right, Rights, decide, rename_held

VIEW = Right("ClusterRole", "view", "sandbox")
EDIT = Right("ClusterRole", "edit", "sandbox")
ADMIN = Right("ClusterRole", "admin", "prod")
ROLE = Right("Role", "admin", "prod")
EVERYWHERE = Right("ClusterRole", "view", "")

# Name -> what a group called so has. An empty name opens nothing but what goes by ids.
GIVES: dict[str, Rights] = {
    "": {},
    "sandbox-view": {"teams": frozenset({VIEW})},
    "Sandbox-View": {"teams": frozenset({VIEW})},
    "sandbox-both": {"teams": frozenset({VIEW, EDIT})},
    "other-view": {"others": frozenset({VIEW})},
    "prod-admin": {"teams": frozenset({ADMIN})},
    "prod-role": {"teams": frozenset({ROLE})},
    "all-view": {"all": frozenset({EVERYWHERE})},
    "nothing": {},
}

MOVES = {
    "another case of it": ("sandbox-view", "Sandbox-View"),
    "less": ("sandbox-both", "sandbox-view"),
    "nothing": ("sandbox-view", "nothing"),
    "from nothing to nothing": ("", "nothing"),
    "the same by another policy": ("sandbox-view", "other-view"),
}
WAITS = {
    "more": ("sandbox-view", "sandbox-both", {EDIT}, {"teams"}),
    "another role and place": ("sandbox-view", "prod-admin", {ADMIN}, {"teams"}),
    "a Role is no ClusterRole": ("prod-admin", "prod-role", {ROLE}, {"teams"}),
    "the whole cluster": ("sandbox-view", "all-view", {EVERYWHERE}, {"teams", "all"}),
    "back to what was given up": ("nothing", "sandbox-view", {VIEW}, {"teams"}),
    "first name at all": ("", "prod-admin", {ADMIN}, {"teams"}),
}


def decided(granted_as: str | None, display_name: str, *, protected: bool = False) -> object:
    return decide(GroupNames(display_name, "oid", granted_as, protected), GIVES.__getitem__)


@pytest.mark.parametrize("case", MOVES)
def test_moves_at_once(case: str) -> None:
    assert decided(*MOVES[case]) == "moves"


@pytest.mark.parametrize("case", WAITS)
def test_waits(case: str) -> None:
    old, new, gains, policies = WAITS[case]
    assert decided(old, new) == Held(old, new, tuple(gains), frozenset(policies))


@pytest.mark.parametrize("protected", [True, False])
def test_a_name_that_is_the_effective_one_stays(protected: bool) -> None:
    assert decided("prod-admin", "prod-admin", protected=protected) == "stays"


def test_the_first_name_is_written_unasked() -> None:
    assert decided(None, "prod-admin") == "moves"


@pytest.mark.parametrize("granted_as", [None, "", "sandbox-view", "sandbox-both"])
def test_a_protected_name_waits_whatever_it_gives(granted_as: str | None) -> None:
    held = decided(granted_as, "sandbox-view" if granted_as != "sandbox-view" else "nothing", protected=True)
    assert isinstance(held, Held)
    assert held.protected


def test_the_condition_says_what_it_would_give() -> None:
    gains = tuple(Right("ClusterRole", "admin", f"prod-{number}") for number in range(5))
    problem = rename_held(Held("sandbox-view", "prod-\nadmin", gains, frozenset({"teams"})), "entra")
    assert (problem.condition, problem.reason) == ("RenameHeld", "NewRights")
    assert r"'prod-\nadmin'" in problem.message
    assert "'sandbox-view'" in problem.message
    assert "ClusterRole 'admin' in namespace 'prod-0'" in problem.message
    assert "prod-3" not in problem.message
    assert "(and 2 more)" in problem.message
