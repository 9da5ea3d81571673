"""The load client: so many clients, each sending the next request when the last was answered.

It runs in a process of its own, so that it shares neither loop nor interpreter with anything it measures.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

# Objects that are read and changed: more than clients, so that no two of these change the same one at once.
POPULATION = 200


class Requests(Protocol):
    """The four operations on users, each by number. They raise when the answer isn't the expected one."""

    async def create(self, number: int) -> None:
        """A new user."""

    async def get(self, number: int) -> None:
        """By id, or by name."""

    async def filter(self, number: int) -> None:
        """By userName; without SCIM the nearest thing, by name."""

    async def patch(self, number: int) -> None:
        """Another displayName."""


class Side(Protocol):
    """One of the two that are compared; picklable, as it goes to the load client's process."""

    def connected(self) -> AbstractAsyncContextManager[Requests]:
        """Connections are open inside, and POPULATION users are known."""


@dataclass(frozen=True)
class Job:
    """One round. It ends after `seconds` or `limit` requests. first: number of the first request."""

    side: Side
    operation: str
    clients: int
    seconds: float
    limit: int
    first: int


@dataclass(frozen=True)
class Outcome:
    """took: seconds of each request; seconds: of the whole round."""

    took: list[float]
    seconds: float


def work(job: Job) -> Outcome:
    """Do one job."""
    return asyncio.run(_work(job))


async def _work(job: Job) -> Outcome:
    async with job.side.connected() as requests:
        # Connections are made before the clock starts.
        await asyncio.gather(*(requests.get(number) for number in range(job.clients)))
        return await _drive(getattr(requests, job.operation), job)


async def _drive(operation: Callable[[int], Awaitable[None]], job: Job) -> Outcome:
    numbers = itertools.count(job.first)
    took: list[float] = []
    began = time.perf_counter()

    async def client() -> None:
        while len(took) < job.limit and time.perf_counter() - began < job.seconds:
            sent = time.perf_counter()
            await operation(next(numbers))
            took.append(time.perf_counter() - sent)

    await asyncio.gather(*(client() for _ in range(job.clients)))
    return Outcome(took, time.perf_counter() - began)
