"""Who should have been out while the operator was down: out before it says that it is ready."""

from __future__ import annotations

from collections.abc import Iterable

from scim_operator.access.places import Place
from scim_operator.reconcile.queue import KeyedQueue

# So often may it fail before the operator says that it is ready all the same: an API server that refuses one
# binding must not keep every request from being answered.
_TRIED_OFTEN = 6


class Overdue:
    """`queue`: where the places are worked on."""

    def __init__(self, queue: KeyedQueue[Place]) -> None:
        self._queue = queue
        self._places: set[Place] | None = None

    def begin(self, places: Iterable[Place]) -> None:
        """These were found at the start, and are due."""
        self._places = set(places)

    @property
    def left(self) -> int | None:
        """At how many of them somebody may stand still; None: nobody has looked yet."""
        if self._places is None:
            return None
        self._places = {
            place
            for place in self._places
            if self._queue.pending(place) and self._queue.failures(place) < _TRIED_OFTEN
        }
        return len(self._places)
