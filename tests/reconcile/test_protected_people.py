"""Whom SCIM makes or renames so that they bear a protected name has nothing by it until that is approved."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.resources import HOLDS
from tests.reconcile.plant import Plant, again, grant
from tests.reconcile.worlds import UNGUARDED, group, user

BOTH = {"person0", "person1"}
BOSS = "Person7"
GRANTED = binding_name(Place("", "edit", "team-red", grant="debug"))


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit; nobody is called as the third one, who is protected."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    protect(made, BOSS)
    made.api.watcher = hear
    return made


def protect(plant: Plant, *names: str, **spec: object) -> None:
    plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "protected": {"users": list(names)}, **spec})


def waiting(plant: Plant) -> list[tuple[str, str]]:
    return [(item["subject"], item["reason"]) for item in plant.status(HOLDS, "entra").get("additions", ())]


def approve(plant: Plant) -> None:
    status = plant.status(HOLDS, "entra")
    plant.put(HOLDS, "entra", spec={"approveAdditions": status["additionsHash"]}, status=status)


async def came(plant: Plant) -> None:
    """The provider has made somebody of that name, and put them into the group."""
    await plant.until(lambda: plant.subjects() == BOTH)
    plant.put(USERS, "u7", spec=user(7))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 7]))
    await plant.until(lambda: waiting(plant) == [("person7", "Protected")])


async def test_who_is_made_under_it_waits_and_others_don_t(plant: Plant) -> None:
    async with plant.running():
        await came(plant)
        plant.put(USERS, "u8", spec=user(8))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 7, 8]))
        await plant.until(lambda: plant.subjects() == {*BOTH, "person8"})
        condition = plant.condition(HOLDS, "entra", "GuardTripped")
        assert condition["reason"] == "Protected"
        assert "approveAdditions" in condition["message"]
        approve(plant)
        await plant.until(lambda: plant.subjects() == {*BOTH, "person7", "person8"})
        await plant.until(lambda: waiting(plant) == [])


async def test_it_still_waits_after_a_restart(plant: Plant) -> None:
    async with plant.running():
        await came(plant)
    restarted = again(plant)
    async with restarted.running():
        await asyncio.sleep(0.5)
        assert restarted.subjects() == BOTH
        assert waiting(restarted) == [("person7", "Protected")]


async def test_who_is_renamed_onto_it_has_nothing_by_it(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(USERS, "u1", spec={**user(1), "userName": BOSS})
        await plant.until(lambda: waiting(plant) == [("Person7", "Protected")])
        await plant.until(lambda: plant.subjects() == {"person0"})


async def test_who_had_access_when_the_name_came_to_the_list_keeps_it(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        protect(plant, "person1")
        plant.put(USERS, "u8", spec=user(8))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 8]))
        await plant.until(lambda: plant.subjects() == {*BOTH, "person8"})
        assert waiting(plant) == []


async def test_another_template_of_subjects_takes_nothing_from_them(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        protect(plant, "person1", subjects={"user": "entra:{userName}"})
        await plant.until(lambda: {"entra:person0", "entra:person1"} <= (plant.subjects() or set()))
        assert waiting(plant) == []


async def test_off_the_list_they_are_as_anybody(plant: Plant) -> None:
    async with plant.running():
        await came(plant)
        protect(plant)
        await plant.until(lambda: plant.subjects() == {*BOTH, "person7"})
        await plant.until(lambda: waiting(plant) == [])


async def test_what_an_admin_grants_them_is_given(plant: Plant) -> None:
    async with plant.running():
        await came(plant)
        grant(plant, userName=BOSS, namespace="team-red")
        await plant.until(lambda: plant.subjects(GRANTED) == {"person7"})
        assert plant.subjects() == BOTH
