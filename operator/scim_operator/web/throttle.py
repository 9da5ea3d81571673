"""How much each directory may ask for: beyond it 429 and when to come again, so that others are answered."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scim_operator.web.metrics import THROTTLED

# So many seconds' worth of requests may come at once.
_BURST = 2.0


@dataclass(frozen=True)
class Rates:
    """What a directory may ask of a replica: requests in a second, and at the same time. Entra sends 25."""

    per_second: int = 1000
    at_once: int = 250


class ThrottledError(Exception):
    """429. `retry_after` in seconds; the message is for the provider's admin."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttle:
    """`monotonic`: a clock in seconds."""

    def __init__(self, rates: Rates, monotonic: Callable[[], float]) -> None:
        self._rates = rates
        self._monotonic = monotonic
        self._under_way: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()
        # When all that a directory has asked would have come, had it kept to the rate (GCRA, ITU-T I.371).
        self._due: dict[str, float] = {}

    @contextmanager
    def room(self, directory: str) -> Iterator[None]:
        """While one of its requests is answered. Raises ThrottledError."""
        self._count(directory)
        with self._one_of(self._under_way, directory):
            yield

    @contextmanager
    def coming(self, directory: str) -> Iterator[None]:
        """While the body of a request comes that another replica will answer. Raises ThrottledError."""
        with self._one_of(self._coming, directory):
            yield

    @contextmanager
    def _one_of(self, counted: Counter[str], directory: str) -> Iterator[None]:
        if counted[directory] >= self._rates.at_once:
            THROTTLED.labels(directory, "concurrent").inc()
            raise ThrottledError(
                f"{self._rates.at_once} requests of this directory are under way (the chart's value"
                " limits.concurrentRequests); nothing was done, send it again",
                retry_after=1,
            )
        counted[directory] += 1
        try:
            yield
        finally:
            counted[directory] -= 1

    def _count(self, directory: str) -> None:
        now = self._monotonic()
        due = max(now, self._due.get(directory, now))
        if due - now > _BURST:
            THROTTLED.labels(directory, "rate").inc()
            raise ThrottledError(
                f"this directory sends more than {self._rates.per_second} requests a second (the chart's"
                " value limits.requestsPerSecond); nothing was done, send it again",
                retry_after=math.ceil(due - now - _BURST),
            )
        self._due[directory] = due + 1 / self._rates.per_second
