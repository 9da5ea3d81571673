"""Killed at any write of a group that is in shards: the client sends again, and the end is as if nothing was.

A group grows beyond what a ScimGroup holds (a set of shards, then the ScimGroup), is changed in all shards at
once (the intent, the shards, done), and grows beyond its shards (a new set, then the ScimGroup).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from scim_operator.directory.members import part_of
from scim_operator.directory.records import USERS, Meta, object_of, spec_of
from tests.e2e.restoring import restore
from tests.eventually import becomes
from tests.faults.killing import restarting
from tests.faults.proxy import FaultProxy, Moment
from tests.faults.system import OURS, System

SECONDS = 60.0
# No statuses.
WRITES = r"/(scimgroups|scimgroupshards)(/[^/]+)?$"
FIRST, MORE, ALL = 2_100, 40, 8_100
# The POST of the group, four shards and the ScimGroup; the intent, four shards and the end of it; 16 shards
# and the ScimGroup. Shards are written side by side: one of them is as good as the other.
SET, INTENT, ANOTHER = (1, 2, 5, 6), (7, 8, 11, 12), (13, 21, 29)
SAMPLE = ((6, Moment.AFTER), (9, Moment.BEFORE))
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)

Object = dict[str, Any]


class Growth:
    """People in one directory, and the operator behind a proxy that kills it."""

    def __init__(self, system: System, proxy: FaultProxy, people: int) -> None:
        self.system, self.proxy = system, proxy
        self.entra = system.connect("crowd")
        asyncio.run(restore(system.cluster, ((USERS, _user(number)) for number in range(people))))
        becomes(self._known, people, SECONDS)
        self._names = (f"team{number}" for number in itertools.count())

    def _known(self) -> int:
        found: int = self.entra.call("GET", "/Users", query={"count": "0"}).answer["totalResults"]
        return found

    def run(self, steps: int, number: int, moment: Moment) -> bool:
        """So many of the three steps, and a kill at the write of that number. -> whether it came to that"""
        name = next(self._names)
        with restarting(self.system.installation.process, self.proxy):
            self.proxy.strike_at(number, moment, self.system.installation.process.kill, WRITES)
            path = f"/Groups/{self._send('POST', '/Groups', {'displayName': name}, 201)['id']}"
            for step in (self._grow, self._change, self._outgrow)[:steps]:
                members = step(path)
                becomes(partial(self._is_settled, path), True, SECONDS)
                self._check(path, members)
            version = self._send("GET", path, None, 200)["meta"]["version"]
            assert version == f'W/"{steps + 1}"', "each change counts once, however often it was sent"
            struck = self.proxy.struck.is_set()
        self._forget(path)
        return struck

    # --- the steps: -> who is in the group then ------------------------------------------------------------

    def _grow(self, path: str) -> set[str]:
        members = [_id(number) for number in range(FIRST)]
        self._send("PUT", path, _group(path, members), 200)
        return set(members)

    def _change(self, path: str) -> set[str]:
        """As many come as go."""
        joining = [_id(number) for number in range(FIRST, FIRST + MORE)]
        leaving = [_id(number) for number in range(MORE)]
        operations = [
            {"op": kind, "path": "members", "value": [{"value": member} for member in members]}
            for kind, members in (("Add", joining), ("Remove", leaving))
        ]
        self._send("PATCH", path, {"Operations": operations}, 200)
        return {_id(number) for number in range(MORE, FIRST + MORE)}

    def _outgrow(self, path: str) -> set[str]:
        members = [_id(number) for number in range(ALL)]
        self._send("PUT", path, _group(path, members), 200)
        return set(members)

    def _send(self, method: str, path: str, body: Object | None, status: int) -> Object:
        """As a client that isn't answered: again, under the same id."""
        answer = self.entra.call(method, path, body, request_id=str(uuid4()))
        assert answer.status == status, answer.answer
        return answer.answer

    # --- what came of it -----------------------------------------------------------------------------------

    def _stored(self, path: str) -> tuple[Object, list[Object]]:
        """The specs of the ScimGroup and of all shards that were ever made for it."""
        identifier = path.rpartition("/")[2]
        (group,) = (item for item in self._specs("scimgroups") if item["id"] == identifier)
        return group, [item for item in self._specs("scimgroupshards") if item["group"] == identifier]

    def _specs(self, plural: str) -> list[Object]:
        return [item["spec"] for item in self.system.list(f"{OURS}/{plural}")]

    def _is_settled(self, path: str) -> bool:
        group, _ = self._stored(path)
        return "shards" in group and "pending" not in group

    def _check(self, path: str, members: set[str]) -> None:
        """In the cluster and in the answer it has these members, each in one shard, where they belong."""
        group, shards = self._stored(path)
        in_force = group["shards"]
        found = [spec for spec in shards if spec["generation"] == in_force["generation"]]
        assert sorted(spec["number"] for spec in found) == list(range(in_force["count"]))
        stored = [(member, spec["number"]) for spec in found for member in spec["members"]]
        assert sorted(stored) == sorted((member, part_of(member, in_force["count"])) for member in members)
        assert "members" not in group
        answer = self._send("GET", path, None, 200)
        assert sorted(member["value"] for member in answer["members"]) == sorted(members)

    def _forget(self, path: str) -> None:
        """So that the next start has no more to read than this one."""
        assert self.entra.call("DELETE", path).status in (204, 404)
        identifier = path.rpartition("/")[2]
        for item in self.system.list(f"{OURS}/scimgroupshards"):
            if item["spec"]["group"] == identifier:
                name = item["metadata"]["name"]
                self.system.admin.request("DELETE", f"{OURS}/scimgroupshards/{name}")


def _id(number: int) -> str:
    return str(UUID(int=number))


def _user(number: int) -> Object:
    document = {"userName": f"u{number}@crowd.example.com", "active": True}
    return object_of(f"u{number}", spec_of("crowd", _id(number), document, {}, _META))


def _group(path: str, members: Sequence[str]) -> Object:
    return {"displayName": path.rpartition("/")[2], "members": [{"value": member} for member in members]}


@pytest.fixture(scope="module", params=[FIRST + MORE])
def growth(
    request: pytest.FixtureRequest, built: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Growth]:
    with (
        System.running(tmp_path_factory.mktemp("growth"), values=["identityEditors={admin}"]) as system,
        FaultProxy(system.cluster) as proxy,
    ):
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        yield Growth(system, proxy, request.param)


@pytest.mark.long
@pytest.mark.parametrize("moment", Moment)
def test_killed_at_every_write(growth: Growth, moment: Moment) -> None:
    for number in (*SET, *INTENT):
        assert growth.run(2, number, moment), number


@pytest.mark.long
@pytest.mark.parametrize("growth", [ALL], indirect=True)
@pytest.mark.parametrize("moment", Moment)
def test_killed_while_a_set_takes_the_place_of_another(growth: Growth, moment: Moment) -> None:
    for number in ANOTHER:
        assert growth.run(3, number, moment), number


@pytest.mark.parametrize(("number", "moment"), SAMPLE)
def test_killed_at_some_writes(growth: Growth, number: int, moment: Moment) -> None:
    assert growth.run(2, number, moment)
