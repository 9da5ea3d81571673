"""Rule 10 at its size: with 10,000 users, one that is disabled is out of every binding at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from scim_operator.directory.records import GROUPS, USERS, Meta, object_of, spec_of
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, policy
from tests.entra import EntraClient
from tests.eventually import SECONDS, becomes, eventually
from tests.installation import Installation

USER_COUNT, GROUP_COUNT, BIG = 10_000, 100, 2_000
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)


def _id(number: int) -> str:
    return str(UUID(int=number))


def _user(number: int) -> dict[str, Any]:
    document = {"userName": f"u{number}@big.example.com", "active": True, "displayName": f"U {number}"}
    return object_of(f"u{number}", spec_of("big", _id(number), document, {}, _META))


def _group(number: int, name: str, members: range) -> dict[str, Any]:
    ids = dict.fromkeys(_id(member) for member in members)
    return object_of(f"g{number}", spec_of("big", _id(1_000_000 + number), {"displayName": name}, ids, _META))


async def _fill(cluster: Cluster) -> None:
    """As a restore would: straight into the API server, 32 at a time."""
    todo: list[tuple[Resource, dict[str, Any]]] = [(USERS, _user(number)) for number in range(USER_COUNT)]
    share = USER_COUNT // GROUP_COUNT
    todo += [
        (GROUPS, _group(number, f"big-t{number}-view", range(number * share, (number + 1) * share)))
        for number in range(GROUP_COUNT)
    ]
    todo.append((GROUPS, _group(GROUP_COUNT, "big-all-view", range(BIG))))
    waiting = iter(todo)
    async with KubeClient(await load_credentials(str(cluster.kubeconfig))) as client:

        async def work() -> None:
            for resource, body in waiting:
                await client.create(resource, body)

        await asyncio.gather(*(work() for _ in range(32)))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A cluster of its own, filled before the operator starts."""
    cluster = Cluster.start(tmp_path_factory.mktemp("big") / "state", tied=True)
    installation = Installation.install(cluster, ["big"])
    asyncio.run(_fill(cluster))
    apply(cluster, policy("big", "big", "big-{team}-{role}", namespace="big-{team}"))
    installation.start()
    yield installation
    installation.process.terminate()
    cluster.stop()


def test_a_leaver_among_ten_thousand(big: Installation) -> None:
    cluster = big.cluster
    eventually(lambda: len(bindings(cluster, "big")), lambda count: count == GROUP_COUNT + 1, 60)
    assert len(bindings(cluster, "big")["big-all", "view"]) == BIG
    entra = big.client("big")
    # A cold start reads all of it twice (our lists, then kopf's): who leaves meanwhile waits for its end.
    _leaves(big, entra, "u160@big.example.com", 60)
    milliseconds = _leaves(big, entra, "u150@big.example.com", SECONDS)
    print(f"out of both bindings after {milliseconds:.0f} ms")
    assert cluster.can_list_pods("u151@big.example.com", "big-all") == 200


def _leaves(big: Installation, entra: EntraClient, user_name: str, seconds: float) -> float:
    """Disable somebody in two groups. -> ms from the answer until their own token is refused in both."""
    found = entra.find("Users", "userName", user_name)
    assert found is not None
    entra.ids[user_name] = found["id"]
    places = ("big-all", "big-t1")
    for namespace in places:
        becomes(partial(big.cluster.can_list_pods, user_name, namespace), 200)
    entra.set_active(user_name, False)
    answered = time.monotonic()
    for namespace in places:
        becomes(partial(big.cluster.can_list_pods, user_name, namespace), 403, seconds)
    return (time.monotonic() - answered) * 1000
