"""Ids in the order of creation, which makes pages of a list stable (RFC 7644, section 3.4.2.4)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence

Age = tuple[str, str]


class Order:
    """Sorted when it is first asked for, and kept so from then on: a start reads everybody in any order.

    `ages`: everybody's (time of creation, id), for that first time.
    """

    def __init__(self, ages: Callable[[], Iterable[Age]]) -> None:
        self._ages = ages
        self._sorted: list[Age] | None = None

    def __call__(self) -> Sequence[Age]:
        """Oldest first."""
        if self._sorted is None:
            self._sorted = sorted(self._ages())
        return self._sorted

    def add(self, age: Age) -> None:
        """Somebody came."""
        if self._sorted is not None:
            insort(self._sorted, age)

    def remove(self, age: Age) -> None:
        """Somebody who was known went."""
        if self._sorted is not None:
            del self._sorted[bisect_left(self._sorted, age)]
