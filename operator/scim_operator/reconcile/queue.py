"""A queue of keys: each once, one worker at a time per key, failures tried again with growing pauses.

An event for a key that is being worked on makes it due again afterwards, so no change is ever missed and a
thousand changes cost one pass (the work queue of Kubernetes' own controllers, in asyncio).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar

K = TypeVar("K")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 30.0
_MOST_REPEATED = 5
# Every call to the API server ends within 30 s, whether it is there or not.
_STUCK_SECONDS = 120.0
# So many keys become due before the event loop turns to others.
_AT_ONCE = 500


class AgainError(Exception):
    """The cluster moved on between planning and writing: plan again now."""


class _Together(Generic[K]):
    """Keys that become due at one moment, by one timer: 50,000 of these would be all the loop has to do."""

    def __init__(self, keys: Iterable[K], when: float) -> None:
        self.keys = dict.fromkeys(keys)
        self.when = when
        self.timer: asyncio.Handle | None = None

    def discard(self, key: K) -> None:
        """It became due before, or need not become so."""
        del self.keys[key]
        if not self.keys:
            self.cancel()

    def cancel(self) -> None:
        """None of them becomes due any more."""
        if self.timer is not None:
            self.timer.cancel()


class KeyedQueue(Generic[K]):
    """Keys to be worked on, oldest first."""

    def __init__(self) -> None:
        # With the times since which they have been so.
        self._due: dict[K, float] = {}
        self._busy: dict[K, float] = {}
        self._moved = time.monotonic()
        self.retries = 0
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._repeated: dict[K, int] = {}
        self._later: dict[K, _Together[K]] = {}
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._due) + len(self._busy)

    def add(self, key: K) -> None:
        """Make a key due now."""
        if together := self._later.pop(key, None):
            together.discard(key)
        if key in self._busy:
            self._again.add(key)
            return
        if not self._due:
            self._moved = time.monotonic()
        self._due.setdefault(key, time.monotonic())
        self._arrived.set()
        self._idle.clear()

    def add_later(self, key: K, seconds: float) -> None:
        """Make a key due after a while, unless it becomes due before."""
        self.add_all_later([key], seconds)

    def add_all_later(self, keys: Iterable[K], seconds: float) -> None:
        """Make each of these keys due after a while, unless it becomes due before."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        news = [key for key in keys if key not in self._due and not self._comes_by(key, when)]
        if not news:
            return
        together = _Together(news, when)
        for key in together.keys:
            if later := self._later.get(key):
                later.discard(key)
            self._later[key] = together
        together.timer = loop.call_at(when, self._arrive, together)

    def pending(self, key: K) -> bool:
        """True while the work on a key is ahead, under way, or to be tried again."""
        return key in self._due or key in self._busy or key in self._failures

    async def get(self) -> K:
        """The next key; `done` or `failed` must follow."""
        # Where nothing is to be written, work waits for nothing: a sweep's would be done in one go (rule 21).
        await asyncio.sleep(0)
        while not self._due:
            self._arrived.clear()
            await self._arrived.wait()
        key = next(iter(self._due))
        del self._due[key]
        self._moved = self._busy[key] = time.monotonic()
        return key

    def done(self, key: K) -> None:
        """The work on a key is finished."""
        self._failures.pop(key, None)
        self._repeated.pop(key, None)
        self._release(key)

    def again(self, key: K) -> None:
        """What was found has changed meanwhile: due again at once, unless that goes on and on."""
        self._repeated[key] = self._repeated.get(key, 0) + 1
        if self._repeated[key] > _MOST_REPEATED:
            self.failed(key)
            return
        self._again.add(key)
        self._release(key)

    def failures(self, key: K) -> int:
        """How often in a row the work on a key failed."""
        return self._failures.get(key, 0)

    def failed(self, key: K, *, at_least: float = 0.0, at_most: float = _LONGEST_PAUSE) -> float:
        """The work on a key failed; it is due again after a pause. -> the pause in seconds."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        self.retries += 1
        pause = max(at_least, min(_FIRST_PAUSE * 2.0 ** min(count - 1, 20), at_most))
        self._release(key)
        self.add_later(key, pause)
        return pause

    async def idle(self) -> None:
        """Wait until nothing is due and nothing is being worked on."""
        await self._idle.wait()

    @property
    def failing(self) -> int:
        """How many keys failed when they were last worked on."""
        return len(self._failures)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest key has been due; 0 when none is."""
        return time.monotonic() - next(iter(self._due.values())) if self._due else 0.0

    @property
    def stuck_seconds(self) -> float:
        """How long a key has been worked on, or none was taken though some are due: which is longer."""
        since = [*self._busy.values(), *([self._moved] if self._due else [])]
        return time.monotonic() - min(since) if since else 0.0

    def close(self) -> None:
        """Cancel what was to be tried again."""
        for together in self._later.values():
            together.cancel()
        self._later.clear()

    def _comes_by(self, key: K, when: float) -> bool:
        together = self._later.get(key)
        return together is not None and together.when <= when

    def _arrive(self, together: _Together[K]) -> None:
        for key in list(islice(together.keys, _AT_ONCE)):
            self.add(key)
        if together.keys:
            together.timer = asyncio.get_running_loop().call_soon(self._arrive, together)

    def _release(self, key: K) -> None:
        self._busy.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif not self._due and not self._busy:
            self._idle.set()


def stuck(queues: Mapping[str, KeyedQueue[Any]]) -> str | None:
    """Which queues make no progress, in words: something that only a restart mends."""
    slow = {name: queue.stuck_seconds for name, queue in queues.items()}
    found = [f"{name} for {seconds:.0f} s" for name, seconds in slow.items() if seconds > _STUCK_SECONDS]
    return f"no progress in the queue of {', '.join(found)}" if found else None
