"""In which order a list is: by an attribute, else users before groups and each in the order of creation."""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, overload

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record, filterable
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.cursors import Place
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.sort import MISSING, SortBy, sort_by

# Resources that are looked at before others get their turn (rule 21): some milliseconds.
_AT_ONCE = 2000

T = TypeVar("T")


@dataclass(frozen=True)
class Ordering:
    """A total order. `keys`: by resource type, None for one that lacks the attribute; empty: unsorted."""

    ranks: Mapping[str, int]
    keys: Mapping[str, SortBy | None]
    descending: bool

    def place(self, record: Record) -> Place:
        """Where a resource stands; no two are at one place."""
        age = (self.ranks[record.type], record.meta.created, record.id)
        if not self.keys:
            return age
        key = self.keys[record.type]
        return (*(MISSING if key is None else key(filterable(record))), *age)

    async def sorted(self, records: Sequence[Record]) -> list[Record]:
        """The resources in ascending order, in small portions of work."""
        runs = []
        for part in _parts(iter(records)):
            runs.append(sorted((self.place(record), record) for record in part))
            await asyncio.sleep(0)
        result: list[Record] = []
        for merged in _parts(heapq.merge(*runs)):
            result += (record for _, record in merged)
            await asyncio.sleep(0)
        return result

    def behind(self, ascending: Sequence[Record], place: Place) -> int:
        """How many of the list come before what follows a place."""
        if self.descending:
            return len(ascending) - bisect_left(ascending, place, key=self.place)
        return bisect_right(ascending, place, key=self.place)

    def page(self, ascending: Sequence[Record], first: int, count: int) -> Sequence[Record]:
        """So many of the list from the one at `first`, counted from 0."""
        if not self.descending:
            return ascending[first : first + count]
        end = max(0, len(ascending) - first)
        return ascending[max(0, end - count) : end][::-1]


def ordering(types: Sequence[ResourceType], attribute: str | None, *, descending: bool) -> Ordering:
    """400 invalidValue for an attribute that none of the types has, or that has no order."""
    ranks = {resource_type.name: rank for rank, resource_type in enumerate(types)}
    if attribute is None:
        return Ordering(ranks, {}, descending=False)
    keys = {resource_type.name: sort_by(resource_type, attribute) for resource_type in types}
    if not any(keys.values()):
        raise invalid_value(f"sortBy: {' or '.join(keys)} has no attribute {attribute!r}")
    return Ordering(ranks, keys, descending)


class Everybody(Sequence[Record]):
    """All resources of some types, unsorted, of which only those are looked up that are asked for."""

    def __init__(self, index: Index, directory: str, types: Sequence[ResourceType]) -> None:
        self._index = index
        self._directory = directory
        self._types = [resource_type.name for resource_type in types]

    def __len__(self) -> int:
        return sum(self._index.count(self._directory, name) for name in self._types)

    @overload
    def __getitem__(self, wanted: int) -> Record: ...
    @overload
    def __getitem__(self, wanted: slice) -> list[Record]: ...
    def __getitem__(self, wanted: int | slice) -> Record | list[Record]:
        if isinstance(wanted, int):
            return self[wanted : wanted + 1][0]
        start, stop, _ = wanted.indices(len(self))
        found: list[Record] = []
        for name in self._types:
            found += self._index.page(self._directory, name, max(0, start), max(0, stop))
            count = self._index.count(self._directory, name)
            start, stop = start - count, stop - count
        return found


def _parts(items: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(items, _AT_ONCE)):
        yield part
