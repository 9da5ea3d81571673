"""A CRD of locks or grants that went with all its objects, and is back before anybody restored these."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CRDS, NAMESPACES, Resource
from scim_operator.reconcile.resources import GRANTS, HOLDS, LOCKS
from tests.reconcile.plant import Plant, again, grant
from tests.reconcile.test_guard import settle
from tests.reconcile.worlds import group, user

BOTH = {"person0", "person1"}
DEBUG = binding_name(Place("", "edit", "prod", "ClusterRole", "debug"))
LOCK = {"reason": "lost laptop", "subject": "person1"}


@pytest.fixture
def plant() -> Plant:
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    made.put(NAMESPACES, "prod")
    made.api.watcher = hear
    return made


async def goes_and_comes_back(plant: Plant, kind: Resource, name: str) -> None:
    """The CRD with its one object; then the CRD alone."""
    crd = f"{kind.plural}.{kind.group}"
    plant.api.drop(CRDS, crd)
    plant.api.drop(kind, name)
    await plant.until(lambda: plant.status(HOLDS, "entra").get("frozen", {}).get("reason") == "InputMissing")
    plant.put(CRDS, crd)
    await asyncio.sleep(2.5)  # it looks every two seconds
    await settle(plant)


async def frozen(plant: Plant) -> bool:
    await settle(plant)
    return "frozen" in plant.status(HOLDS, "entra")


@pytest.mark.parametrize("restart", [False, True], ids=["running", "started again"])
async def test_locked_one_stays_out_until_the_lock_is_restored(plant: Plant, restart: bool) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(LOCKS, "laptop", spec=LOCK)
        await plant.until(lambda: plant.subjects() == {"person0"})
        await goes_and_comes_back(plant, LOCKS, "laptop")
        if not restart:
            await until_restored(plant)
    if restart:
        plant = again(plant)
        async with plant.running():
            await until_restored(plant)


async def until_restored(plant: Plant) -> None:
    """Nobody comes; then the lock is there again, and others may."""
    await settle(plant)
    assert plant.subjects() == {"person0"}
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]))
    await settle(plant)
    assert plant.subjects() == {"person0"}
    assert plant.status(HOLDS, "entra")["additionsWaiting"] == 2
    plant.put(LOCKS, "laptop", spec=LOCK)
    await plant.until(lambda: plant.status(HOLDS, "entra").get("additionsWaiting") == 1)
    approval = plant.status(HOLDS, "entra")["additionsHash"]
    plant.put(HOLDS, "entra", spec={"approveAdditions": approval}, status=plant.status(HOLDS, "entra"))
    await plant.until(lambda: plant.subjects() == {"person0", "person2"})
    assert not await frozen(plant)


async def test_without_any_lock_to_restore_it_ends_by_approval(plant: Plant) -> None:
    async with plant.running():
        plant.put(LOCKS, "laptop", spec=LOCK)
        await plant.until(lambda: plant.subjects() == {"person0"})
        await goes_and_comes_back(plant, LOCKS, "laptop")
        approval = plant.status(HOLDS, "entra")["additionsHash"]
        plant.put(HOLDS, "entra", spec={"approveAdditions": approval}, status=plant.status(HOLDS, "entra"))
        await plant.until(lambda: plant.subjects() == BOTH)
        assert not await frozen(plant)


async def test_grant_stays_until_it_is_restored(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: plant.subjects(DEBUG, "prod") == {"person0"})
        await goes_and_comes_back(plant, GRANTS, "debug")
        assert plant.subjects(DEBUG, "prod") == {"person0"}
        assert plant.status(HOLDS, "entra")["waiting"] == 1
        grant(plant)
        await plant.until(lambda: "waiting" not in plant.status(HOLDS, "entra"))
        assert not await frozen(plant)
        assert plant.subjects(DEBUG, "prod") == {"person0"}
        plant.api.drop(GRANTS, "debug")
        await plant.until(lambda: plant.subjects(DEBUG, "prod") is None)


async def test_grant_that_is_not_restored_ends_by_approval(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: plant.subjects(DEBUG, "prod") == {"person0"})
        await goes_and_comes_back(plant, GRANTS, "debug")
        await plant.approve()
        await plant.until(lambda: plant.subjects(DEBUG, "prod") is None)
        assert not await frozen(plant)
