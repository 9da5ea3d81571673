"""Brings to the shards of large groups what is to come to them, and takes away those that belong to nobody.

What it does changes nothing that anybody sees: an intent is in force from the moment it is written into the
ScimGroup. It may stop at any point, and begins again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial

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
# How long what fails is left alone: twice as long each time.
_LONGEST_PAUSE = 300.0
# How long shards of nobody are kept: those of a former set for whoever reads by it; those of an attempt of
# which nothing came until no write of it can be under way; those of a group that vanished for its restoring.
_ORPHAN_SECONDS, _FAILED_SECONDS, _VANISHED_SECONDS = 3600.0, 300.0, 7 * 86400.0
_AT_ONCE = 4
_TRIES = 8


class Settler:
    """`writer` and `turns`: the store's; `monotonic`: a clock in seconds; `now`: RFC 3339 text."""

    def __init__(
        self,
        client: KubeClient,
        index: Index,
        writer: Writer,
        turns: Turns,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], str],
    ) -> None:
        self._client = client
        self._index = index
        self._writer = writer
        self._turns = turns
        self._monotonic = monotonic
        self._now = now
        # Shards of nobody: uid -> since when they are known to be.
        self._orphans: dict[str, float] = {}
        # What failed (a group, None: the sweep) -> how long it is left alone then, and until when.
        self._failed: dict[GroupKey | None, tuple[float, float]] = {}

    async def run(self, due: asyncio.Queue[GroupKey]) -> None:
        """Until cancelled: groups that are `due`, those that failed, and now and then all of them."""
        while True:
            for group in await self._next(due):
                await self.attempt(partial(self.settle, group), group)
            await self.attempt(self.sweep, None)

    async def _next(self, due: asyncio.Queue[GroupKey]) -> set[GroupKey]:
        again = min((until for _, until in self._failed.values()), default=math.inf) - self._monotonic()
        try:
            look_again = _LOOK_AGAIN if self._index.synced else _PAUSE
            async with asyncio.timeout(max(_PAUSE, min(look_again, again))):
                groups = {await due.get()}
        except TimeoutError:
            failed = {group for group in self._failed if group is not None}  # one that is gone fails no more
            return self.unsettled() | failed
        await asyncio.sleep(_PAUSE)
        while not due.empty():
            groups.add(due.get_nowait())
        return groups

    async def attempt(self, work: Callable[[], Awaitable[None]], group: GroupKey | None) -> None:
        """What fails is tried again, ever more seldom. Nothing is lost meanwhile: an intent is in force."""
        pause, until = self._failed.get(group, (_PAUSE, 0.0))
        if self._monotonic() < until:
            return
        try:
            await work()
            self._failed.pop(group, None)
        except Exception as error:
            self._failed[group] = min(2 * pause, _LONGEST_PAUSE), self._monotonic() + pause
            expected = isinstance(error, ApiError)
            extra = {"group": group and group[1], "error": str(error), "again_seconds": pause}
            log.warning("shards couldn't be written", extra=extra, exc_info=None if expected else error)

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
        turns = asyncio.Semaphore(_AT_ONCE)

        async def bring(number: int, part: Pending) -> bool:
            async with turns:
                return await self._bring(group, large, number, part)

        parts: dict[int, dict[str, bool]] = {}
        for member, joins in large.pending.items():
            parts.setdefault(part_of(member, large.count), {})[member] = joins
        brought = await asyncio.gather(*(bring(*item) for item in parts.items()), return_exceptions=True)
        # One that is refused doesn't let the others be written again and again.
        done: dict[str, bool] = {}
        for part, result in zip(parts.values(), brought, strict=True):
            done |= part if result is True else {}
        if done:
            async with self._turns.of(group[1]):
                await self._clear(group, large, done)
        _raise_first(brought)

    async def sweep(self) -> None:
        """Delete shards that belonged to nobody for long enough. Raises ApiError, after all were tried."""
        if not self._index.synced:
            return
        now = self._monotonic()
        orphans = {shard.uid: shard for shard in self._index.shards if self._is_orphan(shard)}
        self._orphans = {uid: self._orphans.get(uid, now) for uid in orphans}
        sets = {(shard.group, shard.generation) for shard in orphans.values()}
        self._writer.failed &= sets
        self._writer.gone &= {group for group, _ in sets}
        tried = []
        for uid, shard in orphans.items():
            if max(now - self._orphans[uid], self._age(shard)) >= self._patience(shard):
                tried.append(await _caught(self._delete(shard)))
        _raise_first(tried)

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
            if record is not None:  # perhaps another operator has brought it, and has written it since
                await self._writer.refresh(record)
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
        """How long a shard of nobody is kept, in seconds."""
        if (shard.group, shard.generation) in self._writer.failed:
            return _FAILED_SECONDS
        vanished = self._record(shard.group) is None and shard.group not in self._writer.gone
        return _VANISHED_SECONDS if vanished else _ORPHAN_SECONDS

    def _age(self, shard: Shard) -> float:
        """For how many seconds a shard is nobody's for sure, whoever looked on: since it was made, and since
        its ScimGroup was written last. 0 when its group isn't there: nobody knows since when.
        """
        record = self._record(shard.group)
        if record is None:
            return 0.0
        own = record.large.meta if record.large else record.meta
        since = max(map(_moment, (shard.metadata.get("creationTimestamp"), own.last_modified)))
        return _moment(self._now()) - since

    def _is_orphan(self, shard: Shard) -> bool:
        record = self._record(shard.group)
        large = record.large if record is not None else None
        return large is None or large.generation != shard.generation or shard.number >= large.count

    async def _delete(self, shard: Shard) -> None:
        async with self._turns.of(shard.group[1]):  # a change may be about to use the set
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


async def _caught(work: Awaitable[None]) -> BaseException | None:
    try:
        await work
    except ApiError as error:
        return error
    return None


def _raise_first(results: Iterable[object]) -> None:
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _moment(text: str | None) -> float:
    """Seconds since 1970 of RFC 3339 text; of none infinitely late."""
    return datetime.fromisoformat(text).timestamp() if text else math.inf
