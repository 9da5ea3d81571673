"""f. Restarts: until the first answer, until all is bound as it should be; and what the directory weighs."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.goals import Goal
from benchmarks.loader import bindings
from benchmarks.scim import Endpoint
from benchmarks.stage import Stage
from benchmarks.tenant import Tenant
from benchmarks.usage import age, memory
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials

_LONGEST_SECONDS, _PAUSE = 300.0, 0.02


@dataclass(frozen=True)
class Restart:
    """Seconds since the process was started: until the first request was answered 200, until every place was
    looked at and bound. memory: MiB then, and the most until then. index: Python's memory for a user, the
    groups included.
    """

    users: int
    groups: int
    bindings: int
    answering_seconds: float
    converged_seconds: float
    memory_mib: float
    most_memory_mib: float
    index_bytes_per_user: int


@dataclass(frozen=True)
class Figures:
    """By users."""

    letter: ClassVar[str] = "f"
    title: ClassVar[str] = "Restart, and memory"
    restarts: Sequence[Restart]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"{'users':>8}{'groups':>8}{'bindings':>10}{'answers after s':>17}{'converged after s':>19}"
            f"{'memory MiB':>12}{'at most':>9}{'index B/user':>14}",
            *(
                f"{one.users:8}{one.groups:8}{one.bindings:10}{one.answering_seconds:17.2f}"
                f"{one.converged_seconds:19.2f}{one.memory_mib:12.0f}{one.most_memory_mib:9.0f}"
                f"{one.index_bytes_per_user:14}"
                for one in self.restarts
            ),
        ]

    def goals(self) -> list[Goal]:
        """Of 10,000 and 50,000 users; memory: the most that it ever was, since that is what a limit ends."""
        found: list[Goal] = []
        for one in self.restarts:
            if one.users == 10_000:
                found.append(Goal("10,000 users: answering after", one.answering_seconds, 5, " s"))
                found.append(Goal("10,000 users: memory at most", one.most_memory_mib, 300e6 / 2**20, " MiB"))
            if one.users == 50_000:
                found.append(Goal("50,000 users: memory at most", one.most_memory_mib, 1e9 / 2**20, " MiB"))
        return found

    def chart(self) -> Chart:
        """Seconds and memory."""
        labels = [f"{one.users:,}" for one in self.restarts]
        seconds = [
            Series("answers", [one.answering_seconds for one in self.restarts]),
            Series("converged", [one.converged_seconds for one in self.restarts]),
        ]
        held = [
            Series("converged", [one.memory_mib for one in self.restarts]),
            Series("at most", [one.most_memory_mib for one in self.restarts]),
        ]
        weight = [Series("index", [one.index_bytes_per_user for one in self.restarts])]
        return Chart(
            self.title,
            [
                Panel("after a start, by users", "s", labels, seconds, "bars"),
                Panel("memory, by users", "MiB", labels, held, "bars"),
                Panel("index for a user, by users", "bytes", labels, weight, "bars"),
            ],
        )


def measure(stage: Stage, tenant: Tenant) -> Restart:
    """An orderly end, then a start."""
    count = bindings(stage, tenant)
    operator = stage.operator
    if not operator.terminate():
        raise AssertionError("the operator didn't end by itself")
    operator.start()
    pid = operator.pid
    _until(lambda: _answers(stage.endpoint), "no answer")
    answering = age(pid)
    _until(lambda: _is_converged(stage, count), "bindings aren't in place")
    converged = age(pid)
    now, most = memory(pid)
    return Restart(
        tenant.size,
        len(tenant.groups),
        count,
        round(answering, 2),
        round(converged, 2),
        now,
        most,
        round(stage.away(_weight, stage.cluster.kubeconfig) / tenant.size),
    )


def _until(true: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} {_LONGEST_SECONDS:.0f} s after a start")
        time.sleep(_PAUSE)


def _answers(endpoint: Endpoint) -> bool:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    request = urllib.request.Request(f"{endpoint.url}/Users?count=1", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _is_converged(stage: Stage, count: int) -> bool:
    """Every place was worked on: it is then that its bindings count."""
    counters = stage.counters()
    return counters.is_settled and counters.total("scim_operator_bindings") == count


def _weight(kubeconfig: Path) -> int:
    """Bytes of an index over all users and groups as the API server lists them."""
    return asyncio.run(_weigh(kubeconfig))


async def _weigh(kubeconfig: Path) -> int:
    async with KubeClient(await load_credentials(str(kubeconfig))) as client:
        gc.collect()
        tracemalloc.start()
        try:
            index = Index(time.monotonic)
            for name, resource in (("User", USERS), ("Group", GROUPS)):
                listing = await client.list(resource)
                present = {item["metadata"]["uid"] for item in listing.items}
                while listing.items:
                    index.put_listed({"kind": resource.kind, **listing.items.pop()})
                index.complete(name, present, listing.resource_version)
                del listing, present
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
