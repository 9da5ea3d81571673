"""Rule 12: whoever keeps a permission, or gets another one for it, is never without for a moment.

The API server here is slow where a wrong order would show: a binding is made late and deleted at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, Resource
from scim_operator.reconcile.resources import BINDINGS, POLICIES
from tests.reconcile.plant import NAME, PLACE, Plant
from tests.reconcile.worlds import group, policy, user

# (subject, role, namespace)
Permission = tuple[str, str, str]
SLOW = 0.1


class Watched(Plant):
    """Remembers who held what after every change of a binding, as a watching client would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[frozenset[Permission]] = []
        self.api.before = self._slowly

    def _slowly(self, verb: str, plural: str) -> Any:
        return asyncio.sleep(SLOW) if verb == "create" and plural.endswith("bindings") else None

    def _hear(self, resource: Resource, event: str, obj: dict[str, Any]) -> None:
        if resource in BINDINGS:
            self.moments.append(frozenset(self.held()))
        super()._hear(resource, event, obj)

    def held(self) -> Iterator[Permission]:
        """Who holds what at this moment."""
        for resource in BINDINGS:
            for binding in self.api.all(resource):
                for subject in binding.get("subjects") or ():
                    yield (
                        subject["name"],
                        binding["roleRef"]["name"],
                        binding["metadata"].get("namespace", ""),
                    )


@pytest.fixture
def plant() -> Watched:
    made = Watched()
    made.api.watcher, hear = None, made.api.watcher
    made.usual()
    made.api.watcher = hear
    return made


def _renamed_group(plant: Plant) -> None:
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
        await plant.until(lambda: set(plant.held()) == end)
        await asyncio.sleep(2 * SLOW)
    assert set(plant.held()) == end
    assert len(plant.moments) > 1
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
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        begun = asyncio.get_running_loop().time()
        plant.put(USERS, "u1", spec=user(1, active=False))
        _renamed_group(plant)
        await plant.until(lambda: plant.subjects() == {"person0"})
        assert asyncio.get_running_loop().time() - begun < SLOW, "before the other binding is made"
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


# --- groups as subjects, whole clusters --------------------------------------------------------------------


async def test_group_itself_is_bound_and_its_policy_says_what_that_means(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RevocationDelayed") != {})
        assert plant.condition(POLICIES, "teams")["status"] == "True"
        assert plant.status(POLICIES, "teams")["people"] == 2
        plant.put(DIRECTORIES, "entra", spec={"subjects": {"group": "oidc:{displayName}"}})
        await plant.until(lambda: plant.subjects() == {"oidc:k8s-red-edit"})
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RevocationDelayed") == {})


async def test_group_without_a_name_for_bindings_is_told(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    unnamed = group("k8s-red-edit", [0])
    del unnamed["externalId"]
    plant.put(GROUPS, "g", spec=unnamed)
    async with plant.running():
        await plant.until(lambda: plant.condition(GROUPS, "g").get("reason") == "SubjectRefused")
        assert "externalId" in plant.condition(GROUPS, "g")["message"]
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") != {})
        assert plant.condition(POLICIES, "teams")["status"] == "True", (
            "whoever names groups turns no policy red"
        )
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") == {})


async def test_cluster_wide_binding_comes_back_and_goes_with_its_policy(plant: Watched) -> None:
    name = binding_name(Place("admins", "edit", ""))
    plant.put(
        POLICIES, "admins", spec=policy({"clusterRole": "edit", "cluster": True}, pattern="K8S-red-EDIT")
    )
    async with plant.running():
        await plant.until(lambda: plant.subjects(name, "") == {"person0", "person1"})
        await plant.until(lambda: plant.status(POLICIES, "admins").get("bindings") == 1)
        assert plant.status(POLICIES, "admins")["namespaces"] == 0
        plant.api.drop(BINDINGS[1], name)
        await plant.until(lambda: plant.subjects(name, "") == {"person0", "person1"})
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects(name, "") == {"person1"})
        plant.api.drop(POLICIES, "admins")
        await plant.until(lambda: plant.subjects(name, "") is None)


async def test_labels_stripped_from_our_namespace_come_back(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        whole = plant.api.objects[NAMESPACES.plural, "", PLACE.namespace]["metadata"]["labels"]
        for label in whole:
            left = {key: value for key, value in whole.items() if key != label}
            plant.put(NAMESPACES, PLACE.namespace, labels=left)
            await plant.until(
                lambda: (
                    plant.api.objects[NAMESPACES.plural, "", PLACE.namespace]["metadata"]["labels"] == whole
                )
            )
    assert plant.subjects(NAME) == {"person0", "person1"}
