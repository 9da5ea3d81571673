"""What an hour left behind, in figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Spread
from benchmarks.goals import Goal
from benchmarks.soak.load import Tally
from benchmarks.soak.remains import Remains
from benchmarks.soak.sample import Sample, State

# MiB an hour. A leak of 100 bytes a request would be 8.6 at 25 requests a second.
_GROWTH = 5.0
# How long a key may wait, and how much deeper the queues may be at most in the second half. Every five
# minutes a sweep looks at everything, and people's statuses have a low priority: 2,500 take about a minute.
_OLDEST_SECONDS, _DEEPER = 120.0, 1.5
_LABEL_EVERY = 10
_COLUMNS = 110


@dataclass(frozen=True)
class Figures:
    """samples: from before the first request to after the last; settled: when nothing was due any more;
    answers: by kind of request and status, 0 for none; odd: answers that weren't as they should be.
    """

    letter: ClassVar[str] = "soak"
    title: ClassVar[str] = "People who come, change and go"
    users: int
    groups: int
    rate: float
    minutes: float
    seed: int
    sent: int
    late: int
    latest_seconds: float
    passing: int
    unexpected: int
    answers: Mapping[str, Mapping[int, int]]
    spread: Spread
    odd: Sequence[str]
    samples: Sequence[Sample]
    missed: int
    settled: State
    remains: Remains

    @staticmethod
    def by_kind(tally: Tally) -> dict[str, dict[int, int]]:
        """Answers by kind of request and status."""
        return {
            kind: {status: count for (other, status), count in sorted(tally.answers.items()) if other == kind}
            for kind in sorted({kind for kind, _ in tally.answers})
        }

    @property
    def second_half(self) -> list[Sample]:
        """When all that is kept for a while (a window of the guard, who was deleted) has come and gone."""
        half = [sample for sample in self.samples if sample.minute >= self.minutes / 2]
        return half or list(self.samples[-1:])

    @property
    def growth(self) -> float:
        """Of memory in the second half, MiB an hour."""
        return self.slope(lambda state: state.memory_mib)

    @property
    def wrong(self) -> int:
        """What isn't in the cluster as it should be."""
        return sum(self.remains.missing.values()) + self.remains.wrong

    @property
    def leaked(self) -> int:
        """Objects that nobody wants."""
        return sum(self.remains.leftover.values())

    def slope(self, of: Callable[[State], float]) -> float:
        """Least squares over the second half, an hour; 0 where there is one sample."""
        half = self.second_half
        if len(half) < 2:
            return 0.0
        found = linear_regression([one.minute for one in half], [of(one.state) for one in half])
        return round(found.slope * 60, 2)

    def table(self) -> list[str]:
        """110 columns."""
        first, half, last = (one.state for one in (self.samples[0], self.second_half[0], self.samples[-1]))
        share = (last.processor_seconds - first.processor_seconds) / (self.minutes * 60)
        deepest = _deepest(self._first_half), _deepest(self.second_half)
        return [
            f"{self.users} users, {self.groups} groups; {self.sent} requests in {self.minutes:g} minutes, "
            f"{self.rate:g}/s: {self.spread}",
            *(f"  {kind:32}{_told(counts)}" for kind, counts in self.answers.items()),
            f"{self.late} requests sent more than a second late, at most {self.latest_seconds:.2f} s; "
            f"{self.passing} answers 429, 503 or none, repeated",
            f"memory: {first.memory_mib:.1f} MiB before, {half.memory_mib:.1f} at half time, "
            f"{last.memory_mib:.1f} at the end; second half {self.growth:+.2f} MiB an hour",
            f"processor: {share:.2f} of a core; open files {first.files}, {half.files}, {last.files}; "
            f"threads {first.threads}, {half.threads}, {last.threads}",
            f"keys due: at most {deepest[0]} in the first half, {deepest[1]} in the second, "
            f"{self.settled.depth} at the end; the oldest for {self._oldest:.0f} s",
            f"samples: {len(self.samples)}, missed {self.missed}",
            *(f"  {kind:32}{first.objects[kind]:>8} ->{found:>8}" for kind, found in last.objects.items()),
            *(f"  ! {line}"[:_COLUMNS] for line in (*self.odd, *self.remains.examples)),
        ]

    def goals(self) -> list[Goal]:
        """Flat, no queue that grows, nothing left behind."""
        return [
            Goal("memory, growth in the second half, an hour", self.growth, _GROWTH, " MiB"),
            Goal("open files, growth in the second half, an hour", self.slope(lambda one: one.files), 10),
            Goal("threads, growth in the second half, an hour", self.slope(lambda one: one.threads), 1),
            Goal("oldest key due, at any sample", self._oldest, _OLDEST_SECONDS, " s"),
            Goal("keys due at most, second half beside the first", self._deeper, _DEEPER),
            Goal("keys due, at the end", self.settled.depth, 0),
            Goal("objects that nobody wants", self.leaked, 0),
            Goal("objects missing, places wrong", self.wrong, 0),
            Goal("answers that weren't as expected", self.unexpected, 0),
            Goal("answers 429, 503 or none", self.passing, 0),
            Goal("requests sent more than a second late", self.late, 0),
        ]

    def chart(self) -> Chart:
        """Over the hour."""
        panels = [
            self._panel("memory", "MiB", {"memory": lambda one: one.state.memory_mib}),
            self._panel("keys due", "", {"keys due": lambda one: one.state.depth}),
            self._panel(
                "answers",
                "ms",
                {"p99": lambda one: one.answers.p99_ms, "p50": lambda one: one.answers.p50_ms},
            ),
        ]
        return Chart(f"{self.title}: {self.rate:g} requests a second, by minutes", panels)

    @property
    def _oldest(self) -> float:
        return max(one.state.oldest_seconds for one in self.samples)

    @property
    def _deeper(self) -> float:
        return round(_deepest(self.second_half) / max(1, _deepest(self._first_half)), 2)

    @property
    def _first_half(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.minute < self.minutes / 2]

    def _panel(self, title: str, unit: str, of: Mapping[str, Callable[[Sample], float]]) -> Panel:
        # The first sample is of before the first request.
        samples = self.samples[1:]
        series = [Series(name, [value(one) for one in samples]) for name, value in of.items()]
        return Panel(title, unit, _labels([one.minute for one in samples]), series, "lines")


def _deepest(samples: Sequence[Sample]) -> int:
    return max(one.state.depth for one in samples)


def _labels(minutes: Sequence[float]) -> list[str]:
    """Where a tenth minute begins."""
    tens = [int(minute) // _LABEL_EVERY for minute in minutes]
    before = [0, *tens]
    return [str(ten * _LABEL_EVERY) if ten != last else "" for ten, last in zip(tens, before, strict=False)]


def _told(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{count:>7} x {status or 'no answer'}" for status, count in counts.items())
