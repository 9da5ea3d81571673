"""What a change of a user or group comes to in the API server: one object, or several in a safe order.

`layout` says which. Every way has one write that decides (rule 7): the ScimUser or ScimGroup itself, or the
one shard. What was written before it is in force for nobody, and swept when nothing came of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim_operator.directory import told
from scim_operator.directory.audit import Audit
from scim_operator.directory.former import late, shards_of
from scim_operator.directory.index import Index
from scim_operator.directory.layout import Delta, Way, merged, shard_count, way
from scim_operator.directory.members import NOTHING, Part, divided, part_of
from scim_operator.directory.records import RESOURCES, Large, Meta, Object, Record, spec_of
from scim_operator.directory.shards import SHARDS, GroupKey, Shard, shard_object, shard_spec
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.scim.schemas import GROUP

_TRIES = 4
# Shards that are written at the same time.
_AT_ONCE = 8
# Members that are looked at before others get their turn (rule 21).
_SLICE = 5_000
_UNKNOWN_KIND = (
    "a group of more than 2,000 members needs the CustomResourceDefinitions scimgroups and "
    "scimgroupshards.scim-operator.io of this release, which the cluster lacks; whoever runs it types: "
    "scim-operator crds apply"
)


@contextlib.contextmanager
def needs_shards(spec: Object) -> Iterator[bool]:
    """Whether a ScimGroup must be stored to the letter: an older CRD would drop its shards, and empty it."""
    try:
        yield "shards" in spec
    except ApiError as error:
        if "shards" in spec and error.status == 400:
            raise UnavailableError(_UNKNOWN_KIND, retry_after=60) from error
        raise


class Writer:
    """`intended` is told of each group that has something to come to its shards."""

    def __init__(
        self, client: KubeClient, index: Index, audit: Audit, intended: Callable[[GroupKey], None]
    ) -> None:
        self._client = client
        self._index = index
        self._audit = audit
        self._intended = intended
        # Generations whose making began and may still be under way in the API server.
        self._begun: dict[GroupKey, int] = {}
        # What nobody knows of whether it was written: SCIM id -> the shard, or "" for the object itself.
        self._unsure: dict[str, set[str]] = {}
        # Groups that the provider deleted: their shards are nobody's.
        self.gone: set[GroupKey] = set()
        # Sets that were made, and nothing came of it as far as anybody knows: (group, generation).
        self.failed: set[tuple[GroupKey, int]] = set()
        # Groups as they were before they got a new set, until the former one was looked at once more.
        self._former: dict[GroupKey, Record] = {}

    def begin_anew(self) -> None:
        """Another operator has written meanwhile, and everything was listed since: what was under way here is
        over, and brought late it would undo what is newer.
        """
        for known in (self._unsure, self.gone, self.failed, self._former):
            known.clear()

    async def write(
        self, record: Record, document: Mapping[str, Any], delta: Delta, meta: Meta, *, document_changes: bool
    ) -> Record | None:
        """The record as written; None when the object had moved on and the index knows its new state."""
        key, proof = told.key(record.id), told.written_by(meta, large=record.large is not None)
        line = told.change(record, document, delta, meta)
        self._audit.begin(key, line, proof)
        written, anew = await self._carry_out(record, document, delta, meta, document_changes)
        if written is None:
            self._audit.drop(key)
            return None
        self._audit.done(key, **told.outcome(line, written))
        return await self._follow((record.directory, record.id)) if anew else written

    async def _carry_out(
        self, record: Record, document: Mapping[str, Any], delta: Delta, meta: Meta, document_changes: bool
    ) -> tuple[Record | None, bool]:
        """-> the record as written, and whether it has another set of shards now"""
        large = record.large
        current, pending = (large.count, large.pending) if large else (0, NOTHING)
        after = len(record.members) + len(delta.joining) - len(delta.leaving)
        chosen = way(
            current=current, members=after, pending=pending, delta=delta, document_changes=document_changes
        )
        # A set that is in force no longer, or a change to come to it: only a write of the ScimGroup tells.
        if chosen is Way.SHARD and record.id in self._unsure:
            chosen = Way.INTENT
        if large is not None and chosen is Way.SHARD:
            return await self._write_shard(record, large, delta, meta), False
        if large is not None and chosen is Way.INTENT:
            return await self._intend(record, large, document, delta, meta), False
        members = await self._alive(record, delta)
        key = (record.directory, record.id)
        made = await self.new_shards(key, members, meta, current)
        spec = spec_of(record.directory, record.id, document, members, meta, made)
        written = None
        try:
            written = await self._replace(record, spec)
        finally:
            if written is None:
                self.give_up(key, made)
        if written is None or large is None:
            return written, False
        self._former[key] = record
        return written, True

    async def new_shards(
        self, group: GroupKey, members: Mapping[str, None], meta: Meta, current: int = 0
    ) -> Large | None:
        """Make a set of shards, in force for nobody yet; None: these members fit into the ScimGroup."""
        count = shard_count(len(members), current)
        if count == 0:
            return None
        parts = await asyncio.to_thread(divided, members, count)
        if (ready := self._ready(group, parts)) is not None:
            return Large(ready, count, NOTHING, meta)
        for _ in range(_TRIES):
            # Versions never repeat, so no ScimGroup of a backup finds a later set under its number.
            taken = (self._begun.get(group, 0), *(of for of, _ in self._index.shards.of(group)))
            generation = max(meta.version, 1 + max(taken))
            self._begun[group] = generation
            large, made = Large(generation, count, NOTHING, meta), False
            try:
                made = await self._make(group, generation, parts, meta)
            finally:
                if not made:
                    self.give_up(group, large)
            if made:
                return large
        raise UnavailableError("the cluster holds members of this group that nobody knows of")

    def give_up(self, group: GroupKey, made: Large | None) -> None:
        """Nothing came of a set, as far as anybody knows: it isn't kept for long."""
        if made is not None:
            self.failed.add((group, made.generation))

    def _ready(self, group: GroupKey, parts: Sequence[Part]) -> int | None:
        """The generation of such a set that is whole, and has these members: the client sends again."""
        shards = self._index.shards.of(group)
        for generation in sorted(generation for of, generation in self.failed if of == group):
            there = [shards.get((generation, number)) for number in range(len(parts))]
            if all(shard and shard.members == part for shard, part in zip(there, parts, strict=True)):
                return generation
        return None

    async def make_sure(self, record: Record) -> None:
        """Read what a write may have changed whose answer was lost. Raises ApiError."""
        await self._follow((record.directory, record.id))
        if record.id not in self._unsure:
            return
        for shard in self._index.shards.of((record.directory, record.id)).values():
            if shard.name in self._unsure[record.id]:
                await self._refresh_shard(shard)
        await self.refresh(record)
        if record.large is None:
            self.is_sure(record)

    async def _follow(self, group: GroupKey) -> Record | None:
        """Bring to a group what another operator wrote into its former shards. -> it. Raises ApiError."""
        former = self._former.get(group)
        if former is not None:
            turns = asyncio.Semaphore(_AT_ONCE)

            async def read(shard: Shard) -> None:
                async with turns:
                    await self._refresh_shard(shard)

            await asyncio.gather(*map(read, shards_of(former, self._index.shards.of(group).values())))
        for _ in range(_TRIES):
            record = self._index.get(group[0], GROUP.name, group[1])
            if former is None or record is None or not record.is_whole:
                return record
            delta, meta = late(former, self._index.shards.of(group).values(), record)
            if not delta or await self.write(record, record.document, delta, meta, document_changes=False):
                break
        else:
            raise ApiError(409, "Conflict", f"group {group[1]} is being changed by others")
        self._former.pop(group, None)
        return self._index.get(group[0], GROUP.name, group[1])

    def is_sure(self, record: Record) -> None:
        """It was read or written whole."""
        self._unsure.pop(record.id, None)

    def deleted(self, record: Record) -> None:
        """By the provider: nothing of it is waited for, but its event."""
        self._index.forget(record)
        key = (record.directory, record.id)
        self.is_sure(record)
        self._former.pop(key, None)
        if record.large is not None:
            self.gone.add(key)

    def _doubt(self, error: ApiError, identifier: str, name: str) -> None:
        """It may have been written all the same."""
        if error.unavailable:
            self._unsure.setdefault(identifier, set()).add(name)

    async def _make(self, group: GroupKey, generation: int, parts: Sequence[Part], meta: Meta) -> bool:
        """False when some of it was there already: left by an attempt of which nobody knows the end."""
        own = replace(meta, created="", version=0, request=None)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def make(number: int, part: Part) -> None:
            body = shard_object(shard_spec(group, generation, number, len(parts), part, own))
            async with turns:
                self._index.written_shard(await self._create_shard(body))

        made = await asyncio.gather(*map(make, range(len(parts)), parts), return_exceptions=True)
        failed = [result for result in made if isinstance(result, BaseException)]
        for error in failed:
            if not (isinstance(error, ApiError) and error.already_exists):
                raise error
        return not failed

    async def rewrite_shard(self, shard: Shard, members: Iterable[str], meta: Meta) -> bool:
        """Write a shard; False when it had moved on, or is gone, and the index knows."""
        spec = shard_spec(shard.group, shard.generation, shard.number, shard.count, members, meta)
        metadata = {**shard.metadata, "resourceVersion": str(shard.resource_version)}
        try:
            written = await self._client.replace(SHARDS, {"metadata": metadata, "spec": spec})
            self._index.written_shard(written)
            return True
        except ApiError as error:
            if not (error.conflict or error.not_found):
                self._doubt(error, shard.group[1], shard.name)
                raise
        await self._refresh_shard(shard)
        return False

    async def _refresh_shard(self, shard: Shard) -> None:
        try:
            found = await self._client.get(SHARDS, shard.name)
        except ApiError as error:
            if not error.not_found:
                raise
            self._index.evict_shard(shard.name, shard.uid)
        else:
            self._audit.observe(SHARDS, None, found)
            self._index.put_shard(found)

    async def settled(self, record: Record, pending: Mapping[str, bool]) -> Record | None:
        """Write that of what was to come to the shards only this is left. It changes nothing for anybody."""
        large = record.large
        if large is None:
            return record
        left = replace(large, pending=pending)
        spec = spec_of(record.directory, record.id, record.document, {}, large.meta, left)
        return await self._replace(record, spec)

    async def refresh(self, record: Record) -> None:
        """Read an object again that isn't as it was thought to be."""
        resource = RESOURCES[record.type]
        try:
            found = await self._client.get(resource, record.name)
        except ApiError as error:
            if not error.not_found:
                raise
            self._index.forget(record)
        else:
            self._audit.observe(resource, None, found)
            self._index.put(found)

    # --- the ways ------------------------------------------------------------------------------------------

    async def _write_shard(self, record: Record, large: Large, delta: Delta, meta: Meta) -> Record | None:
        key = (record.directory, record.id)
        number = part_of(next(iter(delta.ids)), large.count)
        shard = self._index.shards.of(key).get((large.generation, number))
        if shard is None:
            return None
        leaving = set(delta.leaving)
        members = [
            member
            for member in shard.members
            if member not in leaving and self._index.member(record.directory, member)
        ]
        own = replace(meta, created="", version=shard.meta.version + 1)
        if await self.rewrite_shard(shard, [*members, *delta.joining], own):
            return await self._in_force(record, large)
        return None

    async def _in_force(self, record: Record, large: Large) -> Record | None:
        """A group after a shard of it was written; None when another operator has made a new set, or has
        something to come to this one, which it decided without this change.
        """
        try:
            await self.refresh(record)
        except ApiError:
            self._unsure.setdefault(record.id, set()).add("")
            raise
        now = self._index.get(record.directory, record.type, record.id)
        found = now.large if now is not None else None
        same = found is not None and (found.generation, found.pending) == (large.generation, large.pending)
        return now if same else None

    async def _intend(
        self, record: Record, large: Large, document: Mapping[str, Any], delta: Delta, meta: Meta
    ) -> Record | None:
        own = replace(meta, version=large.meta.version + 1)
        intent = replace(large, pending=merged(large.pending, delta))
        spec = spec_of(record.directory, record.id, document, {}, own, intent)
        written = await self._replace(record, spec)
        if written is not None and intent.pending:
            self._intended((record.directory, record.id))
        return written

    async def _replace(self, record: Record, spec: Object) -> Record | None:
        """PUT of the ScimUser or ScimGroup, again if somebody changed nothing of its spec in between."""
        known = record
        for _ in range(_TRIES):
            metadata = {**known.metadata, "resourceVersion": str(known.resource_version)}
            resource = RESOURCES[record.type]
            try:
                with needs_shards(spec) as strict:
                    body = {"metadata": metadata, "spec": spec}
                    written = await self._client.replace(resource, body, strict=strict)
                self.is_sure(record)
                return self.known(written)
            except ApiError as error:
                if not (error.conflict or error.not_found):
                    self._doubt(error, record.id, "")
                    raise
            await self.refresh(known)
            fresh = self._index.get(record.directory, record.type, record.id)
            if fresh is None or _content(fresh) != _content(record):
                return None
            known = fresh
        return None

    def known(self, written: Object) -> Record:
        """The record that the index has of what was just written."""
        record = self._index.written(written)
        if record is None:
            raise UnavailableError("the resource was deleted while it was written")
        return record

    async def _create_shard(self, body: Object) -> Object:
        try:
            return await self._client.create(SHARDS, body)
        except ApiError as error:
            if error.not_found:
                raise UnavailableError(_UNKNOWN_KIND, retry_after=60) from error
            raise

    async def _alive(self, record: Record, delta: Delta) -> dict[str, None]:
        """Who is in it afterwards, without those who don't exist any more."""
        leaving = set(delta.leaving)
        alive: dict[str, None] = {}
        for number, member in enumerate((*record.members, *delta.joining), 1):
            if member not in leaving and self._index.member(record.directory, member):
                alive[member] = None
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return alive


def _content(record: Record) -> tuple[str, int, Meta]:
    """Moves with all but a status and annotations."""
    return record.uid, record.generation, record.meta
