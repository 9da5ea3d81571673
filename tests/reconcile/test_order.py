"""Everything that may keep somebody, or take their access away, at once: who wins (design of the guard).

Each person is the meeting of some causes; each case is a directory in which others hold for everybody.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product
from typing import NamedTuple

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import NAMESPACES
from scim_operator.reconcile.resources import GRANTS, HOLDS, LOCKS, POLICIES
from tests.reconcile.plant import Plant
from tests.reconcile.worlds import UNGUARDED, group, policy, user


class Person(NamedTuple):
    """Whether they are disabled, or just out of their groups; locked; protected."""

    disabled: bool
    locked: bool
    protected: bool


class Brakes(NamedTuple):
    """What holds for a directory."""

    hold: bool
    frozen: bool
    tripped: bool


PEOPLE = [Person(*flags) for flags in product((False, True), repeat=3)]
# In both groups all the time, and the owner of a grant that ends.
STAYS = len(PEOPLE)
ENFORCED, PREVIEWED = Place("teams", "edit", "team-red"), Place("looks", "view", "team-blue")
GRANTED = Place("", "edit", "prod", "ClusterRole", "debug")


def leaves(person: Person, brakes: Brakes, *, preview: bool) -> bool:
    """The order of design's section 5a, in a line each."""
    if person.locked:
        return True
    if person.protected or brakes.frozen or brakes.hold:
        return False
    if preview and not person.disabled:
        return False
    return not brakes.tripped


def standing(plant: Plant, place: Place) -> set[str]:
    return plant.subjects(binding_name(place), place.namespace) or set()


def begin(plant: Plant) -> None:
    """Everybody has everything."""
    numbers = range(len(PEOPLE) + 1)
    for number in numbers:
        plant.put(USERS, f"u{number}", spec=user(number))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", numbers))
    plant.put(GROUPS, "g2", spec=group("k8s-blue-view", numbers, identifier="group-2"))
    red = {"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}
    plant.put(POLICIES, "teams", spec=policy(red, pattern="k8s-red-edit"))
    blue = {"clusterRole": "view", "namespaces": {"name": "team-blue", "create": {}}}
    plant.put(POLICIES, "looks", spec=policy(blue, pattern="k8s-blue-view"))
    plant.put(NAMESPACES, "prod")
    spec = {"directory": "entra", "userName": f"person{STAYS}", "clusterRole": "edit", "namespace": "prod"}
    until = (plant.now + timedelta(hours=1)).isoformat()
    metadata = {"name": "debug", "creationTimestamp": plant.now.isoformat()}
    more = {"until": until, "reason": "INC-1", "requestedBy": "admin"}
    plant.api.put(GRANTS, {"metadata": metadata, "spec": {**spec, **more}})


def change(plant: Plant, brakes: Brakes) -> None:
    """All of it, while the operator is down."""
    protected = [f"person{n}" for n, person in enumerate(PEOPLE) if person.protected]
    plant.put(
        DIRECTORIES,
        "entra",
        spec={
            "guard": {"maxRemovals": 0} if brakes.tripped else UNGUARDED["guard"],
            "access": "Hold" if brakes.hold else "Apply",
            "protected": {"users": protected},
        },
    )
    if brakes.frozen:
        frozen = {"reason": "LedgerLost", "message": "it was wiped", "since": "2026-01-01T00:00:00Z"}
        status = plant.status(HOLDS, "entra")
        plant.put(HOLDS, "entra", spec={}, status={**status, "frozen": frozen})
    looks = dict(plant.api.objects["accesspolicies", "", "looks"]["spec"], enforcement="Preview")
    plant.put(POLICIES, "looks", spec=looks)
    for number, person in enumerate(PEOPLE):
        if person.disabled:
            plant.put(USERS, f"u{number}", spec=user(number, active=False))
        if person.locked:
            plant.put(LOCKS, f"l{number}", spec={"subject": f"person{number}", "reason": "lost laptop"})
    stay = [number for number, person in enumerate(PEOPLE) if person.disabled]
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [*stay, STAYS]))
    plant.put(GROUPS, "g2", spec=group("k8s-blue-view", [*stay, STAYS], identifier="group-2"))


@pytest.mark.parametrize("brakes", [Brakes(*flags) for flags in product((False, True), repeat=3)], ids=str)
async def test_all_at_once(brakes: Brakes) -> None:
    plant = Plant.usual_one()
    plant.api.watcher, hear = None, plant.api.watcher
    begin(plant)
    plant.api.watcher = hear
    everybody = {f"person{number}" for number in range(len(PEOPLE) + 1)}
    async with plant.running():
        for place in (ENFORCED, PREVIEWED):
            await plant.until(lambda place=place: standing(plant, place) == everybody)  # type: ignore[misc]
        await plant.until(lambda: standing(plant, GRANTED) == {f"person{STAYS}"})
        await asyncio.sleep(0.4)
    plant.api.watcher = None
    change(plant, brakes)
    again = Plant()
    again.api.objects, again.api._versions, again.api._uids = (
        plant.api.objects,
        plant.api._versions,
        plant.api._uids,
    )
    again.now = plant.now + timedelta(hours=2)
    expected = {
        place: everybody
        - {
            f"person{number}"
            for number, person in enumerate(PEOPLE)
            if leaves(person, brakes, preview=place is PREVIEWED)
        }
        for place in (ENFORCED, PREVIEWED)
    }
    async with again.running():
        await again.until(lambda: standing(again, ENFORCED) == expected[ENFORCED])
        await asyncio.sleep(0.5)
        found = {place: standing(again, place) for place in expected}
        assert found == expected
        assert standing(again, GRANTED) == set(), "a grant that has ended, whatever else is set"
