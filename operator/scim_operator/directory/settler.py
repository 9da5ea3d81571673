"""Brings to the shards of large groups what is to come to them, and takes away those that belong to nobody.

What it does changes nothing that anybody sees: an intent is in force from the moment it is written into the
ScimGroup. It may stop at any point, and begins again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from scim_operator.directory.index import Index
from scim_operator.directory.layout import left_over
from scim_operator.directory.members import Pending, part_of, with_pending
from scim_operator.directory.records import Large, Record
from scim_operator.directory.shards import SHARDS, GroupKey, Shard
from scim_operator.directory.turns import Turns
from scim_operator.directory.writer import Writer
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.scim.schemas import GROUP

log = logging.getLogger(__name__)

# A provider sends what belongs together in several requests: their intents come to the shards at once.
_PAUSE = 1.0
# How often all groups are looked at: for what a failure has left.
_LOOK_AGAIN = 30.0
_ORPHAN_SECONDS, _VANISHED_SECONDS = 3600.0, 7 * 86400.0
_AT_ONCE = 4
_TRIES = 8


class Settler:
    """`writer` and `turns`: the store's; `monotonic`: a clock in seconds."""

    def __init__(
        self, client: KubeClient, index: Index, writer: Writer, turns: Turns, monotonic: Callable[[], float]
    ) -> None:
        self._client = client
        self._index = index
        self._writer = writer
        self._turns = turns
        self._monotonic = monotonic
        # Shards of nobody: uid -> since when they are known to be.
        self._orphans: dict[str, float] = {}
        self._failed: set[GroupKey] = set()

    async def run(self, due: asyncio.Queue[GroupKey]) -> None:
        """Until cancelled: groups that are `due`, those that failed, and now and then all of them."""
        while True:
            for group in await self._next(due):
                await self._try(self.settle(group), group)
            await self._try(self.sweep())

    async def _next(self, due: asyncio.Queue[GroupKey]) -> set[GroupKey]:
        groups, self._failed = self._failed, set()
        try:
            async with asyncio.timeout(_LOOK_AGAIN if self._index.synced and not groups else _PAUSE):
                groups.add(await due.get())
        except TimeoutError:
            return groups | self.unsettled()
        await asyncio.sleep(_PAUSE)
        while not due.empty():
            groups.add(due.get_nowait())
        return groups

    async def _try(self, work: Coroutine[Any, Any, None], group: GroupKey | None = None) -> None:
        """What fails is tried again. Nothing is lost meanwhile: an intent is in force."""
        try:
            await work
        except Exception as error:
            expected = isinstance(error, ApiError)
            extra = {"group": group and group[1], "error": str(error)}
            log.warning("shards couldn't be written", extra=extra, exc_info=None if expected else error)
            self._failed |= {group} if group else set()

    def unsettled(self) -> set[GroupKey]:
        """The groups that have something to come to their shards; none before all are listed."""
        if not self._index.synced:
            return set()
        return {
            (record.directory, record.id)
            for record in self._index.records(GROUP.name)
            if record.large is not None and record.large.pending
        }

    async def settle(self, group: GroupKey) -> None:
        """Bring what is pending now to the shards, then take it out of the ScimGroup. Raises ApiError."""
        record = self._record(group)
        large = record.large if record is not None and record.is_whole else None
        if large is None or not large.pending:
            return
        pending = large.pending
        turns = asyncio.Semaphore(_AT_ONCE)

        async def bring(number: int, part: Pending) -> bool:
            async with turns:
                return await self._bring(group, large, number, part)

        parts: dict[int, dict[str, bool]] = {}
        for member, joins in pending.items():
            parts.setdefault(part_of(member, large.count), {})[member] = joins
        done = await asyncio.gather(*(bring(*item) for item in parts.items()), return_exceptions=True)
        for result in done:
            if isinstance(result, BaseException):
                raise result
        if not all(done):
            return
        async with self._turns.of(group[1]):
            await self._clear(group, large, pending)

    async def sweep(self) -> None:
        """Delete shards that belonged to nobody for an hour. Raises ApiError."""
        if not self._index.synced:
            return
        now = self._monotonic()
        orphans = {shard.uid: shard for shard in self._index.shards if self._is_orphan(shard)}
        self._orphans = {uid: self._orphans.get(uid, now) for uid in orphans}
        for uid, since in self._orphans.items():
            if now - since >= self._patience(orphans[uid]):
                await self._delete(orphans[uid])

    # --- inside --------------------------------------------------------------------------------------------

    def _record(self, group: GroupKey) -> Record | None:
        return self._index.get(group[0], GROUP.name, group[1])

    async def _bring(self, group: GroupKey, large: Large, number: int, pending: Pending) -> bool:
        """Written even when it seems to say so already: of a write whose answer was lost nobody knows yet.

        -> False when the shard is gone: the group is made anew, or broken.
        """
        for _ in range(_TRIES):
            shard = self._index.shards.of(group).get((large.generation, number))
            if shard is None:
                return False
            record = self._record(group)
            now = record.large if record is not None else None
            if now is None or now.generation != large.generation:
                return False
            # What was settled before, of which the answer was lost, has no say about what came after it.
            due = {member: joins for member, joins in pending.items() if now.pending.get(member) is joins}
            if not due:
                return True
            members = with_pending(shard.members, due)
            if await self._writer.rewrite_shard(shard, members, shard.meta):
                return True
        raise ApiError(409, "Conflict", f"shard {number} of group {group[1]} is being changed by others")

    async def _clear(self, group: GroupKey, large: Large, done: Pending) -> None:
        for _ in range(_TRIES):
            record = self._record(group)
            now = record.large if record is not None and record.is_whole else None
            if record is None or now is None or now.generation != large.generation:
                return
            if await self._writer.settled(record, left_over(now.pending, done)) is not None:
                return

    def _patience(self, shard: Shard) -> float:
        """How long a shard of nobody is kept, in seconds. A ScimGroup that vanished may be restored."""
        vanished = self._record(shard.group) is None and shard.group not in self._writer.gone
        return _VANISHED_SECONDS if vanished else _ORPHAN_SECONDS

    def _is_orphan(self, shard: Shard) -> bool:
        record = self._record(shard.group)
        large = record.large if record is not None else None
        return large is None or large.generation != shard.generation or shard.number >= large.count

    async def _delete(self, shard: Shard) -> None:
        if (record := self._record(shard.group)) is not None:
            await self._writer.refresh(record)  # nothing is deleted by what we only believe
            if not self._is_orphan(shard):
                return
        try:
            await self._client.delete(SHARDS, shard.name, uid=shard.uid)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise
        self._index.evict_shard(shard.name, shard.uid)
