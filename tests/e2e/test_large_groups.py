"""A group of thousands: made by PUT and PATCHes, changed by one, there after a restart; its access too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from scim_operator.directory.records import USERS, Meta, object_of, spec_of
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, policy
from tests.e2e.restoring import restore
from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.installation import Installation

OURS = "/apis/scim-operator.io/v1alpha1"
SIZES = [
    pytest.param(3_000, id="3000-members"),
    pytest.param(20_000, marks=pytest.mark.long, id="20000-members"),
]
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)

Object = dict[str, Any]


@dataclass(frozen=True)
class Crowd:
    """An installation with so many people in the directory crowd."""

    installation: Installation
    entra: EntraClient
    size: int

    @property
    def cluster(self) -> Cluster:
        return self.installation.cluster

    def patch(self, kind: str, numbers: range) -> None:
        """Add or remove members."""
        value = [{"value": _id(number)} for number in numbers]
        operation = {"op": kind, "path": "members", "value": value}
        answer = self.entra.call("PATCH", self.path, {"Operations": [operation]})
        assert answer.status == 200, answer.answer
        assert "members" not in answer.answer

    @property
    def path(self) -> str:
        return f"/Groups/{self.entra.ids['crowd-all-view']}"

    def stored(self) -> tuple[Object, dict[str, Object]]:
        """The ScimGroup, and the shards that it names."""
        group = self.cluster.request("GET", f"{OURS}/scimgroups").body["items"][0]
        shards = self.cluster.request("GET", f"{OURS}/scimgroupshards").body["items"]
        wanted = group["spec"].get("shards", {}).get("generation")
        return group, {
            item["metadata"]["name"]: item for item in shards if item["spec"]["generation"] == wanted
        }

    def settled(self) -> tuple[Object, dict[str, Object]]:
        """The same, once nothing is to come to the shards any more."""
        eventually(lambda: "pending" in self.stored()[0]["spec"], lambda pending: not pending, 30)
        return self.stored()


def _id(number: int) -> str:
    return str(UUID(int=number))


def _name(number: int) -> str:
    return f"u{number}@crowd.example.com"


def _user(number: int) -> Object:
    document = {"userName": _name(number), "active": True}
    return object_of(f"u{number}", spec_of("crowd", _id(number), document, {}, _META))


@pytest.fixture(scope="module", params=SIZES)
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """A cluster of its own, filled as by a restore."""
    cluster = Cluster.start(tmp_path_factory.mktemp("crowd") / "state", tied=True)
    installation = Installation.install(cluster, ["crowd"], values=["identityEditors={admin}"])
    installation.start()
    entra = installation.client("crowd")
    asyncio.run(restore(cluster, ((USERS, _user(number)) for number in range(request.param))))
    apply(cluster, policy("crowd", "crowd", "crowd-{team}-{role}", namespace="crowd-{team}"))
    everybody = {"count": "0"}
    becomes(lambda: entra.call("GET", "/Users", query=everybody).answer["totalResults"], request.param, 60)
    yield Crowd(installation, entra, request.param)
    installation.end()
    cluster.stop()


def test_a_group_of_thousands(crowd: Crowd) -> None:
    entra, size = crowd.entra, crowd.size
    entra.provision_group("crowd-all-view", [])
    half = size // 2
    body = {"displayName": "crowd-all-view", "members": [{"value": _id(number)} for number in range(half)]}
    made = entra.call("PUT", crowd.path, body)
    assert made.status == 200, made.answer
    assert len(made.answer["members"]) == half
    for first in range(half, size, 500):
        crowd.patch("Add", range(first, first + 500))
    _is_there(crowd, set(range(size)))

    group, before = crowd.settled()
    assert len(before) == group["spec"]["shards"]["count"]
    assert sum(len(item["spec"]["members"]) for item in before.values()) == size
    assert "members" not in group["spec"]
    version = entra.call("GET", crowd.path, query={"excludedAttributes": "members"})
    assert "members" not in version.answer

    # One member's change is one small object.
    crowd.patch("Remove", range(7, 8))
    after_group, after = crowd.settled()
    assert after_group["metadata"]["generation"] == group["metadata"]["generation"]
    changed = [name for name, item in after.items() if item["metadata"] != before[name]["metadata"]]
    assert len(changed) == 1
    assert len(json.dumps(after[changed[0]])) < 120_000
    wanted = set(range(size)) - {7}
    _is_there(crowd, wanted)
    answer = entra.call("GET", crowd.path, query={"excludedAttributes": "members"}).answer
    assert _count(answer) == _count(version.answer) + 1
    assert answer["meta"]["lastModified"] > version.answer["meta"]["lastModified"]

    # A PUT of all members, one of whom isn't in it, is that one's change.
    body["members"] = [{"value": _id(number)} for number in range(size)]
    made = entra.call("PUT", crowd.path, body)
    assert made.status == 200, made.answer
    assert len(made.answer["members"]) == size
    _, filled = crowd.settled()
    assert [name for name, item in filled.items() if item["metadata"] != after[name]["metadata"]] == changed
    crowd.patch("Remove", range(7, 8))

    # They have access, and have it after a restart.
    for number, allowed in ((0, 200), (size - 1, 200), (7, 403)):
        becomes(partial(crowd.cluster.can_list_pods, _name(number), "crowd-all"), allowed, 60)
    crowd.patch("Remove", range(2))
    crowd.installation.process.kill()
    crowd.installation.process.start()
    crowd.installation.process.wait_ready(120)
    wanted -= {0, 1}
    _is_there(crowd, wanted)
    crowd.settled()
    _is_there(crowd, wanted)
    for number, allowed in ((0, 403), (size - 1, 200), (7, 403)):
        becomes(partial(crowd.cluster.can_list_pods, _name(number), "crowd-all"), allowed, 60)


def test_every_write_is_seen_by_the_next_request(crowd: Crowd) -> None:
    """In Entra's check of a reference, the user, the whole group: 200 rounds in the larger crowd."""
    entra, rounds = crowd.entra, 20 if crowd.size < 20_000 else 200
    wanted = set(range(3_000))
    members = [{"value": _id(number)} for number in wanted]
    made = entra.call("POST", "/Groups", {"displayName": "seen", "members": members}).answer
    for number in range(rounds):
        for kind in ("Remove", "Add"):
            operation = {"op": kind, "path": "members", "value": [{"value": _id(number)}]}
            patched = entra.call("PATCH", f"/Groups/{made['id']}", {"Operations": [operation]})
            assert (patched.status, _count(patched.answer)) == (200, 2 + 2 * number + (kind == "Add"))
            check = {"filter": f'id eq "{made["id"]}" and members eq "{_id(number)}"', "attributes": "id"}
            assert entra.call("GET", "/Groups", query=check).answer["totalResults"] == (kind == "Add")
            groups = entra.call("GET", f"/Users/{_id(number)}").answer.get("groups", ())
            assert (made["id"] in {group["value"] for group in groups}) is (kind == "Add")
            if number % 10 == 0:
                shown = entra.call("GET", f"/Groups/{made['id']}").answer["members"]
                there = wanted - ({number} if kind == "Remove" else set())
                assert {member["value"] for member in shown} == {_id(one) for one in there}
    assert entra.call("DELETE", f"/Groups/{made['id']}").status == 204


def _count(answer: Object) -> int:
    return int(answer["meta"]["version"].split('"')[1])


def _is_there(crowd: Crowd, numbers: set[int]) -> None:
    """Its members are these."""
    answer = crowd.entra.call("GET", crowd.path)
    assert answer.status == 200, answer.answer
    found = {member["value"] for member in answer.answer["members"]}
    assert found == {_id(number) for number in numbers}
