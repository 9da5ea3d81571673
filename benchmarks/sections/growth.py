"""g. Growth: what a user costs, and what a leaver and a restart take, as the company grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.goals import Goal
from benchmarks.sections import cycle, leaving
from benchmarks.sections.restart import Restart

# How much more a user may cost than in the smallest company.
_FLAT = 1.5


@dataclass(frozen=True)
class Stop:
    """One size. ms_per_user: until all were bound, with their share of groups, for those who came since the
    last stop; restart_seconds: until converged; memory_mib: the most.
    """

    users: int
    ms_per_user: float
    converged_seconds: float
    leaver_p50_ms: float
    leaver_p99_ms: float
    restart_seconds: float
    memory_mib: float

    @classmethod
    def of(cls, step: cycle.Step, came: int, left: leaving.Figures, restart: Restart) -> Stop:
        """From what was measured there. came: users since the last size."""
        return cls(
            step.users,
            round((step.seconds + step.converged_seconds) / came * 1000, 2),
            step.converged_seconds,
            left.from_answer.p50_ms,
            left.from_answer.p99_ms,
            restart.converged_seconds,
            restart.most_memory_mib,
        )


@dataclass(frozen=True)
class Figures:
    """By users."""

    letter: ClassVar[str] = "g"
    title: ClassVar[str] = "Growth"
    stops: Sequence[Stop]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"{'users':>8}{'ms for each new one':>21}{'converged s':>13}{'leaver p50 ms':>15}{'p99 ms':>9}"
            f"{'restart s':>11}{'memory MiB':>12}",
            *(
                f"{stop.users:8}{stop.ms_per_user:21.2f}{stop.converged_seconds:13.2f}{stop.leaver_p50_ms:15.0f}"
                f"{stop.leaver_p99_ms:9.0f}{stop.restart_seconds:11.2f}{stop.memory_mib:12.0f}"
                for stop in self.stops
            ),
        ]

    def goals(self) -> list[Goal]:
        """Flat."""
        first = self.stops[0]
        return [
            Goal(
                f"a user's cost at {stop.users} to that at {first.users}",
                round(stop.ms_per_user / first.ms_per_user, 2),
                _FLAT,
            )
            for stop in self.stops[1:]
        ]

    def chart(self) -> Chart:
        """Each column."""
        labels = [f"{stop.users:,}" for stop in self.stops]

        def panel(title: str, unit: str, values: Sequence[float]) -> Panel:
            return Panel(f"{title}, by users", unit, labels, [Series(title, values)], "lines")

        leavers = [
            Series("p50", [stop.leaver_p50_ms for stop in self.stops]),
            Series("p99", [stop.leaver_p99_ms for stop in self.stops]),
        ]
        return Chart(
            self.title,
            [
                panel("a new user", "ms", [stop.ms_per_user for stop in self.stops]),
                Panel("leaver, by users", "ms", labels, leavers, "lines"),
                panel("restart until converged", "s", [stop.restart_seconds for stop in self.stops]),
                panel("memory", "MiB", [stop.memory_mib for stop in self.stops]),
            ],
        )
