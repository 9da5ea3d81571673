"""One writer at a time for each resource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from scim_operator.directory.unavailable import UnavailableError

# So long somebody waits for those before them: longer than a client does.
_WAIT_SECONDS = 60.0
# So long a client's request does: with a call of 6 s that hangs it is answered within about 10 s.
CLIENT_SECONDS = 5.0


class Turns:
    """SCIM id -> a lock, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, identifier: str, at_most: float | None = None) -> AsyncIterator[None]:
        """While a resource is changed. Raises UnavailableError when others are doing so for too long.

        `at_most`: seconds to wait for them.
        """
        seconds = _WAIT_SECONDS if at_most is None else at_most
        lock = self._locks.get(identifier)
        if lock is None:
            lock = self._locks[identifier] = asyncio.Lock()
        try:
            async with asyncio.timeout(seconds):
                await lock.acquire()
        except TimeoutError:
            said = f"others have been changing the resource for {seconds:.0f} seconds; nothing was done"
            raise UnavailableError(said, retry_after=10) from None
        try:
            yield
        finally:
            lock.release()

    def __len__(self) -> int:
        return len(self._locks)
