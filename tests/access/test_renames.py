"""What becomes of a group's new name: moves at once, waits, or stays."""

from __future__ import annotations

import pytest

from scim_operator.access.grants import GroupNames
from scim_operator.access.places import LITERAL, Creation, Opening
from scim_operator.access.renames import Held, Outlook, Right, decide, rename_held

VIEW = Right("ClusterRole", "view", "sandbox")
EDIT = Right("ClusterRole", "edit", "sandbox")
ADMIN = Right("ClusterRole", "admin", "prod")
ROLE = Right("Role", "admin", "prod")
EVERYWHERE = Right("ClusterRole", "view", "")
PEOPLE_OF_PROD = Right("ClusterRole", "admin", "prod", "Group")
SELECTED = Right("ClusterRole", "view", "", selector="env=prod")

# Name -> what a group called so has. An empty name opens nothing but what goes by ids.
GIVES: dict[str, dict[str, frozenset[Right]]] = {
    "": {},
    "sandbox-view": {"teams": frozenset({VIEW})},
    "Sandbox-View": {"teams": frozenset({VIEW})},
    "sandbox-both": {"teams": frozenset({VIEW, EDIT})},
    "other-view": {"others": frozenset({VIEW})},
    "prod-admin": {"teams": frozenset({ADMIN})},
    "prod-role": {"teams": frozenset({ROLE})},
    "all-view": {"all": frozenset({EVERYWHERE})},
    "prod-admins": {"teams": frozenset({PEOPLE_OF_PROD})},
    "all-prod": {"all": frozenset({SELECTED})},
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
    "what the group had, for its members": ("prod-admins", "prod-admin", {ADMIN}, {"teams"}),
    "a selector is no namespace, nor all of them": ("all-view", "all-prod", {SELECTED}, {"all"}),
}


def outlook(
    old: str,
    new: str,
    *,
    given: frozenset[Right] | None = None,
    how: tuple[Opening, Opening] = (LITERAL, LITERAL),
    followed: frozenset[Right] = frozenset(),
    granted: frozenset[Right] = frozenset(),
) -> Outlook:
    """`given`: unless all that the old name opens; `how` the old name and the new one open it."""
    now, then = (
        {policy: dict.fromkeys(rights, way) for policy, rights in GIVES[name].items()}
        for name, way in zip((old, new), how, strict=True)
    )
    everything = frozenset[Right]().union(*GIVES[old].values())
    return Outlook(everything if given is None else given, now, then, followed, granted)


def decided(
    granted_as: str | None,
    display_name: str,
    *,
    protected: bool = False,
    before: Held | None = None,
    listed: bool = False,
    seen: Outlook | None = None,
) -> object:
    names = GroupNames(display_name, "oid", granted_as, protected)
    return decide(names, lambda: seen or outlook(granted_as or "", display_name), before, listed)


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


NOTHING: frozenset[Right] = frozenset()
CAPTURED = Opening(captured=True)
MADE = Opening(captured=False, creations=frozenset({Creation()}))
NEVER_GIVEN = {
    "by another policy": (("sandbox-view", "other-view"), (LITERAL, LITERAL), True),
    "in the same place": (("sandbox-view", "Sandbox-View"), (LITERAL, LITERAL), False),
    "in the same place, by capture": (("sandbox-view", "Sandbox-View"), (CAPTURED, CAPTURED), False),
    "in the same place, now literally": (("sandbox-view", "Sandbox-View"), (CAPTURED, LITERAL), True),
    "in the same place, now by capture": (("sandbox-view", "Sandbox-View"), (LITERAL, CAPTURED), False),
    "in the same place, made now": (("sandbox-view", "Sandbox-View"), (LITERAL, MADE), True),
    "in the same place, made no more": (("sandbox-view", "Sandbox-View"), (MADE, LITERAL), False),
}


@pytest.mark.parametrize("case", NEVER_GIVEN)
def test_what_the_old_name_opens_and_doesn_t_give(case: str) -> None:
    (old, new), how, waits = NEVER_GIVEN[case]
    found = decided(old, new, seen=outlook(old, new, given=NOTHING, how=how))
    assert isinstance(found, Held) is waits
    assert waits or found == "moves"


def test_what_an_access_grant_waits_to_give_is_always_new() -> None:
    right = ADMIN._replace(grant="debug")
    seen = outlook("sandbox-view", "nothing", given=frozenset({right, ADMIN}), granted=frozenset({right}))
    held = decided("sandbox-view", "nothing", seen=seen)
    assert isinstance(held, Held)
    assert held.gains == (right,)
    assert str(right) == "ClusterRole 'admin' in namespace 'prod' by AccessGrant 'debug'"


WAITING = Held("sandbox-view", "prod-admin", (ADMIN,), frozenset({"teams"}))
GONE = outlook("nothing", "nothing")


def test_what_it_would_give_is_remembered_while_it_waits() -> None:
    held = decided("sandbox-view", "prod-admin", before=WAITING, seen=GONE)
    assert isinstance(held, Held)
    assert (held.gains, held.policies) == ((ADMIN,), frozenset())


@pytest.mark.parametrize("how", ["given", "followed"])
def test_until_the_group_has_it_anyway(how: str) -> None:
    had = {"given": NOTHING, "followed": NOTHING, how: frozenset({ADMIN})}
    seen = outlook("nothing", "nothing", given=had["given"], followed=had["followed"])
    assert decided("sandbox-view", "prod-admin", before=WAITING, seen=seen) == "moves"


def test_of_another_name_nothing_is_remembered() -> None:
    assert decided("sandbox-view", "nothing", before=WAITING) == "moves"


def test_after_a_restart_the_ledger_tells_that_it_waits() -> None:
    held = decided("sandbox-view", "prod-admin", listed=True, seen=GONE)
    assert held == Held("sandbox-view", "prod-admin", (), frozenset(), forgotten=True)
    assert "was waiting already" in rename_held(held, "entra").message
    assert decided("sandbox-view", "prod-admin", before=held, seen=GONE) == held
    known = decided("sandbox-view", "prod-admin", before=held)
    assert known == WAITING


def test_the_condition_says_what_it_would_give() -> None:
    gains = tuple(Right("ClusterRole", "admin", f"prod-{number}") for number in range(5))
    problem = rename_held(Held("sandbox-view", "prod-\nadmin", gains, frozenset({"teams"})), "entra")
    assert (problem.condition, problem.reason) == ("RenameHeld", "NewRights")
    assert r"'prod-\nadmin'" in problem.message
    assert "'sandbox-view'" in problem.message
    assert "ClusterRole 'admin' in namespace 'prod-0'" in problem.message
    assert "prod-3" not in problem.message
    assert "(and 2 more)" in problem.message
