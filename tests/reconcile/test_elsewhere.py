"""What the other places say of thousands is looked up once a place, not once a person."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.access.bindings import Who, desired_binding
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES
from scim_operator.reconcile.elsewhere import Elsewhere
from scim_operator.reconcile.holders import Holders
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.world import World
from tests.reconcile.worlds import Observer, Universe, group, policy, user

SHARED, NEW = Place("all", "view", "shared"), Place("other", "edit", "elsewhere")


def company(groups: int, **more: Any) -> Observer:
    """Twenty people in each of these groups, all of which open one place, where all of them stand."""
    universe, observer = Universe(), Observer()
    grants = {"clusterRole": "view", "namespaces": {"names": ["shared"]}}
    observer.see(universe.put(DIRECTORIES, "entra", spec={}))
    observer.see(universe.put(POLICIES, "all", spec=policy(grants, pattern="org-*")))
    observer.see(universe.put(CLUSTER_ROLES, "view") + universe.put(NAMESPACES, "shared"))
    for number in range(20 * groups):
        observer.see(universe.put(USERS, f"u{number}", spec=user(number)))
    for number in range(groups):
        spec = group(f"org-{number}", range(20 * number, 20 * number + 20), identifier=f"group-{number}")
        observer.see(universe.put(GROUPS, f"g{number}", spec=spec, **more))
    binding = desired_binding(SHARED, "entra", whos(groups))
    binding["metadata"].update(resourceVersion="1", uid="uid-binding")
    observer.world.role_bindings.put(binding)
    return observer


def whos(groups: int) -> list[Who]:
    """All of them."""
    return [("User", f"person{number}") for number in range(20 * groups)]


@pytest.mark.parametrize("groups", [1, 4, 5, 12])
@pytest.mark.parametrize("more", [{}, {"annotations": {}}], ids=["settled", "name-not-written"])
def test_a_place_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, groups: int, more: dict[str, Any]
) -> None:
    observer, holders, asked = company(groups, **more), Holders(lambda _: 0), []
    holders.stand(SHARED, "entra", frozenset(whos(groups)))
    by_one = World.subjects_by

    def counted(world: World, place: Place, *source: Any) -> frozenset[str]:
        asked.append(place)
        return by_one(world, place, *source)

    monkeypatch.setattr(World, "subjects_by", counted)
    elsewhere = Elsewhere(observer.world, holders)
    assert not any(elsewhere.leaves(who, NEW, "entra") for who in whos(groups))
    assert elsewhere.leaves(("User", "stranger"), NEW, "entra") is False, "stands nowhere"
    assert asked.count(SHARED) <= groups


@pytest.mark.parametrize("groups", [1, 5])
def test_who_is_in_none_of_the_groups_leaves(groups: int) -> None:
    observer, holders = company(groups), Holders(lambda _: 0)
    former: Who = ("User", "former")
    holders.stand(SHARED, "entra", frozenset([*whos(groups), former]))
    elsewhere = Elsewhere(observer.world, holders)
    assert [who for who in [*whos(groups), former] if elsewhere.leaves(who, NEW, "entra")] == [former]
