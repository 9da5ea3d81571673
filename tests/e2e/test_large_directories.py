"""At 1,000 and at 10,000 users: somebody disabled is out of every binding at once, with no other write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from scim_operator.directory.records import GROUPS, USERS, Meta, object_of, spec_of
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, policy
from tests.e2e.replay import RBAC, Replay
from tests.e2e.restoring import restore
from tests.entra import EntraClient
from tests.eventually import SECONDS, becomes, eventually
from tests.installation import Installation

_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)


@dataclass(frozen=True)
class Size:
    """Users, teams that share them evenly, the roles each team has, how many groups there are in all, and how
    many users are in one big group as well."""

    users: int
    teams: int
    roles: tuple[str, ...]
    groups: int
    big: int

    @property
    def share(self) -> int:
        """How many are in a team."""
        return self.users // self.teams

    def place(self, number: int) -> str:
        """The namespace of a user's team."""
        return f"big-t{number // self.share}"

    def names(self) -> Iterator[tuple[str, range]]:
        """All groups with the numbers of their members; some are meant by no policy."""
        for team in range(self.teams):
            for role in self.roles:
                yield f"big-t{team}-{role}", range(team * self.share, (team + 1) * self.share)
        yield "big-all-view", range(self.big)
        for number in range(self.groups - self.teams * len(self.roles) - 1):
            yield f"other {number}", range(number, number + 20)


SIZES = [
    pytest.param(Size(1_000, 100, ("view",), 101, 500), marks=pytest.mark.long, id="1000-users"),
    pytest.param(Size(10_166, 299, ("view", "edit", "admin"), 1_000, 5_000), id="10166-users"),
]


@dataclass(frozen=True)
class Filled:
    """An installation in a cluster with a directory of that size."""

    installation: Installation
    size: Size


def _id(number: int) -> str:
    return str(UUID(int=number))


def _user(number: int) -> dict[str, Any]:
    document = {"userName": _name(number), "active": True, "displayName": f"U {number}"}
    return object_of(f"u{number}", spec_of("big", _id(number), document, {}, _META))


def _group(number: int, name: str, members: range) -> dict[str, Any]:
    ids = dict.fromkeys(_id(member) for member in members)
    return object_of(f"g{number}", spec_of("big", _id(1_000_000 + number), {"displayName": name}, ids, _META))


async def _fill(cluster: Cluster, size: Size) -> None:
    todo: list[tuple[Resource, dict[str, Any]]] = [(USERS, _user(number)) for number in range(size.users)]
    groups = list(enumerate(size.names()))
    assert len(groups) == size.groups
    todo += [(GROUPS, _group(number, name, members)) for number, (name, members) in groups]
    await restore(cluster, todo)


@pytest.fixture(scope="module", params=SIZES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A cluster of its own, filled before the operator starts."""
    cluster = Cluster.start(tmp_path_factory.mktemp("big") / "state", tied=True)
    installation = Installation.install(cluster, ["big"], values=["identityEditors={admin}"])
    asyncio.run(_fill(cluster, request.param))
    many = policy("big", "big", "big-{team}-{role}", namespace="big-{team}")
    many["spec"]["maxNamespaces"] = 1000
    apply(cluster, many)
    installation.start()
    yield Filled(installation, request.param)
    installation.end()
    cluster.stop()


def test_a_leaver_among_many(filled: Filled) -> None:
    cluster, size = filled.installation.cluster, filled.size
    places = size.teams * len(size.roles) + 1
    eventually(lambda: len(bindings(cluster, "big")), lambda count: count == places, 60)
    assert len(bindings(cluster, "big")["big-all", "view"]) == size.big
    # A thousand groups' statuses are written before the directory's, which holds the URL.
    url = ("get", "scimdirectory", "big", "-o", "jsonpath={.status.url}")
    eventually(lambda: cluster.kubectl(*url), bool, 60)
    entra = filled.installation.client("big")
    # A cold start reads all of it twice (our lists, then kopf's): who leaves meanwhile waits for its end.
    _leaves(filled, entra, 160, 60)
    before = Replay(cluster)
    milliseconds = _leaves(filled, entra, 150, SECONDS)
    held = before.holding(_name(150))
    print(f"out of all {len(held)} bindings after {milliseconds:.0f} ms")
    assert len(held) == len(size.roles) + 1, "one of each role, and one shard of the big group"
    assert before.changed() == held, "each was written once, and no other"
    assert cluster.can_list_pods(_name(151), "big-all") == 200


def test_bindings_stay_small(filled: Filled) -> None:
    listed = filled.installation.cluster.request("GET", f"{RBAC}/namespaces/big-all/rolebindings").body[
        "items"
    ]
    sizes = [len(item["subjects"]) for item in listed]
    assert sum(sizes) >= filled.size.big - 2
    assert max(sizes) <= 256
    assert {item["metadata"]["labels"]["scim-operator.io/shards"] for item in listed} == {str(len(sizes))}


def _name(number: int) -> str:
    return f"u{number}@big.example.com"


def _leaves(filled: Filled, entra: EntraClient, number: int, seconds: float) -> float:
    """Disable somebody in several groups. -> ms from the answer until their token is refused."""
    cluster, user_name = filled.installation.cluster, _name(number)
    found = entra.find("Users", "userName", user_name)
    assert found is not None
    entra.ids[user_name] = found["id"]
    places = ("big-all", filled.size.place(number))
    for namespace in places:
        becomes(partial(cluster.can_list_pods, user_name, namespace), 200)
    entra.set_active(user_name, False)
    answered = time.monotonic()
    for namespace in places:
        becomes(partial(cluster.can_list_pods, user_name, namespace), 403, seconds)
    return (time.monotonic() - answered) * 1000
