"""What the project wants of a figure, and by how much one falls short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """`value` is to be at most `bound`, or, if `at_least`, at least that. unit: printed as it is."""

    what: str
    value: float
    bound: float
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """The bound itself counts as met."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def verdict(self) -> str:
        """In words."""
        if self.is_met:
            return "met"
        if not self.bound or not self.value:
            return f"short by {abs(self.value - self.bound):g}{self.unit}"
        if self.at_least:
            return f"short by {1 - self.value / self.bound:.0%}"
        return f"{self.value / self.bound:.1f} times as much"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        word = "at_least" if self.at_least else "at_most"
        return {"goal": self.what, "value": self.value, word: self.bound, "unit": self.unit.strip()} | {
            "met": self.is_met
        }


def lines(goals: Sequence[Goal]) -> list[str]:
    """As a table."""
    return [
        f"  {goal.what:58}{goal.value:>10g}{goal.unit:5}"
        f"{'>=' if goal.at_least else '<='}{goal.bound:>7g}{goal.unit:5} {goal.verdict}"
        for goal in goals
    ]
