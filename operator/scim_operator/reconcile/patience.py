"""Waiting for what comes within milliseconds, or not at all: the event of what SCIM has just written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from scim_operator.reconcile.queue import KeyedQueue

K = TypeVar("K", bound=Hashable)

# How soon the event follows, and for how long it is waited for: a watch may be broken.
_SECONDS, _LONGEST_SECONDS = 0.01, 0.3


class Patience(Generic[K]):
    """Makes keys of a queue due a moment later, instead of now."""

    def __init__(self, queue: KeyedQueue[K], monotonic: Callable[[], float]) -> None:
        self._queue = queue
        self._monotonic = monotonic
        self._since: dict[K, float] = {}

    def waits(self, key: K) -> bool:
        """True for a key that was postponed and whose turn is still to come."""
        return key in self._since

    def postpones(self, key: K, needed: bool) -> bool:
        """True when there is need to wait and it hasn't been for too long; the key is due again soon."""
        if not needed:
            self._since.pop(key, None)
            return False
        now = self._monotonic()
        if now - self._since.setdefault(key, now) < _LONGEST_SECONDS:
            self._queue.add_later(key, _SECONDS)
            return True
        del self._since[key]
        return False
