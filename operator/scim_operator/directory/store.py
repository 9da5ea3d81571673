"""The write-through store: a change is durable in the API server, then in the index, then answered.

Rules 1-5: whole or not at all; serialised per resource; deltas under resourceVersion, a Kubernetes conflict
is retried on fresh data; no effect, no write; unique names decided in memory, with the deterministic object
name as the net below.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from scim_operator.api.directory import attribute_of
from scim_operator.directory.audit import Audit
from scim_operator.directory.directories import Directories
from scim_operator.directory.ignored import tell_ignored
from scim_operator.directory.index import Index
from scim_operator.directory.keys import Key, folded, indexed
from scim_operator.directory.layout import Delta, delta_of
from scim_operator.directory.limits import Limits
from scim_operator.directory.objects import KEY_ATTRIBUTES, Objects
from scim_operator.directory.persistence import persistently
from scim_operator.directory.records import RESOURCES, Meta, Record, spec_of
from scim_operator.directory.refusals import api_errors, taken
from scim_operator.directory.shards import GroupKey, raise_if_broken
from scim_operator.directory.turns import CLIENT_SECONDS, Turns
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.directory.unhurried import is_long, unhurried
from scim_operator.directory.writer import Writer
from scim_operator.kube.client import KubeClient
from scim_operator.kube.metrics import SKIPPED
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import ScimError, invalid_value, not_found
from scim_operator.scim.normalise import normalise
from scim_operator.scim.patch import Changed, patch
from scim_operator.scim.schemas import USER
from scim_operator.scim.versions import ALWAYS, Conditions

_TRIES = 8
# Members that are looked up before others get their turn (rule 21).
_SLICE = 5_000
_BUSY = UnavailableError("the resource is being changed by others at the same time")


class Store:
    """Creates, changes and deletes users and groups.

    `now`: RFC 3339 text; `new_id`: a random UUID; `intended` is told of each group that has something to come
    to its shards.

    Raises ScimError for what the provider must mend, UnavailableError for what it may send again.
    """

    def __init__(
        self,
        client: KubeClient,
        index: Index,
        directories: Directories,
        *,
        now: Callable[[], str],
        new_id: Callable[[], str],
        audit: Audit,
        intended: Callable[[GroupKey], None] = lambda group: None,
    ) -> None:
        self.index = index
        self._directories = directories
        self._now = now
        self._new_id = new_id
        self._claims: set[Key] = set()
        self._limits = Limits(directories, index)
        self.turns = Turns()
        self.writer = Writer(client, index, audit, intended)
        self._objects = Objects(client, index, directories, self.writer, audit)

    async def create(
        self,
        directory: str,
        resource_type: ResourceType,
        body: Mapping[str, Any],
        request: str,
        created_by: str | None = None,
    ) -> Record:
        """POST (RFC 7644 section 3.3). 409 uniqueness when the name is taken.

        Unless this very request made it before (rule 19): its client heard no answer. `created_by` names the
        POST among several of a request.
        """
        made = await unhurried(is_long(body), lambda: normalise(resource_type, body))
        by = created_by or request
        record = await persistently(lambda _: self._create(directory, resource_type, made, request, by))
        tell_ignored(directory, made.dropped, request)
        return record

    async def _create(
        self, directory: str, resource_type: ResourceType, made: Changed, request: str, created_by: str
    ) -> Record:
        if before := self._made_before(directory, resource_type, made.document, created_by):
            return before
        members = made.members.apply({})
        await self._refuse_strangers(directory, members)
        now = self._now()
        meta = Meta(now, now, 1, request, created_by)
        identifier = self._new_id()
        claim = self._claim(directory, resource_type, made.document)
        with claim, self._limits.room(directory, resource_type), api_errors(resource_type):
            self._limits.check(directory, made.document, len(members))
            large = await self.writer.new_shards((directory, identifier), members, meta)
            spec = spec_of(directory, identifier, made.document, members, meta, large)
            record = None
            try:
                record = await self._objects.create(directory, resource_type, made.document, members, spec)
            finally:
                if record is None or record.id != identifier:
                    self.writer.give_up((directory, identifier), large)
        return record

    async def patch(
        self,
        directory: str,
        resource_type: ResourceType,
        identifier: str,
        body: Mapping[str, Any],
        request: str,
        conditions: Conditions = ALWAYS,
        *,
        repeated: bool = False,
    ) -> Record:
        """PATCH (RFC 7644 section 3.5.2). `repeated`: its own earlier try excuses the version."""
        return await self._change(
            directory,
            resource_type,
            identifier,
            lambda record: patch(resource_type, record.document, body),
            request,
            conditions,
            long=is_long(body),
            repeated=repeated,
        )

    async def replace(
        self,
        directory: str,
        resource_type: ResourceType,
        identifier: str,
        body: Mapping[str, Any],
        request: str,
        conditions: Conditions = ALWAYS,
        *,
        repeated: bool = False,
    ) -> Record:
        """PUT (RFC 7644 section 3.5.1); 404 for an unknown id: nothing is ever made by it."""
        return await self._change(
            directory,
            resource_type,
            identifier,
            lambda record: normalise(resource_type, body, record.document),
            request,
            conditions,
            long=is_long(body),
            repeated=repeated,
        )

    async def delete(
        self,
        directory: str,
        resource_type: ResourceType,
        identifier: str,
        conditions: Conditions = ALWAYS,
    ) -> None:
        """DELETE (RFC 7644 section 3.6). Memberships go with the groups' next writes."""

        def wanted(record: Record) -> None:
            conditions.check(record.version)
            self.index.leaves_by_request(record)

        await self._remove(directory, resource_type, identifier, wanted)

    async def take_back(self, directory: str, resource_type: ResourceType, identifier: str) -> None:
        """Delete what was made in vain: the provider has deleted nobody."""
        await self._remove(directory, resource_type, identifier, lambda record: None)

    # --- writing -------------------------------------------------------------------------------------------

    async def _remove(
        self,
        directory: str,
        resource_type: ResourceType,
        identifier: str,
        wanted: Callable[[Record], None],
    ) -> None:
        async def attempt(again: bool) -> None:
            async with self.turns.of(identifier, CLIENT_SECONDS):
                for _ in range(_TRIES):
                    if again and self.index.get(directory, resource_type.name, identifier) is None:
                        return  # by the call whose answer was lost
                    record = self._existing(directory, resource_type, identifier)
                    wanted(record)
                    with api_errors(resource_type):
                        if await self._objects.delete(record):
                            return
            raise _BUSY

        await persistently(attempt)

    async def _change(
        self,
        directory: str,
        resource_type: ResourceType,
        identifier: str,
        changed: Callable[[Record], Changed],
        request: str,
        conditions: Conditions,
        *,
        long: bool,
        repeated: bool,
    ) -> Record:
        """Apply a change to what is true now. Without effect nothing is written, the record is as before."""

        def understood(record: Record) -> tuple[Changed, Delta]:
            change = changed(record)
            return change, delta_of(change.members, record.members)

        async def attempt(again: bool) -> tuple[Record, Sequence[str]]:
            async with self.turns.of(identifier, CLIENT_SECONDS):
                return await turn(again)

        async def turn(again: bool) -> tuple[Record, Sequence[str]]:
            for _ in range(_TRIES):
                with api_errors(resource_type):
                    await self.writer.make_sure(self._existing(directory, resource_type, identifier))
                record = self._existing(directory, resource_type, identifier)
                raise_if_broken(record)
                # By a try without an answer; applied all the same, as clients give several requests one id.
                if not (done := (repeated or again) and record.meta.request == request):
                    conditions.check(record.version)
                try:
                    change, delta = await unhurried(long, partial(understood, record))
                except ScimError as error:
                    if not (done and error.scim_type == "noTarget"):
                        raise
                    return record, ()  # what it was to change isn't so any more
                await self._refuse_strangers(directory, change.members.added)
                same = _same(change.document, record.document)
                if same and not self._differ(record, delta):
                    SKIPPED.labels(RESOURCES[record.type].plural).inc()
                    written: Record | None = record
                else:
                    members = len(record.members) + len(delta.joining) - len(delta.leaving)
                    self._limits.check(directory, change.document, members, record)
                    meta = record.meta.changed(self._now(), request)
                    with (
                        self._claim(directory, resource_type, change.document, held=record),
                        api_errors(resource_type),
                    ):
                        written = await self.writer.write(
                            record, change.document, delta, meta, document_changes=not same
                        )
                if written is not None:
                    return written, change.dropped
            raise _BUSY

        record, dropped = await persistently(attempt)
        tell_ignored(directory, dropped, request)
        return record

    # --- deciding ------------------------------------------------------------------------------------------

    def _existing(self, directory: str, resource_type: ResourceType, identifier: str) -> Record:
        record = self.index.get(directory, resource_type.name, identifier)
        if record is None:
            raise not_found(f"no {resource_type.name} has the id {identifier!r}")
        return record

    def _made_before(
        self, directory: str, resource_type: ResourceType, document: Mapping[str, Any], created_by: str
    ) -> Record | None:
        attribute = KEY_ATTRIBUTES[resource_type.name]
        for holder in self.index.holders(directory, resource_type.name, attribute, str(document[attribute])):
            record = self.index.get(directory, resource_type.name, holder)
            if record is not None and record.meta.created_by == created_by:
                return record
        return None

    def _differ(self, record: Record, delta: Delta) -> bool:
        """Whether anybody who exists joins or leaves. Okta's PUT lacks those deleted since: no change."""
        return any(self.index.member(record.directory, member) for member in delta.ids)

    async def _refuse_strangers(self, directory: str, members: Iterable[str]) -> None:
        for number, member in enumerate(members, 1):
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            if not self.index.member(directory, member):
                raise invalid_value(f"members: no user or group has the id {member!r}")

    @contextlib.contextmanager
    def _claim(
        self,
        directory: str,
        resource_type: ResourceType,
        document: Mapping[str, Any],
        held: Record | None = None,
    ) -> Iterator[None]:
        """Hold the unique values of a document while it is being written.

        What the record held before isn't asked for: two people may share a value since a restore, or since
        the directory names people by another attribute, and a leaver must be disabled all the same.
        """
        unique = self._unique_attributes(directory, resource_type)
        own = (
            {(attribute, folded(attribute, value)) for attribute, value in indexed(held.document)}
            if held
            else set()
        )
        wanted = {
            (directory, resource_type.name, attribute, folded(attribute, value)): value
            for attribute, value in indexed(document)
            if attribute in unique and (attribute, folded(attribute, value)) not in own
        }
        for key, value in wanted.items():
            if key in self._claims or self.index.holders(*key[:3], value):
                raise taken(key[2], value)
        self._claims |= wanted.keys()
        try:
            yield
        finally:
            self._claims -= wanted.keys()

    def _unique_attributes(self, directory: str, resource_type: ResourceType) -> set[str]:
        """The key, and what names a person in bindings: two people must never be one subject (rule 5).

        Not what names a group there. Two groups of one id are the provider's one group, made twice after a
        rename that it doesn't remember; refused, it could never go on. Tokens say who is in it anyway.
        """
        unique = {KEY_ATTRIBUTES[resource_type.name]}
        spec = self._directories.get(directory)
        if spec is not None and resource_type.name == USER.name:
            unique.add(attribute_of(spec.subjects.user))
        return unique


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal as JSON: for Python alone, 1 and true would be one value."""
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
