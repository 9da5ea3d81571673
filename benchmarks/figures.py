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


@dataclass(frozen=True)
class Rate:
    """Requests of one kind at one number of clients."""

    requests: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, took: Sequence[float], seconds: float) -> Rate:
        """Each request's time, and the time in which they all ran."""
        spread = Spread.of(took)
        return cls(len(took), round(seconds, 3), round(len(took) / seconds, 1), spread.p50_ms, spread.p99_ms)


@dataclass(frozen=True)
class Comparison:
    """One row: the same through SCIM and straight to the API server. ratio: SCIM's rate to the bare one."""

    operation: str
    clients: int
    scim: Rate
    bare: Rate

    @property
    def ratio(self) -> float:
        """Above 1: SCIM is faster, since it answers from memory."""
        return round(self.scim.per_second / self.bare.per_second, 2)
