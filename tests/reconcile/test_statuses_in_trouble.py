"""What statuses and Events tell when writes fail, directories vanish, requests come close together."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile import status_writer
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import ROLE_REFUSED, Plant
from tests.reconcile.test_shards import _bindings, _members, _names, _people
from tests.reconcile.worlds import META, by_id, group, policy, user

DOWN = ApiError(500, "InternalError", "failed calling webhook")


def meta(spec: Any, request: str) -> Any:
    return {**spec, "meta": {**META, "request": request}}


def restarted(plant: Plant) -> Plant:
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    return again


def _notes(plant: Plant) -> list[str]:
    events = [item for key, item in plant.api.objects.items() if key[0] == "events"]
    return [str(event.get("note") or event.get("message")) for event in events]


async def test_status_of_a_leaver_who_could_not_be_removed(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u1").get("grantsTotal") == 1)
        plant.api.refuse["replace", "rolebindings"] = DOWN
        _members(plant, [0])
        await plant.until(lambda: plant.status(USERS, "u1").get("groups") == 0)
        await asyncio.sleep(0.7)
        assert plant.subjects() == {"person0", "person1"}
        assert plant.status(USERS, "u1")["grantsTotal"] == 1, "they have access still"


async def test_a_thousand_statuses_leave_an_api_server_alone_that_is_away(
    plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    away = ApiError(0, "NotLeading", "this replica doesn't lead at the moment and writes nothing")
    for number in range(2, 1000):
        plant.put(USERS, f"u{number}", spec=user(number))
    for resource in (USERS, GROUPS, POLICIES, DIRECTORIES):
        plant.api.refuse["patch", resource.plural] = away
    async with plant.running():
        await plant.until(lambda: "a status couldn't be written" in caplog.text)
        await asyncio.sleep(1.5)
        assert caplog.text.count("a status couldn't be written") < 20
        plant.api.refuse.clear()
        await plant.until(lambda: any("groups" in plant.status(USERS, f"u{n}") for n in range(1000)))


async def test_bindings_that_never_end_hide_nobody(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(queue: KeyedQueue[Any]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(KeyedQueue, "idle", never)
    monkeypatch.setattr(status_writer, "_LATE_SECONDS", 0.5)
    for number in range(2, 25):
        plant.put(USERS, f"u{number}", spec=user(number))
    async with plant.running():
        await plant.until(lambda: all("groups" in plant.status(USERS, f"u{n}") for n in range(25)))


async def test_statuses_that_say_it_all_let_others_have_their_turn(plant: Plant) -> None:
    for number in range(2, 200):
        plant.put(USERS, f"u{number}", spec=user(number))
    lane, turns = plant.reconciler.queues["user_statuses"], 0
    async with plant.running():
        await plant.until(lambda: all("groups" in plant.status(USERS, f"u{n}") for n in range(200)))
        await plant.until(lambda: not len(lane))
        for person in plant.reconciler._inputs.everybody():
            lane.add(person)
        while len(lane):
            await asyncio.sleep(0)
            turns += 1
    assert turns > 50


async def test_since_survives_a_restart_with_a_failing_place(plant: Plant) -> None:
    async with plant.running():
        plant.put(GROUPS, "g", spec=meta(group("k8s-red-edit", [0, 1]), "req-1"))
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
    first = plant.status(USERS, "u0")["grants"]
    again = restarted(plant)
    again.reconciler._statuses._now = lambda: "2027-02-02T00:00:00Z"
    again.put(USERS, "u1", spec=user(1, active=False))  # left while the operator was down
    again.api.refuse["replace", "rolebindings"] = DOWN
    async with again.running():
        await asyncio.sleep(1.0)
        during = again.status(USERS, "u0")
        again.api.refuse.clear()
        await again.until(lambda: again.subjects() == {"person0"})
        await again.until(lambda: again.status(USERS, "u0").get("grantsTotal") == 1)
    assert during["grantsTotal"] == 1, during
    assert again.status(USERS, "u0")["grants"] == first


async def test_missing_directory_takes_no_access_and_no_grant_from_the_status(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
        plant.api.drop(DIRECTORIES, "entra")
        await plant.until(lambda: bool(plant.condition(USERS, "u0", "SubjectRefused")))
        assert plant.subjects() == {"person0", "person1"}
        assert plant.status(USERS, "u0")["grantsTotal"] == 1


async def test_status_follows_a_switch_to_groups_that_cant_stand_there(plant: Plant) -> None:
    plant.put(DIRECTORIES, "entra", spec={"subjects": {"group": "system:{externalId}"}})
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
        plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
        await plant.until(lambda: not _bindings(plant))
        await plant.until(lambda: plant.status(USERS, "u0")["grantsTotal"] == 0)


async def test_status_follows_a_nested_group_in_a_bound_one(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    plant.put(USERS, "u5", spec=user(5))
    plant.put(GROUPS, "inner", spec=group("inner", [5], identifier="group-9"))
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
        await plant.until(lambda: plant.status(USERS, "u5").get("grantsTotal") == 0)
        await asyncio.sleep(0.5)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, "group-9"]))
        await plant.until(lambda: plant.status(USERS, "u5").get("grantsTotal") == 1)


async def test_request_of_a_grant_by_a_bound_group(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
        plant.put(USERS, "u5", spec=user(5))
        plant.put(GROUPS, "g", spec=meta(group("k8s-red-edit", [0, 1, 5]), "req-5"))
        await plant.until(lambda: plant.status(USERS, "u5").get("grantsTotal") == 1)
        assert plant.status(USERS, "u5")["grants"][0].get("request") == "req-5"


async def test_each_grant_tells_its_own_request(plant: Plant) -> None:
    _people(plant, 4)
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(GROUPS, "g", spec=meta(group("k8s-red-edit", [0, 1, 2]), "req-A"))
        plant.put(GROUPS, "g", spec=meta(group("k8s-red-edit", [0, 1, 2, 3]), "req-B"))
        await plant.until(lambda: plant.status(USERS, "u2").get("grantsTotal") == 1)
        await plant.until(lambda: plant.status(USERS, "u3").get("grantsTotal") == 1)
        assert plant.status(USERS, "u3")["grants"][0]["request"] == "req-B"
        assert plant.status(USERS, "u2")["grants"][0]["request"] == "req-A"


async def test_a_policys_grant_is_no_requests_doing(plant: Plant) -> None:
    """A policy made while a request about one member arrives: the other members' grants name that request."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(
            POLICIES, "more", spec=policy({"clusterRole": "view", "namespaces": {"name": "team-{team}"}})
        )
        plant.put(USERS, "u1", spec=meta({**user(1), "displayName": "x"}, "req-9"))
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 2)
        grant = next(g for g in plant.status(USERS, "u0")["grants"] if g["policy"] == "more")
        assert "request" not in grant, grant


