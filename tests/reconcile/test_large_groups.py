"""Groups whose members are in shards: who is in them has access, and while one is missing nobody loses it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.directory.members import divided
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS, shard_name
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS, ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS
from tests.reconcile.plant import NAME, Plant
from tests.reconcile.worlds import group, user

GROUP_ID = group("k8s-red-edit", [])["id"]
PEOPLE = range(6)
_MOMENT = "2026-01-01T00:00:00Z"


def ids(numbers: range | list[int]) -> list[str]:
    members: list[str] = group("k8s-red-edit", numbers)["members"]
    return members


def named(numbers: range | list[int]) -> set[str]:
    return {f"person{number}" for number in numbers}


def put_large(plant: Plant, numbers: range | list[int], *, pending: Any = None) -> None:
    """The usual group, its members in two shards."""
    spec = group("k8s-red-edit", [])
    spec.pop("members", None)
    more = {"pending": pending} if pending else {}
    for number, part in enumerate(divided(ids(numbers), 2)):
        put_shard(plant, number, list(part))
    plant.put(GROUPS, "g", spec={**spec, "shards": {"generation": 1, "count": 2}, **more})


def put_shard(plant: Plant, number: int, members: list[str]) -> None:
    spec = {
        "directory": "entra",
        "group": GROUP_ID,
        "generation": 1,
        "number": number,
        "count": 2,
        "members": members,
        "meta": {"lastModified": _MOMENT, "version": 0},
    }
    plant.put(SHARDS, shard_name(GROUP_ID, 1, number), spec=spec)


@pytest.fixture
def plant() -> Plant:
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    for number in PEOPLE:
        made.put(USERS, f"u{number}", spec=user(number))
    put_large(made, PEOPLE)
    made.api.watcher = hear
    return made


async def still(plant: Plant, people: set[str]) -> None:
    """Nothing changes for them."""
    for _ in range(10):
        await asyncio.sleep(0.05)
        assert plant.subjects() == people


async def test_members_in_shards_have_access(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        left, *rest = divided(ids(PEOPLE), 2)[0]
        put_shard(plant, 0, rest)
        leaver = ids(PEOPLE).index(left)
        await plant.until(lambda: plant.subjects() == named(PEOPLE) - named([leaver]))
        await plant.until(lambda: plant.status(GROUPS, "g").get("members") == len(PEOPLE) - 1)


async def test_what_is_pending_counts_and_its_end_concerns_nobody(plant: Plant) -> None:
    plant.put(USERS, "u9", spec=user(9))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        put_large(plant, PEOPLE, pending={"added": ids([9]), "removed": ids([0])})
        wanted = named([1, 2, 3, 4, 5, 9])
        await plant.until(lambda: plant.subjects() == wanted)
        written = [write for write in plant.api.writes if write[1] == ROLE_BINDINGS.plural]
        put_large(plant, [1, 2, 3, 4, 5, 9])
        await still(plant, wanted)
        assert [write for write in plant.api.writes if write[1] == ROLE_BINDINGS.plural] == written


async def test_a_lost_shard_takes_nobodys_access(plant: Plant) -> None:
    """But who is disabled leaves; and the group says what is wrong."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        lost = plant.api.drop(SHARDS, shard_name(GROUP_ID, 1, 0))
        await plant.until(lambda: plant.condition(GROUPS, "g", "Stalled").get("reason") == "ShardsMissing")
        assert lost["metadata"]["name"] in plant.condition(GROUPS, "g", "Stalled")["message"]
        await still(plant, named(PEOPLE))
        plant.put(USERS, "u1", spec=user(1, active=False))
        await plant.until(lambda: plant.subjects() == named(PEOPLE) - {"person1"})
    await _after_a_restart(plant, lost)


async def _after_a_restart(plant: Plant, lost: dict[str, Any]) -> None:
    again = Plant()
    again.api.objects, again.api._versions, again.api._uids = (
        plant.api.objects,
        plant.api._versions,
        plant.api._uids,
    )
    async with again.running():
        await still(again, named(PEOPLE) - {"person1"})
        again.put(USERS, "u2", spec=user(2, active=False))
        await again.until(lambda: again.subjects() == named(PEOPLE) - named([1, 2]))
        put_shard(again, 0, lost["spec"]["members"])
        await again.until(lambda: again.condition(GROUPS, "g", "Stalled") == {})
        await still(again, named(PEOPLE) - named([1, 2]))
        put_shard(again, 0, [])
        kept = {number for number in PEOPLE if ids([number])[0] in divided(ids(PEOPLE), 2)[1]}
        await again.until(lambda: again.subjects() == named(sorted(kept - {1, 2})))


async def test_a_cluster_without_the_kind_freezes_nobody(plant: Plant) -> None:
    """Large groups keep their access, all others go on as before."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
    for number in range(2):
        plant.api.objects.pop((SHARDS.plural, "", shard_name(GROUP_ID, 1, number)))
    again = Plant()
    again.api.objects, again.api._versions, again.api._uids = (
        plant.api.objects,
        plant.api._versions,
        plant.api._uids,
    )
    again.api.drop(CRDS, f"{SHARDS.plural}.{SHARDS.group}")
    again.api.refuse["list", SHARDS.plural] = ApiError(404, "NotFound", "no such resource")
    again.put(GROUPS, "h", spec={**group("k8s-blue-edit", [0, 1]), "id": "g-2"})
    async with again.running():
        await again.until(lambda: ("namespaces", "", "team-blue") in again.api.objects)
        await still(again, named(PEOPLE))
        again.put(USERS, "u0", spec=user(0, active=False))
        await again.until(lambda: again.subjects() == named(PEOPLE) - {"person0"})
        assert again.condition(HOLDS, "entra", "Frozen") == {}


async def test_a_stranger_put_in_by_hand_while_a_shard_is_missing(plant: Plant) -> None:
    """person9 is a user of the directory and in no group. Rule 14: goes at once."""
    plant.put(USERS, "u9", spec=user(9))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        plant.api.drop(SHARDS, shard_name(GROUP_ID, 1, 0))
        await plant.until(lambda: plant.condition(GROUPS, "g", "Stalled").get("reason") == "ShardsMissing")
        binding = plant.api.objects[ROLE_BINDINGS.plural, "team-red", NAME]
        stranger = {**binding["subjects"][0], "name": "person9"}
        plant.api.put(ROLE_BINDINGS, {**binding, "subjects": [*binding["subjects"], stranger]}, "team-red")
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
