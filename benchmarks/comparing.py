"""The requests section: rounds of SCIM and of the bare API server in turns, so that noise hits both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from benchmarks.bare import BareSide
from benchmarks.figures import Comparison, Rate
from benchmarks.load import POPULATION, Job, Outcome, Side, work
from benchmarks.scim import ScimSide

# What makes new objects comes last: their statuses are written for a while afterwards.
OPERATIONS = ("get", "filter", "patch", "create")


@dataclass(frozen=True)
class Plan:
    """seconds: the longest that one round may take; limit: the most requests in it."""

    clients: Sequence[int]
    rounds: int
    seconds: float
    limit: int = 2_000


async def populate(scim: ScimSide, bare: BareSide) -> ScimSide:
    """The users that are read and changed, on both sides. -> the side that knows their ids."""
    async with scim.connected() as requests, bare.connected() as others:
        ids = [await requests.created(number) for number in range(POPULATION)]
        for number in range(POPULATION):
            await others.create(number)
    return replace(scim, ids=tuple(ids))


def compare(
    executor: Executor, scim: ScimSide, bare: BareSide, plan: Plan, say: Callable[[str], None]
) -> list[Comparison]:
    """All operations at all numbers of clients."""
    scim = asyncio.run(populate(scim, bare))
    first = POPULATION
    found: list[Comparison] = []
    for operation in OPERATIONS:
        for clients in plan.clients:
            outcomes: dict[str, list[Outcome]] = {"scim": [], "bare": []}
            sides: list[tuple[str, Side]] = [("scim", scim), ("bare", bare)]
            for _ in range(plan.rounds):
                for name, side in sides:
                    job = Job(side, operation, clients, plan.seconds, plan.limit, first)
                    outcomes[name].append(executor.submit(work, job).result())
                # Numbers never repeat: names of new users, values that change something.
                first += plan.limit + clients
                # Who went first goes second.
                sides.reverse()
            row = Comparison(operation, clients, _rate(outcomes["scim"]), _rate(outcomes["bare"]))
            found.append(row)
            say(f"{operation:7} {clients:3} clients: SCIM {row.scim.per_second:.0f}/s, ratio {row.ratio:.2f}")
    return found


def _rate(outcomes: Sequence[Outcome]) -> Rate:
    took = [seconds for outcome in outcomes for seconds in outcome.took]
    return Rate.of(took, sum(outcome.seconds for outcome in outcomes))
