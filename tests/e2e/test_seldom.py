"""What the operator asks for once in a blue moon: its own code with its own account, and clocks of ours.

Without these some of the chart's rights would be used in no test (tests/permissions.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from scim_operator.access.places import Settings
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Meta
from scim_operator.directory.settler import Settler
from scim_operator.directory.shards import SHARDS, shard_object, shard_of, shard_spec
from scim_operator.directory.turns import Turns
from scim_operator.directory.writer import Writer
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.reconcile.absence import Absence
from scim_operator.reconcile.resources import HOLDS
from scim_operator.reconcile.world import World
from tests.heard import Heard
from tests.installation import Installation

# Longer than anything is kept.
_LATER = 30 * 86400.0
_META = Meta("", "2026-01-01T00:00:00.000Z", 0, None)
_GROUP = ("seldom", "2819c223-7f76-453a-919d-413861904646")


@pytest_asyncio.fixture
async def client(operator: Installation) -> AsyncIterator[KubeClient]:
    """With the token that the operator uses."""
    config = operator.cluster.state / "pods" / operator.process.name / "kubeconfig"
    async with KubeClient(await load_credentials(str(config))) as made:
        yield made


async def test_kinds_that_are_looked_for_only_when_they_were_missing_at_the_start(client: KubeClient) -> None:
    world = World(Index(lambda: 0.0), Directories(), Settings(frozenset(), longest_grant=0.0), ())
    absence = Absence(client, world, lambda: None)
    world.vanished |= {HOLDS, SHARDS}
    await absence.look()
    assert (absence.missing, world.vanished) == ({}, set())


async def test_a_shard_of_nobody_is_read_again_and_goes_at_last(client: KubeClient) -> None:
    clock = [time.monotonic()]
    index = Index(lambda: clock[0])
    writer = Writer(client, index, Heard().audit, lambda group: None)
    for kind in ("User", "Group"):
        index.complete(kind, set(), "0")
    index.complete_shards(set(), "0")

    made = await client.create(SHARDS, shard_object(shard_spec(_GROUP, 1, 0, 1, [], _META)))
    stale = shard_of(made)
    newer: dict[str, Any] = await client.replace(
        SHARDS, {**made, "spec": {**made["spec"], "members": [_GROUP[1]]}}
    )
    # Somebody else has written it: what they wrote is read, and stays.
    assert not await writer.rewrite_shard(stale, [], _META)
    (known,) = index.shards
    assert known.resource_version == int(newer["metadata"]["resourceVersion"])

    settler = Settler(
        client,
        index,
        writer,
        Turns(),
        monotonic=lambda: clock[0],
        now=lambda: datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    )
    await settler.sweep()
    assert await client.get(SHARDS, known.name)
    clock[0] += _LATER
    await settler.sweep()
    assert known.name not in {item["metadata"]["name"] for item in (await client.list(SHARDS)).items}
