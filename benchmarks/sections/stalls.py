"""h. The event loop: how late it woke a task that the operator asks to be woken ten times a second.

Beside a load client and an API server that want the same cores, lateness is also that of the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.counters import Counters, longest
from benchmarks.goals import Goal

_MOST_SECONDS = 0.05


@dataclass(frozen=True)
class Lateness:
    """The latest one lay between the two bounds; so many of all were later than 50 ms."""

    samples: int
    later: int
    above_ms: float
    at_most_ms: float

    @classmethod
    def of(cls, counters: Counters) -> Lateness:
        """From what came in during a section. Raises KeyError when the operator doesn't measure it."""
        lag = counters.lag
        samples = lag[math.inf]
        above, most = longest(lag)
        return cls(samples, samples - lag[_MOST_SECONDS], above * 1000, most * 1000)


@dataclass(frozen=True)
class Figures:
    """By section."""

    letter: ClassVar[str] = "h"
    title: ClassVar[str] = "How late the event loop was at most"
    sections: Mapping[str, Lateness]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"  {name:30} {late.above_ms:g} to {late.at_most_ms:g} ms at most; "
            f"{late.later} of {late.samples} times later than 50 ms"
            for name, late in self.sections.items()
        ]

    def goals(self) -> list[Goal]:
        """50 ms."""
        return [
            Goal(f"event loop, {name}: late by at most", late.at_most_ms, _MOST_SECONDS * 1000, " ms")
            for name, late in self.sections.items()
        ]

    def chart(self) -> Chart:
        """The upper bounds."""
        names = list(self.sections)
        series = [Series("at most", [late.at_most_ms for late in self.sections.values()])]
        return Chart(self.title, [Panel("late by at most", "ms", names, series, "bars")])
