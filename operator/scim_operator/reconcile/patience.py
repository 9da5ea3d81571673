"""Waiting for something that comes within milliseconds, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Patience(Generic[K]):
    """`seconds`: for how long each key may wait; afterwards it doesn't, until it had no need to."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._since: dict[K, float] = {}

    def waits(self, key: K, needed: bool) -> bool:
        """True while there is need to wait and it hasn't been for too long. Asked each time anew."""
        if not needed:
            self._since.pop(key, None)
            return False
        now = self._monotonic()
        if now - self._since.setdefault(key, now) < self._seconds:
            return True
        del self._since[key]
        return False
