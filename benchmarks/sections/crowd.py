"""e. One large group: everybody is in it, some leave and come back, it gets another name, it is looked at.

It is restored, since the run isn't about bringing 50,000 members; no policy names it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from benchmarks import bare
from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Spread
from benchmarks.goals import Goal
from benchmarks.scim import Endpoint, members_body, patch_body
from benchmarks.stage import Stage
from benchmarks.tenant import Tenant
from benchmarks.wire import Wire, query
from scim_operator.directory.layout import shard_count
from scim_operator.directory.members import divided
from scim_operator.directory.records import GROUPS, Large, Meta, Object, object_of, spec_of
from scim_operator.directory.shards import SHARDS, shard_object, shard_spec
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.e2e.restoring import restore

_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)
_GROUP = "00000000-0000-4000-a000-000000000000"
_MANY = 1_000
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Figures:
    """many: how many come or go where it isn't one. bare: a PUT of a group with so many ids, no watcher."""

    letter: ClassVar[str] = "e"
    title: ClassVar[str] = "One large group"
    members: int
    many: int
    operations: dict[str, Spread]
    bare: Spread

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"a group of {self.members}, {self.bare.count} times each:",
            *(f"  {name:38} {spread}" for name, spread in self.operations.items()),
            f"  {f'bare API server: PUT with {self.many} ids':38} {self.bare}",
        ]

    def goals(self) -> list[Goal]:
        """None."""
        return []

    def chart(self) -> Chart:
        """Each operation."""
        spreads = {**self.operations, f"bare PUT, {self.many} ids": self.bare}
        series = [
            Series("p50", [spread.p50_ms for spread in spreads.values()]),
            Series("p99", [spread.p99_ms for spread in spreads.values()]),
        ]
        title = f"{self.title}, {self.members:,} members"
        return Chart(title, [Panel("time of a request", "ms", list(spreads), series, "bars")])


def measure(stage: Stage, tenant: Tenant, changes: int) -> Figures:
    """So many of each operation."""
    beside = bare.install(stage.cluster)
    stage.away(_fill, stage.cluster.state, tenant)
    return stage.away(_measure, stage.endpoint, beside, tenant, changes)


def _fill(state: Path, tenant: Tenant) -> None:
    members = dict.fromkeys(tenant.ids)
    count = shard_count(len(members), 0)
    made: list[tuple[Resource, Object]] = []
    for number, part in enumerate(divided(members, count) if count else ()):
        meta = replace(_META, created="", version=0)
        spec = shard_spec((tenant.directory, _GROUP), 1, number, count, part, meta)
        made.append((SHARDS, shard_object(spec)))
    large = Large(1, count, {}, _META) if count else None
    spec = spec_of(tenant.directory, _GROUP, {"displayName": "crowd"}, members, _META, large)
    asyncio.run(restore(Cluster.load(state), [*made, (GROUPS, object_of("crowd", spec, "crowd"))]))


def _measure(endpoint: Endpoint, kubeconfig: Path, tenant: Tenant, changes: int) -> Figures:
    return asyncio.run(_change(endpoint, kubeconfig, tenant, changes))


async def _change(endpoint: Endpoint, kubeconfig: Path, tenant: Tenant, changes: int) -> Figures:
    many = tenant.ids[: min(_MANY, tenant.size // 2)]
    took: dict[str, list[float]] = defaultdict(list)
    async with endpoint.wire() as wire, KubeClient(await load_credentials(str(kubeconfig))) as client:
        await _known(wire, tenant.size)
        beside = _Beside(client)
        await beside.create()
        for number in range(changes):
            for name, request in _requests(wire, many, number).items():
                took[name].append(await _timed(request))
            took["bare"].append(await _timed(lambda: beside.put(many)))
    bare_put = Spread.of(took.pop("bare"))
    return Figures(tenant.size, len(many), {name: Spread.of(times) for name, times in took.items()}, bare_put)


def _requests(wire: Wire, many: list[str], number: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """By what they do, in an order after which all are in again."""
    path, name = f"/Groups/{_GROUP}", f"crowd {number}"
    look_up = "/Groups" + query(excludedAttributes="members", filter=f'displayName eq "{name}"')

    def patch(body: object) -> Callable[[], Awaitable[object]]:
        return lambda: wire.call("PATCH", path, 200, body)

    return {
        "remove 1": patch(members_body("remove", many[:1])),
        "add 1": patch(members_body("add", many[:1])),
        f"remove {len(many)}": patch(members_body("remove", many)),
        f"add {len(many)}": patch(members_body("add", many)),
        "another name": patch(patch_body("replace", {"displayName": name})),
        "GET, all members": lambda: wire.ask("GET", path),
        "filter, members excluded": lambda: wire.call("GET", look_up, 200),
    }


async def _timed(request: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await request()
    return time.perf_counter() - began


async def _known(wire: Wire, members: int) -> None:
    """Until the operator's watch has brought it all; 404 or 503 before. All of them must be shown."""
    async with asyncio.timeout(_LONGEST_SECONDS):
        status, answer = await wire.ask("GET", f"/Groups/{_GROUP}")
        while status != 200:
            await asyncio.sleep(0.1)
            status, answer = await wire.ask("GET", f"/Groups/{_GROUP}")
    if (shown := answer.count(b'"value"')) != members:
        raise AssertionError(f"the group of {members} is shown with {shown}")


class _Beside:
    """A group of the kind that nobody watches."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._stored: Object = {}

    async def create(self) -> None:
        """POST."""
        spec = spec_of("bench", _GROUP, {"displayName": "crowd"}, {}, _META)
        self._stored = await self._client.create(bare.GROUPS, object_of("crowd", spec))

    async def put(self, ids: list[str]) -> None:
        """PUT under the known version, with a change."""
        spec = self._stored["spec"]
        meta = {**spec["meta"], "version": spec["meta"]["version"] + 1}
        changed = {**spec, "meta": meta, "pending": {"added": ids}}
        self._stored = await self._client.replace(
            bare.GROUPS, {"metadata": self._stored["metadata"], "spec": changed}
        )
