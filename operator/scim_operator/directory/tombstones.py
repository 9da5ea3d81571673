"""Objects seen deleted: a late event of a watch must not raise the dead."""

from __future__ import annotations

from collections.abc import Callable

_SECONDS = 15 * 60


class Tombstones:
    """Uids, each kept for 15 minutes. `monotonic` is a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since: dict[str, float] = {}

    def __contains__(self, uid: str) -> bool:
        return uid in self._since

    def __len__(self) -> int:
        return len(self._since)

    def bury(self, uid: str) -> None:
        """It never comes back."""
        now = self._monotonic()
        for old in [uid for uid, since in self._since.items() if now - since > _SECONDS]:
            del self._since[old]
        self._since[uid] = now
