"""The members of a large group: in parts by the hash of their ids, and what is to come to the parts.

A change makes a new Members that shares all parts but those it touches, so what differs between two of them
is found without a walk over everybody (rule 21: a group may have 50,000 members, and loses one at a time).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from zlib import crc32

# Ids in order.
Part = Mapping[str, None]
# Id -> whether it joins (True) or leaves.
Pending = Mapping[str, bool]
NOBODY: Part = MappingProxyType({})
NOTHING: Pending = MappingProxyType({})


def part_of(member: str, count: int) -> int:
    """Which of so many parts an id belongs to. Stored objects rely on it: never change it."""
    return crc32(member.encode()) % count


def divided(members: Iterable[str], count: int) -> list[dict[str, None]]:
    """Members in parts."""
    parts: list[dict[str, None]] = [{} for _ in range(count)]
    for member in members:
        parts[part_of(member, count)][member] = None
    return parts


def with_pending(part: Part, pending: Pending) -> dict[str, None]:
    """A part after what was to come to it. Doing it again changes nothing."""
    after = dict(part)
    for member, joins in pending.items():
        if joins:
            after[member] = None
        else:
            after.pop(member, None)
    return after


class Members(Mapping[str, None]):
    """Who is in a group. Never changes."""

    __slots__ = ("_size", "parts", "pending")

    def __init__(self, parts: Sequence[Part], pending: Pending = NOTHING) -> None:
        self.parts = tuple(parts)
        self.pending = pending
        self._size: int | None = None

    def __contains__(self, member: object) -> bool:
        if not isinstance(member, str):
            return False
        joins = self.pending.get(member)
        return self._holds(member) if joins is None else joins

    def __getitem__(self, member: str) -> None:
        if member not in self:
            raise KeyError(member)

    def __iter__(self) -> Iterator[str]:
        pending = self.pending
        for part in self.parts:
            yield from (member for member in part if pending.get(member, True)) if pending else part
        yield from (member for member, joins in pending.items() if joins and not self._holds(member))

    def __len__(self) -> int:
        if self._size is None:
            come = sum(joins - self._holds(member) for member, joins in self.pending.items())
            self._size = sum(map(len, self.parts)) + come
        return self._size

    def _holds(self, member: str) -> bool:
        return member in self.parts[part_of(member, len(self.parts))]


def difference(before: Mapping[str, None], after: Mapping[str, None]) -> set[str]:
    """Who is in one of them alone."""
    if before is after:
        return set()
    if not (isinstance(before, Members) and isinstance(after, Members)):
        return set(before).symmetric_difference(after)
    if len(before.parts) != len(after.parts):
        return set(before).symmetric_difference(after)
    candidates = {*before.pending, *after.pending} if before.pending is not after.pending else set()
    for one, other in zip(before.parts, after.parts, strict=True):
        if one is not other:
            candidates |= one.keys() ^ other.keys()
    return {member for member in candidates if (member in before) != (member in after)}
