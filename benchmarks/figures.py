"""From measured times to the figures of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values don't exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Spread:
    """Of many times, in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        """Of times in seconds."""
        shares = (percentile(seconds, share) * 1000 for share in (0.5, 0.99, 1.0))
        return cls(len(seconds), *(round(value, 3) for value in shares))

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, max {self.max_ms:.1f} ms"


@dataclass(frozen=True)
class Rate:
    """Requests of one kind at one number of clients.

    cpu_ms: processor time of the operator for each; client_busy: the load client's own share of a core, near
    1 where it is the client that bounds the rate.
    """

    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    client_busy: float

    @classmethod
    def of(cls, took: Sequence[float], seconds: float, cpu: float, client: float) -> Rate:
        """Each request's time; the time in which they all ran; processor seconds of both."""
        spread, count = Spread.of(took), len(took)
        return cls(
            count,
            round(seconds, 3),
            round(count / seconds, 1),
            spread.p50_ms,
            spread.p99_ms,
            round(cpu / count * 1000, 3),
            round(client / seconds, 2),
        )


def ratio(rate: Rate, other: Rate) -> float:
    """Above 1: the first one is faster."""
    return round(rate.per_second / other.per_second, 2)
