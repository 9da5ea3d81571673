"""One writer at a time for each resource."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """SCIM id -> a lock, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, identifier: str) -> asyncio.Lock:
        """To be held while a resource is changed."""
        lock = self._locks.get(identifier)
        if lock is None:
            lock = self._locks[identifier] = asyncio.Lock()
        return lock

    def __len__(self) -> int:
        return len(self._locks)
