"""In which order a list is: by an attribute, else users before groups and each in the order of creation."""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record, filterable
from scim_operator.directory.unhurried import paced, portions
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.cursors import Place
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.sort import MISSING, SortBy, sort_by

# Resources that are sorted before others get their turn (rule 21): some milliseconds.
_AT_ONCE = 500


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

    async def sorted(self, records: Iterable[Record]) -> Sorted:
        """The resources in this order, in small portions of work."""
        runs = []
        for part in portions(records, _AT_ONCE):
            runs.append(sorted(part, key=self.place))
            await asyncio.sleep(0)
        return Sorted(self, runs)


@dataclass(frozen=True)
class Found:
    """What a list is of, in ascending order as it is."""

    order: Ordering
    records: Sequence[Record]

    def __len__(self) -> int:
        return len(self.records)

    async def page(self, after: Place | None, first: int, count: int) -> tuple[Sequence[Record], bool]:
        """So many from the one at `first`, counted from 0, or behind a place; and whether there are more."""
        if after is not None:
            first = bisect_right(self.records, after, key=self.order.place)
        return self.records[first : first + count], first + count < len(self.records)


@dataclass(frozen=True)
class Sorted:
    """What a list is of, in runs that are ascending; a page is merged of them."""

    order: Ordering
    runs: Sequence[Sequence[Record]]

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    async def page(self, after: Place | None, first: int, count: int) -> tuple[Sequence[Record], bool]:
        """As of `Found`."""
        place, descending = self.order.place, self.order.descending
        runs, end = self.runs, first + count
        if after is not None and descending:
            runs = [run[: bisect_left(run, after, key=place)] for run in runs]
        elif after is not None:
            runs = [run[bisect_right(run, after, key=place) :] for run in runs]
        ways = [reversed(run) for run in runs] if descending else map(iter, runs)
        merged = islice(heapq.merge(*ways, key=place, reverse=descending), end)
        page = [record async for record in paced(merged)][first:]
        return page, end < sum(map(len, runs))


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
