"""a. Requests: rounds of SCIM, the bare API server and a bare handler take turns, so that noise hits all."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks import handler
from benchmarks.bare import BareSide, install
from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Rate, ratio
from benchmarks.goals import Goal
from benchmarks.load import POPULATION, Job, Outcome, Side, rate, work
from benchmarks.scim import ScimSide
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from tests.cluster.build import say

_INDEXED = ("get", "filter userName", "filter externalId", "filter displayName")
_READS = (*_INDEXED, "list of 100")
# What makes new objects comes last: their statuses are written for a while afterwards.
OPERATIONS = (*_READS, "patch user", "patch member", "create", "delete")
_WRITES_WITH_A_GOAL = ("create", "patch user", "patch member")
# Requests of a round at most: a member joins each group once for each of the population.
_MOST = 2_000


@dataclass(frozen=True)
class Row:
    """One operation at one number of clients. handler: of reads; ratio: SCIM's rate to the API server's."""

    operation: str
    clients: int
    scim: Rate
    bare: Rate
    handler: Rate | None
    ratio: float


@dataclass(frozen=True)
class Figures:
    """Of all operations."""

    letter: ClassVar[str] = "a"
    title: ClassVar[str] = "Requests through SCIM, beside the bare API server and a bare aiohttp handler"
    rows: Sequence[Row]

    def table(self) -> list[str]:
        """110 columns."""
        lines = [
            f"{'':26}{'SCIM':>34} {'bare API server':>24} {'bare handler':>14}",
            f"{'operation':19}{'clients':>7}{'requests/s':>11}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms':>7}"
            f" {'requests/s':>10}{'p50':>7}{'p99':>7} {'requests/s':>14}{'ratio':>8}",
        ]
        for row in self.rows:
            scim, other = row.scim, row.bare
            beside = f"{row.handler.per_second:14.0f}" if row.handler else f"{'':14}"
            lines.append(
                f"{row.operation:19}{row.clients:7}{scim.per_second:11.0f}{scim.p50_ms:8.1f}{scim.p99_ms:8.1f}"
                f"{scim.cpu_ms:7.2f} {other.per_second:10.0f}{other.p50_ms:7.1f}{other.p99_ms:7.1f} {beside}"
                f"{row.ratio:8.2f}"
            )
        return lines

    def goals(self) -> list[Goal]:
        """Writes in relation to the API server's, reads as they are."""
        found: list[Goal] = []
        for operation in _WRITES_WITH_A_GOAL:
            for row in self._of(operation):
                name = f"{operation}, {row.clients} clients"
                if row.clients == 1:
                    slower = round(row.scim.p50_ms / row.bare.p50_ms, 2)
                    found.append(Goal(f"{operation}, 1 client: p50 to the bare one's", slower, 1.5))
                else:
                    found.append(Goal(f"{name}: rate to the bare one", row.ratio, 0.7, at_least=True))
        for operation in _INDEXED:
            rows = self._of(operation)
            best = max(row.scim.per_second for row in rows)
            found.append(Goal(f"{operation}: the best rate", best, 5000, "/s", at_least=True))
            found += [
                Goal(f"{operation}, 8 clients: p99", row.scim.p99_ms, 10, " ms")
                for row in rows
                if row.clients == 8
            ]
        return found

    def chart(self) -> Chart:
        """Latency by clients, a panel for each operation."""
        return Chart(self.title, [self._panel(operation) for operation in OPERATIONS])

    def _panel(self, operation: str) -> Panel:
        rows = self._of(operation)
        series = [
            Series("SCIM", [row.scim.p50_ms for row in rows]),
            Series("bare API server", [row.bare.p50_ms for row in rows]),
        ]
        if beside := [row.handler.p50_ms for row in rows if row.handler]:
            series.append(Series("bare handler", beside))
        return Panel(
            f"{operation}: p50 by clients", "ms", [str(row.clients) for row in rows], series, "lines"
        )

    def _of(self, operation: str) -> list[Row]:
        return [row for row in self.rows if row.operation == operation]


def measure(stage: Stage, sizes: Sizes) -> Figures:
    """All operations at all numbers of clients."""
    scim, beside = asyncio.run(_populated(ScimSide(stage.endpoint), BareSide(install(stage.cluster))))
    with handler.running(stage.folder / "handler", asyncio.run(_answers(scim))) as least:
        # The processor time is the operator's also beside the bare API server: what it does meanwhile.
        sides: dict[str, tuple[Side, int]] = {
            "scim": (scim, stage.operator.pid),
            "bare": (beside, stage.operator.pid),
            "handler": (least, least.pid),
        }
        rounds = _Rounds(stage, sides, sizes)
        return Figures(
            [rounds.row(operation, clients) for operation in OPERATIONS for clients in sizes.clients]
        )


async def _populated(scim: ScimSide, beside: BareSide) -> tuple[ScimSide, BareSide]:
    await beside.populate()
    return await scim.populated(), beside


async def _answers(scim: ScimSide) -> dict[str, bytes]:
    """What a read is answered with."""
    async with scim.connected() as requests:
        return {operation: (await requests.read(operation, 0))[1] for operation in _READS}


class _Rounds:
    """Numbers never repeat for an operation: names of new users, values that change something."""

    def __init__(self, stage: Stage, sides: Mapping[str, tuple[Side, int]], sizes: Sizes) -> None:
        self._stage = stage
        self._sides = sides
        self._sizes = sizes
        self._next: Counter[str] = Counter()
        # What was created and not deleted yet.
        self._spare: dict[str, list[str]] = defaultdict(list)
        self._deleting: Counter[str] = Counter()

    def row(self, operation: str, clients: int) -> Row:
        """All rounds of an operation at one number of clients."""
        names = list(self._sides) if operation in _READS else ["scim", "bare"]
        outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
        for _ in range(self._sizes.rounds):
            for name in names:
                outcomes[name].append(self._round(name, operation, clients))
            self._next[operation] += _MOST + clients
            # Who went first goes last.
            names.reverse()
        rates = {name: rate(found) for name, found in outcomes.items()}
        scim, beside = rates["scim"], rates["bare"]
        row = Row(operation, clients, scim, beside, rates.get("handler"), ratio(scim, beside))
        say(f"{operation:19}{clients:3} clients: SCIM {row.scim.per_second:.0f}/s, ratio {row.ratio:.2f}")
        return row

    def _round(self, name: str, operation: str, clients: int) -> Outcome:
        side, server = self._sides[name]
        seconds, first = self._sizes.seconds, POPULATION + self._next[operation]
        doomed = self._doomed(name) if operation == "delete" else []
        limit = len(doomed) or _MOST
        job = Job(side, operation, clients, seconds, limit, first, server, doomed)
        outcome = self._stage.away(work, job)
        self._spare[name] += outcome.made + doomed[: len(doomed) - len(outcome.took)]
        return outcome

    def _doomed(self, name: str) -> list[str]:
        """The share of one round: each takes from the end of what it is given."""
        rounds = len(self._sizes.clients) * self._sizes.rounds - self._deleting[name]
        self._deleting[name] += 1
        spare = self._spare[name]
        share = min(_MOST, -(-len(spare) // rounds))
        self._spare[name] = spare[share:]
        return spare[:share]
