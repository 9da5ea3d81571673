"""d. Leavers, one at a time: from the answer to `active=false` until their last binding was written."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Spread, percentile
from benchmarks.goals import Goal
from benchmarks.mirror import watching
from benchmarks.scim import Endpoint, patch_body
from benchmarks.stage import Stage
from benchmarks.tenant import Tenant, name_of

_LONGEST_SECONDS = 60.0
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class Figures:
    """bindings: that a leaver stood in, on average; curve_ms: from the answer, so many leavers at most."""

    letter: ClassVar[str] = "d"
    title: ClassVar[str] = "Leavers: until the last binding was written"
    users: int
    bindings: float
    from_answer: Spread
    from_request: Spread
    curve_ms: dict[str, float]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"{self.from_answer.count} leavers among {self.users} users, each in {self.bindings:.1f} "
            "bindings; until the last of these was written,",
            f"  from the answer   {self.from_answer}",
            f"  from the request  {self.from_request}",
        ]

    def goals(self) -> list[Goal]:
        """A second."""
        return [Goal("leaver, from the answer: p99", self.from_answer.p99_ms, 1000, " ms")]

    def chart(self) -> Chart:
        """How many were out by when."""
        series = [Series("from the answer", list(self.curve_ms.values()))]
        return Chart(
            self.title, [Panel("from the answer, by share", "ms", list(self.curve_ms), series, "bars")]
        )


def measure(stage: Stage, tenant: Tenant, leavers: int) -> tuple[Tenant, Figures]:
    """-> the company without them."""
    return stage.away(_measure, stage.cluster.kubeconfig, stage.endpoint, tenant, leavers)


def _measure(kubeconfig: Path, endpoint: Endpoint, tenant: Tenant, leavers: int) -> tuple[Tenant, Figures]:
    return asyncio.run(_leave(kubeconfig, endpoint, tenant, leavers))


async def _leave(
    kubeconfig: Path, endpoint: Endpoint, tenant: Tenant, leavers: int
) -> tuple[Tenant, Figures]:
    from_request: list[float] = []
    from_answer: list[float] = []
    bindings = 0
    async with watching(kubeconfig, tenant.directory, {}) as mirror, endpoint.wire() as wire:
        for number in tenant.leavers(leavers):
            name, body = name_of(number), patch_body("replace", {"active": False})
            bindings += mirror.holding(name)
            sent = time.perf_counter()
            await wire.call("PATCH", f"/Users/{tenant.ids[number]}", 200, body)
            answered = time.perf_counter()
            out = await mirror.gone(name, _LONGEST_SECONDS)
            # The watch may be faster than the answer.
            from_answer.append(max(0.0, out - answered))
            from_request.append(out - sent)
            tenant.left.add(number)
    curve = {f"{share:.0%}": round(percentile(from_answer, share) * 1000, 1) for share in _SHARES}
    average = round(bindings / len(from_answer), 1)
    return tenant, Figures(tenant.size, average, Spread.of(from_answer), Spread.of(from_request), curve)
