"""A group that SCIM makes under a protected name, or renames so, has nothing by it until that is approved."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS
from scim_operator.directory.store import Store
from scim_operator.kube.client import KubeClient
from scim_operator.reconcile.resources import HOLDS, POLICIES
from scim_operator.scim.schemas import GROUP
from tests.reconcile.plant import Plant
from tests.reconcile.worlds import UNGUARDED, following, granted_as, group, policy

VIEW = binding_name(Place("teams", "view", "team-red"))
BOTH = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit; k8s-red-view is protected, in other letters."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    protect(made, "other", "K8S-Red-View")
    made.api.watcher = hear
    return made


def protect(plant: Plant, *names: str) -> None:
    plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "protected": {"groups": list(names)}})


def names(plant: Plant) -> list[str]:
    return [item["subject"] for item in plant.status(HOLDS, "entra").get("additions", ())]


def approve(plant: Plant) -> None:
    status = plant.status(HOLDS, "entra")
    plant.put(HOLDS, "entra", spec={"approveAdditions": status["additionsHash"]}, status=status)


async def test_scim_makes_such_a_group_without_a_name_to_go_by(plant: Plant) -> None:
    store = Store(
        cast(KubeClient, plant.api),
        plant.world.index,
        plant.world.directories,
        now=lambda: "2026-01-01T00:00:01Z",
        new_id=lambda: "new",
        audit=plant.heard.audit,
    )
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        body: dict[str, Any] = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "members": [{"value": "user-0"}],
        }
        await store.create("entra", GROUP, {**body, "displayName": "k8s-red-VIEW"}, "request")
        await plant.until(lambda: names(plant) == ["k8s-red-VIEW"])
        (made,) = (item for item in plant.api.all(GROUPS) if item["metadata"]["name"] != "g")
        assert made["metadata"]["annotations"][GRANTED_AS_ANNOTATION] == ""
        name = made["metadata"]["name"]
        await plant.until(
            lambda: plant.condition(GROUPS, name, "RenameHeld").get("reason") == "ProtectedName"
        )
        assert plant.subjects(VIEW) is None
        approve(plant)
        await plant.until(lambda: plant.subjects(VIEW) == {"person0"})


@pytest.mark.parametrize("follow", [False, True])
async def test_a_rename_onto_it_waits_even_where_names_are_followed(plant: Plant, follow: bool) -> None:
    if follow:
        plant.put(POLICIES, "teams", spec=following(policy()))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(GROUPS, "g", spec=group("k8s-red-view", [0, 1]))
        await plant.until(lambda: names(plant) == ["k8s-red-view"])
        await asyncio.sleep(0.3)
        assert (plant.subjects(), plant.subjects(VIEW)) == (BOTH, None)
        approve(plant)
        await plant.until(lambda: plant.subjects(VIEW) == BOTH)


async def test_who_is_called_so_already_keeps_what_it_has(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        protect(plant, "k8s-red-edit")
        await asyncio.sleep(0.5)
        assert (plant.subjects(), names(plant)) == (BOTH, [])


async def test_the_list_counts_as_it_is_now(plant: Plant) -> None:
    plant.put(GROUPS, "g", spec=group("k8s-red-view", [0, 1]), annotations=granted_as(""))
    async with plant.running():
        await plant.until(lambda: names(plant) == ["k8s-red-view"])
        assert plant.condition(GROUPS, "g", "RenameHeld")["reason"] == "ProtectedName"
        protect(plant, "other")
        await plant.until(lambda: plant.condition(GROUPS, "g", "RenameHeld").get("reason") == "NewRights")
        assert plant.subjects(VIEW) is None, "what gives more waits as any other name"


async def test_without_its_directory_nobody_knows_what_is_protected(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.api.drop(DIRECTORIES, "entra")
        plant.put(GROUPS, "g", spec=group("nothing", [0, 1]))
        await asyncio.sleep(0.5)
        annotations = plant.api.objects["scimgroups", "", "g"]["metadata"]["annotations"]
        assert annotations == granted_as("k8s-red-edit")
        protect(plant, "Nothing")
        await plant.until(lambda: names(plant) == ["nothing"])
