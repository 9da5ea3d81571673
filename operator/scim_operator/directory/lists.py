"""The lists of everybody that bring an index up to date: one at a time, and what the last one tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf


class Lists:
    """Of users, groups and shards. `monotonic`: a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._turn = asyncio.Lock()
        self._asked = asyncio.Event()
        # When the last one began that was taken in whole.
        self._began = -inf

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """While one is made and taken in: what an older one still holds would come back after a newer one."""
        async with self._turn:
            self._asked.clear()
            began = self._monotonic()
            yield
            self._began = began

    def tell_since(self, moment: float) -> bool:
        """Whether the last one tells all that was written before a moment."""
        return self._began >= moment

    def ask(self) -> None:
        """Have one made soon, by whoever feeds the index."""
        self._asked.set()

    async def asked(self, seconds: float) -> bool:
        """Wait until somebody asks for one, no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._asked.wait()
        return False
