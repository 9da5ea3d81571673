"""A RemovalHold that takes its time: who needs no ledger doesn't wait for it, first of all no lock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CRDS
from scim_operator.reconcile.resources import GRANTS, LOCKS
from tests.reconcile.plant import Plant
from tests.reconcile.test_guard import EVERYBODY, LOSSES, PEOPLE, begun, guarded_plant, named, settle, waiting
from tests.reconcile.worlds import group, user

TEAMS = [f"t{number}" for number in range(20)]
LOCKED = "person35"


@pytest.fixture
def plant() -> Plant:
    return guarded_plant()


def hang(plant: Plant, *calls: tuple[str, str]) -> asyncio.Event:
    """These calls get no answer until the event is set."""
    free = asyncio.Event()

    def before(verb: str, plural: str) -> Awaitable[None] | None:
        return wait() if (verb, plural) in calls else None

    async def wait() -> None:
        await free.wait()

    plant.api.before = before
    return free


async def test_lock_acts_while_those_who_leave_the_same_place_are_written_down(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        free = hang(plant, ("patch", "removalholds"))
        LOSSES["members"](plant)
        await asyncio.sleep(0.1)
        plant.put(LOCKS, "now", spec={"subject": LOCKED, "reason": "lost laptop"})
        await plant.until(lambda: LOCKED not in (plant.subjects() or ()), 2.5)
        assert plant.subjects() == EVERYBODY - {LOCKED}
        free.set()
        await plant.until(lambda: waiting(plant) == 25)
        await plant.until(lambda: len(plant.subjects() or ()) == 34)


async def test_lock_acts_together_with_losses(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        free = hang(plant, ("patch", "removalholds"))
        plant.put(LOCKS, "now", spec={"subject": LOCKED, "reason": "lost laptop"})
        LOSSES["members"](plant)
        await plant.until(lambda: LOCKED not in (plant.subjects() or ()), 0.9)
        assert plant.subjects() == EVERYBODY - {LOCKED}
        free.set()
        await plant.until(lambda: waiting(plant) == 25)


async def test_lock_acts_while_nobody_can_tell_whether_a_kind_is_there(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        hang(plant, ("get", "customresourcedefinitions"))
        plant.put(LOCKS, "now", spec={"subject": LOCKED, "reason": "lost laptop"})
        plant.api.drop(USERS, "u0")
        await plant.until(lambda: LOCKED not in (plant.subjects() or ()), 2.5)
        assert plant.subjects() == EVERYBODY - {LOCKED}


async def test_grants_whose_kind_goes_stay_though_somebody_there_is_locked(plant: Plant) -> None:
    spec = {"directory": "entra", "clusterRole": "view", "namespace": "team-red"}
    spec |= {"until": "2026-01-02T00:00:00Z", "reason": "INC-1", "requestedBy": "admin"}
    members = group("k8s-ops-admin", [1, 35], identifier="group-9")
    plant.put(GROUPS, "ops", spec=members)
    place = binding_name(Place("", "view", "team-red", "ClusterRole", "debug"))
    async with plant.running():
        await begun(plant)
        plant.put(GRANTS, "debug", spec={**spec, "group": {"displayName": "k8s-ops-admin"}})
        await plant.until(lambda: plant.subjects(place) == {"person1", LOCKED})
        plant.put(LOCKS, "now", spec={"subject": LOCKED, "reason": "lost laptop"})
        plant.api.drop(CRDS, "accessgrants.scim-operator.io")
        plant.api.drop(GRANTS, "debug")
        await plant.until(lambda: plant.subjects(place) == {"person1"})
        await settle(plant)
        assert plant.subjects(place) == {"person1"}


async def test_lock_acts_while_people_leave_more_places_than_there_are_workers(plant: Plant) -> None:
    plant.api.watcher, hear = None, plant.api.watcher
    for number, team in enumerate(TEAMS):
        plant.put(GROUPS, f"t{number}", spec=group(f"k8s-{team}-edit", PEOPLE, identifier=f"team-{number}"))
    plant.api.watcher = hear

    def at(team: str) -> set[str]:
        return plant.subjects(namespace=f"team-{team}") or set()

    async with plant.running():
        await plant.until(lambda: all(at(team) == EVERYBODY for team in TEAMS), 10)
        await begun(plant)
        free = hang(plant, ("patch", "removalholds"))
        for number, team in enumerate(TEAMS):
            plant.put(GROUPS, f"t{number}", spec=group(f"k8s-{team}-edit", [], identifier=f"team-{number}"))
        await asyncio.sleep(0.1)
        plant.put(LOCKS, "now", spec={"subject": LOCKED, "reason": "lost laptop"})
        places = ["red", *TEAMS]
        await plant.until(lambda: not any(LOCKED in at(team) for team in places), 4)
        assert all(at(team) == EVERYBODY - {LOCKED} for team in places)
        free.set()
        # Who waited for it goes on at once: no place is left to a long pause.
        await plant.until(lambda: waiting(plant) == 34, 3)
        await plant.until(lambda: all(len(at(team)) == 34 for team in TEAMS), 3)


async def test_slow_ledger_is_as_good_as_a_fast_one(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        free = hang(plant, ("patch", "removalholds"))
        LOSSES["members"](plant)
        await asyncio.sleep(1.5)
        assert plant.subjects() == EVERYBODY
        plant.put(USERS, "u40", spec=user(40))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", range(30, 41)))
        await plant.until(lambda: "person40" in (plant.subjects() or ()), 2)
        free.set()
        await plant.until(lambda: waiting(plant) == 25)
        await plant.until(lambda: len(plant.subjects() or ()) == 36)
        await plant.approve()
        await plant.until(lambda: plant.subjects() == named(range(30, 41)))
        await settle(plant)
        assert waiting(plant) == 0