async def test_a_pass_gives_up_when_the_api_server_is_away(plant: Plant) -> None:
    calls: dict[str, int] = defaultdict(int)
    _people(plant, 10_000)
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"}, 10)
        passes = plant.reconciler.queues["places"].retries

        def away(verb: str, plural: str) -> None:
            if plural == "rolebindings":
                calls[verb] += 1
                raise ApiError(0, "Unreachable", "TimeoutError")

        plant.api.before = away
        _members(plant, range(10_000))
        await plant.until(lambda: plant.reconciler.queues["places"].retries > passes, 10)
        assert sum(calls.values()) <= 17


async def test_binding_deleted_because_of_a_leaver_is_told_although_others_move(plant: Plant) -> None:
    """One person leaves, another one moves to another policy's place, and no role is grantable."""
    plant.put(
        POLICIES, "zz", spec=by_id({"clusterRole": "view", "namespaces": {"name": "team-red"}}, ids=["oid-z"])
    )
    plant.put(GROUPS, "z", spec={**group("z", [], identifier="group-z"), "externalId": "oid-z"})
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        _people(plant, 4)
        _members(plant, range(4))
        await plant.until(lambda: plant.subjects() == _names(range(4)))
        await asyncio.sleep(0.5)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.put(GROUPS, "z", spec={**group("z", [1], identifier="group-z"), "externalId": "oid-z"})
        plant.put(USERS, "u0", spec=user(0, active=False))
        _members(plant, [0, 2, 3])
        await plant.until(lambda: plant.subjects() is None)
        await plant.until(lambda: any("whole binding was deleted" in note for note in _notes(plant)))


async def test_causes_of_places_without_namespace_are_forgotten(plant: Plant) -> None:
    plant.put(
        POLICIES,
        "teams",
        spec=policy(
            {"clusterRole": "edit", "namespaces": {"name": "team-{team}"}}, pattern="k8s-{team}-edit"
        ),
    )
    async with plant.running():
        await asyncio.sleep(0.2)
        for n in range(50):
            plant.put(GROUPS, f"x{n}", spec=group(f"k8s-t{n}-edit", [0], identifier=f"x{n}"))
            await asyncio.sleep(0.01)
            plant.api.drop(GROUPS, f"x{n}")
            await asyncio.sleep(0.01)
        await plant.until(lambda: not plant.reconciler.queues["places"])
        assert len(plant.reconciler._causes) <= 1, len(plant.reconciler._causes)
