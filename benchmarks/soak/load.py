"""So many requests a second by the clock, whatever the answers take; what was answered, and how late.

A request waits only for the answer to the one REST before it: so much may be under way, and what hangs for
longer makes those after it late, which is counted. As a provider does, it repeats what wasn't answered.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field

import orjson

from benchmarks.soak.churn import REST, Churn
from benchmarks.soak.request import Request, identifier
from benchmarks.wire import Wire

# No answer at all, or one that asks to come again: counted, and repeated.
NO_ANSWER = 0
_PASSING = frozenset({NO_ANSWER, 429, 502, 503, 504})
_TRIES, _PAUSE = 60, 1.0
# Sent by so much after its time, a request is late.
_LATE_SECONDS = 1.0
# So many are told word by word.
_MOST_TOLD = 50


@dataclass
class Tally:
    """took: seconds of each answer, `recent` since it was last emptied; odd: what was wrong, in words."""

    sent: int = 0
    late: int = 0
    latest_seconds: float = 0.0
    passing: int = 0
    unexpected: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def tell(self, minute: float, request: Request, status: int, answer: bytes) -> None:
        """Of an answer that isn't the one it should be."""
        if len(self.odd) < _MOST_TOLD:
            self.odd.append(f"{minute:.2f} min: {request.kind} {request.target}: {status} {answer[:300]!r}")


class Load:
    """Sends what a churn plans."""

    def __init__(self, wire: Wire, churn: Churn) -> None:
        self.tally = Tally()
        self._wire = wire
        self._churn = churn
        self._began = time.perf_counter()

    @property
    def minute(self) -> float:
        """Since it began to run."""
        return (time.perf_counter() - self._began) / 60

    async def gather(self) -> None:
        """What is there before it runs. Raises AssertionError."""
        for request in self._churn.gather():
            await self._send(request)
        if self.tally.odd:
            raise AssertionError(self.tally.odd[0])
        self.tally = Tally()

    async def run(self, rate: float, count: int) -> None:
        """So many requests, the first one now."""
        self._began = time.perf_counter()
        under_way: deque[asyncio.Task[None]] = deque()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                await asyncio.sleep(max(0.0, self._began + number / rate - time.perf_counter()))
                if len(under_way) == REST:
                    await under_way.popleft()
                self._started(time.perf_counter() - self._began - number / rate)
                under_way.append(tasks.create_task(self._send(self._churn.next())))

    def _started(self, late: float) -> None:
        self.tally.sent += 1
        self.tally.late += late > _LATE_SECONDS
        self.tally.latest_seconds = max(self.tally.latest_seconds, late)

    async def _send(self, request: Request) -> None:
        """Until it is answered for good."""
        for tries in range(_TRIES):
            status, answer = await self._ask(request)
            if status not in _PASSING:
                return await self._answered(request, status, answer, repeated=tries > 0)
            self.tally.passing += 1
            self.tally.tell(self.minute, request, status, answer)
            await asyncio.sleep(_PAUSE)
        self.tally.unexpected += 1
        return None

    async def _answered(self, request: Request, status: int, answer: bytes, *, repeated: bool) -> None:
        if repeated and request.method == "DELETE" and status == 404:
            return
        if repeated and request.method == "POST" and status == 409:
            await self._send(request.looked_up())
        elif status != request.status or request.holds not in answer:
            self.tally.unexpected += 1
            self.tally.tell(self.minute, request, status, answer)
        elif request.made:
            request.made(identifier(answer))

    async def _ask(self, request: Request) -> tuple[int, bytes]:
        body = b"" if request.body is None else orjson.dumps(request.body)
        sent = time.perf_counter()
        try:
            status, answer = await self._wire.ask(request.method, request.target, body)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            status, answer = NO_ANSWER, repr(error).encode()
        seconds = time.perf_counter() - sent
        self.tally.answers[request.kind, status] += 1
        self.tally.took.append(seconds)
        self.tally.recent.append(seconds)
        return status, answer
