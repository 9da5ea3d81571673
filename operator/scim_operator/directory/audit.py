"""The audit stream: one line of JSON for each change that took effect, told once that is durable.

A change is begun before its write and done after it. Where the answer was lost nobody knows what became of
it: then whoever reads the object next tells, or the watch. What the process doesn't live to tell isn't told
by another one: at most once, and never what didn't happen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from scim_operator.api.audit import IdentityChange, Line, Mask
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.resources import Resource

# What nobody knows the end of, and who deleted whom; more than that is forgotten.
_MOST_KEPT = 10_000

# Whether an event, and the object that it tells of, show that a change took effect.
Proof = Callable[[str | None, Mapping[str, Any]], bool]
Key = tuple[str, str, str]


class Caller(NamedTuple):
    """Who is asking: the token's Secret and the request's id."""

    token: str
    request: str


CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


class Audit:
    """`now`: RFC 3339 with milliseconds; `write` takes a line, None: nobody wants any; `mask`: what is told
    in place of people's names."""

    def __init__(
        self, now: Callable[[], str], write: Callable[[str], None] | None, mask: Mask | None = None
    ) -> None:
        self._now = now
        self._write = write
        self._mask = mask
        self._begun: dict[Key, tuple[Line, Proof]] = {}
        # SCIM id -> the request that deleted it.
        self._deletions: dict[str, str] = {}

    @property
    def wanted(self) -> bool:
        """Whether anybody takes the lines."""
        return self._write is not None

    def tell(self, line: Line) -> None:
        """Of a change that is durable."""
        if self._write is None:
            return
        told = line.model_copy(update={"time": self._now()})
        if self._mask:
            told = told.masked(self._mask)
        # ASCII alone: whatever somebody is called, it is one line, and nothing to a terminal.
        fields = told.model_dump(by_alias=True, exclude_none=True)
        self._write(json.dumps(fields, separators=(",", ":")))

    def begin(self, key: Key, line: Line, proof: Proof) -> None:
        """A change is about to be written."""
        if isinstance(line, IdentityChange) and line.action == "Deleted" and line.request:
            _keep(self._deletions, line.id, line.request)
        if self.wanted:
            _keep(self._begun, key, (line, proof))

    def done(self, key: Key, **known: Any) -> None:
        """It is durable; `known`: fields that are known by now. Unless the watch was faster."""
        if begun := self._begun.pop(key, None):
            self.tell(begun[0].model_copy(update=known))

    def drop(self, key: Key) -> None:
        """It didn't happen."""
        self._begun.pop(key, None)

    def observe(self, resource: Resource, event: str | None, obj: Mapping[str, Any]) -> None:
        """An object as it is now: a change may be seen in it of which nobody knew. Costs next to nothing."""
        if self._begun and (begun := self._begun.get(key := key_of(resource, obj))) and begun[1](event, obj):
            self.done(key)

    def deletion(self, identifier: str) -> str | None:
        """The request that deleted a user or group."""
        return self._deletions.get(identifier)

    def begin_anew(self) -> None:
        """Another replica has led meanwhile: what is seen now may be its work."""
        self._begun.clear()


def key_of(resource: Resource, obj: Mapping[str, Any]) -> Key:
    """By which a change is found again: users and groups by their SCIM id, shards by their group's."""
    if resource in (USERS, GROUPS, SHARDS):
        spec = obj.get("spec") or {}
        return "identity", "", str(spec.get("id") or spec.get("group"))
    return resource.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _keep(known: dict[Any, Any], key: Any, value: Any) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > _MOST_KEPT:
        del known[next(iter(known))]
