"""One writer at a time for each resource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from scim_operator.directory.unavailable import UnavailableError

# So long one change may last before those behind it give up: longer than a client waits.
_PATIENCE_SECONDS = 60.0
# So long a client's request bears with one: behind a call of 6 s that hangs it is answered within about 10 s.
CLIENT_SECONDS = 5.0
# Nobody waits longer, also in a queue that moves on: after a change of leaders many may come for one group.
_LONGEST_SECONDS = 60.0


class _Turn:
    """Of one resource. Who waits gives up when one change lasts too long, not when many come before."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting: dict[asyncio.Timeout, float] = {}

    async def get(self, patience: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(_LONGEST_SECONDS), asyncio.timeout(patience) as limit:
            self._waiting[limit] = patience
            try:
                await self._lock.acquire()
            finally:
                del self._waiting[limit]
        now = asyncio.get_running_loop().time()
        for other, bears in self._waiting.items():
            if not other.expired():
                other.reschedule(now + bears)

    def pass_on(self) -> None:
        """To whoever has waited longest."""
        self._lock.release()


class Turns:
    """SCIM id -> whose turn it is, for as long as somebody has it or waits for it."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, identifier: str, patience: float | None = None) -> AsyncIterator[None]:
        """While a resource is changed. Raises UnavailableError when another change of it takes too long.

        `patience`: how many seconds each of those before may take.
        """
        turn = self._turns.get(identifier)
        if turn is None:
            turn = self._turns[identifier] = _Turn()
        seconds = _PATIENCE_SECONDS if patience is None else patience
        try:
            await turn.get(seconds)
        except TimeoutError:
            said = f"others have been changing the resource for {seconds:.0f} seconds; nothing was done"
            raise UnavailableError(said, retry_after=10) from None
        try:
            yield
        finally:
            turn.pass_on()

    def __len__(self) -> int:
        return len(self._turns)
