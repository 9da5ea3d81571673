"""The load client: so many clients, each sending the next request when the last was answered.

It runs in a process of its own, so that it shares neither loop nor interpreter with anything it measures.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from benchmarks.figures import Rate
from benchmarks.usage import processor_seconds

T = TypeVar("T")

# Users, and groups, that are read and changed: more than clients, so that no two change the same one at once.
POPULATION = 200


class Requests(Protocol):
    """`ask` raises when the answer isn't the expected one."""

    # What `create` made, by whatever `delete` knows it.
    made: list[str]

    async def ask(self, operation: str, number: int) -> None:
        """One request; the number says of whom, and what to change. It never repeats for an operation."""


class Side(Protocol):
    """One of those that are compared; picklable, as it goes to the load client's process."""

    def connected(self, doomed: Sequence[str]) -> AbstractAsyncContextManager[Requests]:
        """Connections are open inside, and POPULATION users and groups are known. doomed: for `delete`."""


@dataclass(frozen=True)
class Job:
    """One round. It ends after `seconds` or `limit` requests. first: number of the first request; server: the
    process whose processor time counts.
    """

    side: Side
    operation: str
    clients: int
    seconds: float
    limit: int
    first: int
    server: int
    doomed: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """took: seconds of each request; seconds: of the whole round; server, client: their processor seconds."""

    took: list[float]
    seconds: float
    server: float
    client: float
    made: list[str]


def work(job: Job) -> Outcome:
    """Do one job."""
    return asyncio.run(_work(job))


def rate(outcomes: Sequence[Outcome]) -> Rate:
    """Of all rounds together."""
    took = [seconds for outcome in outcomes for seconds in outcome.took]
    seconds, server, client = (
        sum(getattr(outcome, name) for outcome in outcomes) for name in ("seconds", "server", "client")
    )
    return Rate.of(took, seconds, server, client)


async def in_parallel(clients: int, work: Callable[[], Awaitable[bool]]) -> None:
    """So many of them at once, each again until it says that there is no more."""

    async def client() -> None:
        while await work():
            pass

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(client())


async def for_each(clients: int, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """All items, so many at once."""
    waiting = iter(items)

    async def one() -> bool:
        for item in waiting:
            await work(item)
            return True
        return False

    await in_parallel(clients, one)


async def _work(job: Job) -> Outcome:
    async with job.side.connected(job.doomed) as requests:
        # Connections are made before the clock starts.
        await asyncio.gather(*(requests.ask("get", number) for number in range(job.clients)))
        numbers = itertools.count(job.first)
        took: list[float] = []

        async def once() -> bool:
            number = next(numbers)
            if number - job.first >= job.limit or time.perf_counter() - began >= job.seconds:
                return False
            sent = time.perf_counter()
            await requests.ask(job.operation, number)
            took.append(time.perf_counter() - sent)
            return True

        server, client = processor_seconds(job.server), time.process_time()
        began = time.perf_counter()
        await in_parallel(job.clients, once)
        seconds = time.perf_counter() - began
        return Outcome(
            took,
            seconds,
            processor_seconds(job.server) - server,
            time.process_time() - client,
            requests.made,
        )
