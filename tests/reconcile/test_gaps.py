"""Rule 12: whoever keeps a permission, or gets another one for it, is never without for a moment.

The API server here is slow where a wrong order would show: a binding is made late and deleted at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLES
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import NAME, ROLE_REFUSED, Plant
from tests.reconcile.watched import SLOW, Permission, Watched
from tests.reconcile.worlds import following, group, policy, user

VIEW = binding_name(Place("teams", "view", "team-red"))


def _renamed_group(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=following(policy()))
    plant.put(GROUPS, "g", spec=group("k8s-red-view", [0, 1]))


def _other_role(plant: Plant) -> None:
    grant = {"clusterRole": "view", "namespaces": {"name": "team-{team}", "create": {}}}
    plant.put(POLICIES, "teams", spec=policy(grant))


def _other_policy(plant: Plant) -> None:
    plant.put(GROUPS, "g", spec=group("sre-red-edit", [0, 1]))


def _one_of_two_moves(plant: Plant) -> None:
    plant.put(GROUPS, "moves", spec=group("k8s-red-view", [1], identifier="moves"))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (_renamed_group, {("person0", "view", "team-red"), ("person1", "view", "team-red")}),
        (_other_role, {("person0", "view", "team-red"), ("person1", "view", "team-red")}),
        (_other_policy, {("person0", "edit", "team-red"), ("person1", "edit", "team-red")}),
        (_one_of_two_moves, {("person0", "edit", "team-red"), ("person1", "view", "team-red")}),
    ],
)
async def test_nobody_is_without_access_for_a_moment(
    plant: Watched, change: Callable[[Plant], None], end: set[Permission]
) -> None:
    plant.put(POLICIES, "sre", spec=policy(pattern="sre-{team}-{role}"))
    async with plant.running():
        await plant.until(lambda: {held[0] for held in plant.held()} == {"person0", "person1"})
        plant.moments.clear()
        change(plant)
        await plant.until(lambda: len(plant.moments) > 1 and set(plant.held()) == end)
        await asyncio.sleep(2 * SLOW)
    assert set(plant.held()) == end
    for moment in plant.moments:
        assert {name for name, _, _ in moment} == {"person0", "person1"}, plant.moments
        assert moment >= end & set(plant.moments[0]), "what is kept never vanishes"


async def test_cluster_wide_role_is_changed_without_a_gap(plant: Watched) -> None:
    def everywhere(role: str) -> dict[str, Any]:
        return policy({"clusterRole": role, "cluster": True}, pattern="Admins")

    plant.put(POLICIES, "admins", spec=everywhere("edit"))
    plant.put(GROUPS, "admins", spec=group("Admins", [0], identifier="admins"))
    async with plant.running():
        await plant.until(lambda: ("person0", "edit", "") in plant.held())
        plant.moments.clear()
        plant.put(POLICIES, "admins", spec=everywhere("view"))
        await plant.until(lambda: {held[1] for held in plant.held() if held[2] == ""} == {"view"})
    assert all(any(held[2] == "" for held in moment) for moment in plant.moments)


async def test_leaver_is_not_held_up_by_those_who_move(plant: Watched) -> None:
    made = asyncio.Event()

    async def before(verb: str, plural: str) -> None:
        if (verb, plural) == ("create", "rolebindings"):
            await made.wait()

    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.api.before = before
        plant.put(USERS, "u1", spec=user(1, active=False))
        _renamed_group(plant)
        await plant.until(lambda: plant.subjects() == {"person0"})  # before the other binding is made
        made.set()
        await plant.until(lambda: plant.subjects() is None)


async def test_refused_role_holds_nobody_in_the_old_one(plant: Watched) -> None:
    plant.put(CLUSTER_ROLES, "view")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.api.refuse["create", "rolebindings"] = ApiError(
            403, "Forbidden", 'user "x" is attempting to grant RBAC permissions not currently held'
        )
        _renamed_group(plant)
        await plant.until(lambda: plant.subjects() is None)
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "RoleNotAllowed")


async def test_restart_touches_nothing(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
    plant.moments.clear()
    other = Watched()
    other.api.objects, other.api._versions = plant.api.objects, plant.api._versions
    async with other.running():
        await other.until(lambda: other.reconciler.missing == [])
        await asyncio.sleep(0.3)
    assert [write for write in other.api.writes if "bindings" in write[1]] == []


async def test_swap_of_two_groups_whose_roles_left_the_list(plant: Watched) -> None:
    """edit and view left grantableClusterRoles; then the two groups swap names."""
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
    plant.put(GROUPS, "h", spec=group("k8s-red-view", [1], identifier="h"))
    plant.put(POLICIES, "teams", spec=following(policy()))
    async with plant.running():
        await plant.until(lambda: (plant.subjects(NAME), plant.subjects(VIEW)) == ({"person0"}, {"person1"}))
        await asyncio.sleep(0.2)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.put(GROUPS, "g", spec=group("k8s-red-view", [0]))
        plant.put(GROUPS, "h", spec=group("k8s-red-edit", [1], identifier="h"))
        await plant.until(
            lambda: (
                "person0" not in (plant.subjects(NAME) or ())
                and "person1" not in (plant.subjects(VIEW) or ())
            ),
            5,
        )


async def test_mover_with_a_refused_joiner_is_out_within_seconds(plant: Watched) -> None:
    """edit left the list; person0 moves to view (granted), person2 joins edit (refused)."""
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "h", spec=group("k8s-red-view", [1], identifier="h"))
    async with plant.running():
        await plant.until(lambda: plant.subjects(VIEW) == {"person1"})
        await plant.until(lambda: plant.subjects(NAME) == {"person0", "person1"})
        await asyncio.sleep(0.3)
        plant.api.before = lambda verb, plural: asyncio.sleep(SLOW) if verb == "replace" else None
        replace = plant.api.replace

        async def picky(resource: Any, body: Any, **more: Any) -> Any:
            if body["roleRef"]["name"] == "edit":
                raise ROLE_REFUSED
            return await replace(resource, body, **more)

        plant.api.replace = picky  # type: ignore[method-assign]
        plant.put(GROUPS, "h", spec=group("k8s-red-view", [0, 1], identifier="h"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [2]))
        await plant.until(lambda: plant.subjects(VIEW) == {"person0", "person1"})
        await plant.until(lambda: "person0" not in (plant.subjects(NAME) or ()), 5)


async def test_namespaced_to_cluster_wide_without_a_gap(plant: Watched) -> None:
    def grants(*grant: dict[str, Any]) -> dict[str, Any]:
        return policy(*grant, pattern="k8s-red-edit")

    plant.put(
        POLICIES,
        "teams",
        spec=grants({"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}),
    )
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.moments.clear()
        plant.put(POLICIES, "teams", spec=grants({"clusterRole": "edit", "cluster": True}))
        await plant.until(lambda: ("person0", "edit", "") in set(plant.held()) and plant.subjects() is None)
    for moment in plant.moments:
        assert {name for name, _, _ in moment} == {"person0", "person1"}, plant.moments


async def test_cluster_wide_to_namespaced_without_a_gap(plant: Watched) -> None:
    def grants(*grant: dict[str, Any]) -> dict[str, Any]:
        return policy(*grant, pattern="k8s-red-edit")

    plant.put(POLICIES, "teams", spec=grants({"clusterRole": "edit", "cluster": True}))
    async with plant.running():
        await plant.until(lambda: ("person0", "edit", "") in set(plant.held()))
        plant.moments.clear()
        plant.put(
            POLICIES,
            "teams",
            spec=grants({"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}),
        )
        await plant.until(
            lambda: (
                plant.subjects() == {"person0", "person1"}
                and ("person0", "edit", "") not in set(plant.held())
            )
        )
    for moment in plant.moments:
        assert {name for name, _, _ in moment} == {"person0", "person1"}, plant.moments


async def test_demoted_isnt_held_by_a_slow_failure(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})

        async def slow() -> None:
            await asyncio.sleep(2.0)
            raise ApiError(500, "InternalError", "failed calling webhook: context deadline exceeded")

        plant.api.before = lambda verb, plural: (
            slow() if (verb, plural) == ("create", "rolebindings") else None
        )
        begun = asyncio.get_running_loop().time()
        _renamed_group(plant)
        await plant.until(lambda: plant.subjects() is None, 30)
        took = asyncio.get_running_loop().time() - begun
    assert took < 5
