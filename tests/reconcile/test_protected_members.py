"""In Users mode no group stands in bindings: whoever is in a protected one is protected themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.resources import HOLDS, POLICIES
from tests.reconcile.plant import Plant
from tests.reconcile.worlds import UNGUARDED, granted_as, group, policy, user

BOTH = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, which is protected, written otherwise."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    made.put(DIRECTORIES, "entra", spec={**UNGUARDED, "protected": {"groups": ["K8S-red-edit"]}})
    made.api.watcher = hear
    return made


def held(plant: Plant) -> dict[str, str]:
    """Who waits, and why."""
    return {item["subject"]: item["reason"] for item in plant.status(HOLDS, "entra").get("held", ())}


GONE: dict[str, Callable[[Plant], object]] = {
    "the group is deleted": lambda plant: plant.api.drop(GROUPS, "g"),
    "the group is renamed": lambda plant: plant.put(GROUPS, "g", spec=group("nothing", [0, 1])),
    "another name is written": lambda plant: plant.put(
        GROUPS, "g", spec=group("k8s-red-edit", [0, 1]), annotations=granted_as("nothing")
    ),
    "the policy is deleted": lambda plant: plant.api.drop(POLICIES, "teams"),
    "the policy means others": lambda plant: plant.put(
        POLICIES, "teams", spec=policy(pattern="x-{team}-{role}")
    ),
}


@pytest.mark.parametrize("way", GONE)
async def test_its_people_stay_until_that_is_approved(plant: Plant, way: str) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        GONE[way](plant)
        await plant.until(lambda: held(plant) == dict.fromkeys(BOTH, "Protected"))
        await asyncio.sleep(0.2)
        assert plant.subjects() == BOTH
        status = plant.status(HOLDS, "entra")
        plant.put(HOLDS, "entra", spec={"approve": status["hash"]}, status=status)
        await plant.until(lambda: plant.subjects() is None)


async def test_who_comes_to_it_is_protected_as_well(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]))
        await plant.until(lambda: plant.subjects() == {*BOTH, "person2"})
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: held(plant) == dict.fromkeys({*BOTH, "person2"}, "Protected"))


async def test_who_is_taken_out_of_it_or_disabled_isn_t(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"person0"})
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() is None)
        assert held(plant) == {}


async def test_nor_who_is_disabled_when_it_is_gone(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        # Both events are known before anything is decided.
        plant.put(USERS, "u0", spec=user(0, active=False))
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: held(plant) == {"person1": "Protected"})
        await plant.until(lambda: plant.subjects() == {"person1"})
