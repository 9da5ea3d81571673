"""AccessLocks past renames, deletion and return, and without a ScimDirectory: who was locked stays out."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.resources import HOLDS, LOCKS, POLICIES
from tests.reconcile.plant import Plant, again
from tests.reconcile.test_locks import EVERYBODY, lock, plant, ready
from tests.reconcile.worlds import UNGUARDED, group, policy, user

__all__ = ["plant"]


async def locked_and_renamed(plant: Plant) -> None:
    """person1 is locked by userName, and then called otherwise, twice."""
    await plant.until(lambda: plant.subjects() == EVERYBODY)
    lock(plant, directory="entra", userName="person1")
    await plant.until(lambda: plant.subjects() == {"person0"})
    plant.put(USERS, "u1", spec=user(1, name="married"))
    await plant.until(lambda: plant.status(LOCKS, "laptop").get("laterSubjects") == ["married"])
    plant.put(USERS, "u1", spec=user(1, name="divorced"))
    later = ["married", "divorced"]
    await plant.until(lambda: plant.status(LOCKS, "laptop")["laterSubjects"] == later)
    assert plant.subjects() == {"person0"}


@pytest.mark.parametrize("name", ["person1", "married", "divorced"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_no_name_that_was_locked_is_let_go(plant: Plant, name: str, restarted: bool) -> None:
    """Not past deletion and return either, under whichever of them."""
    async with plant.running():
        await locked_and_renamed(plant)
        plant.api.drop(USERS, "u1")
        if not restarted:
            await comes_back(plant, name)
    if restarted:
        other = again(plant)
        async with other.running():
            await other.until(lambda: other.subjects() == {"person0"})
            await comes_back(other, name)


async def comes_back(plant: Plant, name: str) -> None:
    """Made again, with somebody else, who shows when both were worked on."""
    plant.put(USERS, "u9", spec=user(9, name=name))
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 2, 9]))
    await plant.until(lambda: plant.subjects() == {"person0", "person2"})
    await plant.until(lambda: plant.condition(USERS, "u9", "Locked") != {})


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_lock_by_user_name_acts_while_the_directory_is_missing(plant: Plant, restarted: bool) -> None:
    """By the name that the person had, or by the template that the RemovalHold keeps."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: "subjects" in plant.status(HOLDS, "entra"))
        plant.api.drop(DIRECTORIES, "entra")
        if not restarted:
            lock(plant, directory="entra", userName="person1")
            await plant.until(lambda: plant.subjects() == {"person0"})
            await plant.until(lambda: ready(plant) == ("True", "Locked"))
            return
    lock(plant, directory="entra", userName="person1")
    other = again(plant)
    async with other.running():
        await other.until(lambda: other.reconciler.overdue == 0)
        assert other.subjects() == {"person0"}
        await other.until(lambda: ready(other) == ("True", "Locked"))


async def test_a_later_name_stays_locked_while_its_directory_is_missing(plant: Plant) -> None:
    """In another directory that name is the same subject."""
    plant.put(DIRECTORIES, "okta", spec=UNGUARDED)
    plant.put(HOLDS, "okta", spec={}, status={"round": 1, "additionsRound": 1})
    plant.put(POLICIES, "okta", spec=policy(directory="okta", pattern="okta-{team}-{role}"))
    plant.put(USERS, "o1", spec=user(11, directory="okta", name="divorced"))
    plant.put(GROUPS, "o", spec=group("okta-red-view", [11], identifier="group-9", directory="okta"))
    there = binding_name(Place("okta", "view", "team-red"))
    async with plant.running():
        await plant.until(lambda: plant.subjects(there) == {"divorced"})
        await locked_and_renamed(plant)
        await plant.until(lambda: plant.subjects(there) is None)
        plant.api.drop(DIRECTORIES, "entra")
        await asyncio.sleep(0.3)
        assert plant.subjects(there) is None
