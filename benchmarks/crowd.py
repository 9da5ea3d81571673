"""The large-group section: members come to a group of 50,000 and go, a hundred a request, beside bare writes.

The group is restored with ids of people whom nobody knows, so that the run isn't about making 50,000 users;
those who come and go are real.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import bare
from benchmarks.figures import Spread
from benchmarks.scim import ScimRequests, ScimSide
from scim_operator.directory.layout import shard_count
from scim_operator.directory.members import divided
from scim_operator.directory.records import GROUPS, USERS, Large, Meta, object_of, spec_of
from scim_operator.directory.shards import SHARDS, shard_object, shard_spec
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from tests.cluster.cluster import Cluster
from tests.e2e.restoring import restore

_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)
_COME_AND_GO = 100
_GROUP = str(UUID(int=1 << 64))


@dataclass(frozen=True)
class Plan:
    """How many members, and how many requests on each side."""

    members: int
    requests: int


@dataclass(frozen=True)
class Figures:
    """Of one client. bare: a PUT of a group of the same kind with the same hundred ids."""

    members: int
    changed: int
    scim: Spread
    bare: Spread


def fill(cluster: Cluster, directory: str, plan: Plan) -> None:
    """The group and those who come and go, as a restore would write them."""
    people = [_user(directory, number) for number in range(_COME_AND_GO)]
    members = dict.fromkeys(_id(number) for number in range(_COME_AND_GO, _COME_AND_GO + plan.members))
    count = shard_count(len(members), 0)
    made = [
        shard_object(
            shard_spec((directory, _GROUP), 1, number, count, part, replace(_META, created="", version=0))
        )
        for number, part in enumerate(divided(members, count) if count else ())
    ]
    large = Large(1, count, {}, _META) if count else None
    group = object_of("crowd", spec_of(directory, _GROUP, {"displayName": "crowd"}, members, _META, large))
    objects = [*((USERS, item) for item in people), *((SHARDS, item) for item in made), (GROUPS, group)]
    asyncio.run(restore(cluster, objects))


def measure(side: ScimSide, kubeconfig: Path, plan: Plan) -> Figures:
    """Runs in the load client's process."""
    return asyncio.run(_measure(side, kubeconfig, plan))


async def _measure(side: ScimSide, kubeconfig: Path, plan: Plan) -> Figures:
    scim: list[float] = []
    beside: list[float] = []
    value = [{"value": _id(number)} for number in range(_COME_AND_GO)]
    async with side.connected() as requests, KubeClient(await load_credentials(str(kubeconfig))) as client:
        await _known(requests)
        spec = spec_of("bench", _GROUP, {"displayName": "crowd"}, {}, _META)
        stored = await client.create(bare.GROUPS, object_of("crowd", spec))
        for number in range(plan.requests):
            kind, word = (("Add", "added"), ("Remove", "removed"))[number % 2]
            body = {"Operations": [{"op": kind, "path": "members", "value": value}]}
            began = time.perf_counter()
            await requests.call("PATCH", f"/Groups/{_GROUP}", 200, body)
            answered = time.perf_counter()
            pending = {word: [item["value"] for item in value]}
            meta = {**spec["meta"], "version": number + 2}
            changed = {"metadata": stored["metadata"], "spec": {**spec, "pending": pending, "meta": meta}}
            stored = await client.replace(bare.GROUPS, changed)
            beside.append(time.perf_counter() - answered)
            scim.append(answered - began)
    return Figures(plan.members, _COME_AND_GO, Spread.of(scim), Spread.of(beside))


async def _known(requests: ScimRequests) -> None:
    """Until the operator's watch has brought it all; 404 or 503 before."""
    for _ in range(200):
        try:
            await requests.call("GET", f"/Groups/{_GROUP}?excludedAttributes=members", 200)
            return
        except AssertionError:
            await asyncio.sleep(0.1)
    raise AssertionError("the restored group didn't come")


def _id(number: int) -> str:
    return str(UUID(int=(1 << 65) + number))


def _user(directory: str, number: int) -> dict[str, Any]:
    document = {"userName": f"crowd-{number}@bench.example.com", "active": True}
    return object_of(f"crowd-{number}", spec_of(directory, _id(number), document, {}, _META))
