"""Who leads, as a test says."""

from __future__ import annotations

import asyncio


class Lead:
    """What a replica knows of it: its own term, another that leads, whether anybody may."""

    def __init__(self, *, term: int | None = None, leader: str = "", hopeful: bool = True) -> None:
        self.term, self.leader, self.hopeful = term, leader, hopeful

    async def news(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))

    def knows(self, moment: float) -> bool:
        return True
