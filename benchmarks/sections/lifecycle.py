"""b. The 13 steps of a lifecycle, again and again, by several clients at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Spread
from benchmarks.goals import Goal
from benchmarks.load import in_parallel
from benchmarks.scim import Endpoint, group_body, members_body, patch_body, user_body
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.usage import processor_seconds
from benchmarks.wire import Wire, query

_CLIENTS = 8


@dataclass(frozen=True)
class Figures:
    """steps: by name, in order. cpu_ms: processor time of the operator for a request."""

    letter: ClassVar[str] = "b"
    title: ClassVar[str] = "The 13 steps of a lifecycle, 8 clients"
    clients: int
    rounds: int
    per_second: float
    cpu_ms: float
    steps: dict[str, Spread]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"13 steps, {self.rounds} times by {self.clients} clients: {self.per_second:.0f} requests/s, "
            f"{self.cpu_ms:.2f} ms of the operator's processor time each",
            *(f"  {name:14} {spread}" for name, spread in self.steps.items()),
        ]

    def goals(self) -> list[Goal]:
        """None."""
        return []

    def chart(self) -> Chart:
        """Each step."""
        series = [
            Series("p50", [spread.p50_ms for spread in self.steps.values()]),
            Series("p99", [spread.p99_ms for spread in self.steps.values()]),
        ]
        return Chart(self.title, [Panel("time of a step", "ms", list(self.steps), series, "bars")])


def measure(stage: Stage, sizes: Sizes) -> Figures:
    """For so many seconds."""
    return stage.away(_measure, stage.endpoint, stage.operator.pid, sizes.lifecycle)


def _measure(endpoint: Endpoint, operator: int, seconds: float) -> Figures:
    return asyncio.run(_mix(endpoint, operator, seconds))


async def _mix(endpoint: Endpoint, operator: int, seconds: float) -> Figures:
    took: dict[str, list[float]] = defaultdict(list)
    numbers = itertools.count()
    async with endpoint.wire() as wire:
        before, began = processor_seconds(operator), time.perf_counter()

        async def once() -> bool:
            await _Life(wire, took, next(numbers)).live()
            return time.perf_counter() - began < seconds

        await in_parallel(_CLIENTS, once)
        ran, used = time.perf_counter() - began, processor_seconds(operator) - before
    requests = sum(map(len, took.values()))
    steps = {name: Spread.of(times) for name, times in took.items()}
    return Figures(
        _CLIENTS,
        len(took["create user"]),
        round(requests / ran, 1),
        round(used / requests * 1000, 3),
        steps,
    )


class _Life:
    """Of one user and one group."""

    def __init__(self, wire: Wire, took: dict[str, list[float]], number: int) -> None:
        self._wire = wire
        self._took = took
        self._number = number

    async def live(self) -> None:
        """All steps, in order."""
        name = f"mix-{self._number}@bench.example.com"
        body = user_body(name, (1 << 40) + self._number)
        page = query(startIndex="1", count="10")
        user = await self._step("create user", "POST", "/Users", 201, body)
        await self._step("get user", "GET", user, 200)
        await self._step("list users", "GET", f"/Users{page}", 200)
        await self._step("update user", "PATCH", user, 200, patch_body("replace", {"displayName": "Other"}))
        await self._step("replace user", "PUT", user, 200, {**body, "displayName": "Replaced"})
        group = await self._step("create group", "POST", "/Groups", 201, group_body(f"mix-{self._number}"))
        await self._step("get group", "GET", group, 200)
        await self._step("list groups", "GET", f"/Groups{page}", 200)
        renamed = patch_body("replace", {"displayName": f"mixed-{self._number}"})
        await self._step("update group", "PATCH", group, 200, renamed)
        members = [user.rpartition("/")[2]]
        await self._step("add member", "PATCH", group, 200, members_body("add", members))
        await self._step("remove member", "PATCH", group, 200, members_body("remove", members))
        await self._step("delete group", "DELETE", group, 204)
        await self._step("delete user", "DELETE", user, 204)

    async def _step(self, name: str, method: str, target: str, wanted: int, body: object = None) -> str:
        """-> where what was made is."""
        began = time.perf_counter()
        answer = await self._wire.call(method, target, wanted, body)
        self._took[name].append(time.perf_counter() - began)
        return f"{target}/{answer.get('id')}"
