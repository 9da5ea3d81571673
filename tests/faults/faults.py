"""What may befall a call, and whether it does: decided by a seed alone.

| kind | what the client sees |
| --- | --- |
| STATUS | a Kubernetes Status with this code; 429 and 503 with Retry-After |
| RESET | its connection is reset |
| DELAY | the answer comes `seconds` later |
| HANG | nothing, for as long as it waits |
| CUT | a watch that breaks off after `seconds` |
| SILENCE | a watch that stays open and says nothing any more after `seconds` |

With `late`, STATUS, RESET and HANG befall a write after the API server has carried it out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.faults.calls import Call


class Kind(Enum):
    """What happens."""

    STATUS = "status"
    RESET = "reset"
    DELAY = "delay"
    HANG = "hang"
    CUT = "cut"
    SILENCE = "silence"


WATCH_KINDS = frozenset({Kind.CUT, Kind.SILENCE})


def anything(_: Call) -> bool:
    """Every call."""
    return True


@dataclass(frozen=True)
class Fault:
    """`percent` of the calls that `only` means; CUT and SILENCE mean watches alone."""

    kind: Kind
    percent: float = 100.0
    only: Callable[[Call], bool] = anything
    status: int = 503
    seconds: float = 0.0
    late: bool = False

    def means(self, call: Call) -> bool:
        """Whether it may befall that call."""
        return self.only(call) and (call.watch or self.kind not in WATCH_KINDS)


class Fate:
    """Says which fault befalls a call.

    The k-th call of a method and path has the same fate under the same seed and faults, in whatever order
    calls of other paths come between.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: Counter[tuple[str, str]] = Counter()

    def of(self, call: Call, faults: Sequence[Fault]) -> Fault | None:
        """The first fault that befalls it."""
        key = (call.method, call.path)
        self._counts[key] += 1
        for position, fault in enumerate(faults):
            chance = random.Random(f"{self._seed} {position} {key} {self._counts[key]}")
            if fault.means(call) and chance.random() * 100 < fault.percent:
                return fault
        return None
