"""The BulkRequest message (RFC 7644, section 3.7): its operations, and the order their references ask for.

An operation may name by `bulkId:x` what another one makes, before or after it in the list, even in a circle.
Operations run in the order of the list, except that what makes a resource runs before what names it. In a
circle somebody must be first: it is made without what is made only after it, and completed then.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from typing import Any

from scim_operator.scim.attributes import fold
from scim_operator.scim.errors import ScimError, invalid_path, invalid_syntax, invalid_value

MAX_OPERATIONS = 1000
# Bytes; what any request may have.
MAX_PAYLOAD = 10 * 1024 * 1024

RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
METHODS = ("POST", "PUT", "PATCH", "DELETE")

_PREFIX = "bulkId:"
_MAX_DEPTH = 50
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
# Keys that say nothing of what their value is; of PATCH that is the path's to say.
_HOLDERS = frozenset({"value", "operations"})
# What looks like a reference here is one. Elsewhere it may be text: `bulkId: how it works`.
_NAMING = frozenset({"members", "manager"})


@dataclass(frozen=True)
class BulkOperation:
    """As it was sent; `check` says whether it makes sense. `method` is in upper case, `data` is the body that
    a request of its own would have.
    """

    method: str
    path: str
    bulk_id: str
    version: Any
    data: Any

    def check(self) -> None:
        """400 invalidSyntax for what is missing or of another type."""
        if self.method not in METHODS:
            raise invalid_syntax(f"method expects {', '.join(METHODS)}")
        if not self.path:
            raise invalid_syntax("path expects a string such as /Users or /Groups/ID")
        if self.method == "POST" and not self.bulk_id:
            raise invalid_syntax("bulkId is required with POST: it names what is made in the answer")
        if self.method != "DELETE" and not isinstance(self.data, dict):
            raise invalid_syntax(f"data expects an object: the body of the {self.method}")

    def check_names(self, makers: Collection[str]) -> None:
        """400 for a bulkId that no POST of the request has, or that stands where it isn't understood."""
        for attribute, text in _texts(self.data):
            if attribute == "path" and f'"{_PREFIX}' in text:
                raise invalid_path(
                    f"path {text[:100]!r}: a bulkId can't stand in a filter; to take somebody out of a group"
                    ' send {"op": "remove", "path": "members", "value": [{"value": "bulkId:…"}]}'
                )
        unknown = [name for name in self.references if name not in makers]
        owed = {*self._named_by_path, *_owed_in(self.data)} if unknown else set()
        for name in unknown:
            if name in owed:
                raise invalid_value(f"bulkId:{name}: no POST of this request has the bulkId {name!r}")

    @cached_property
    def references(self) -> Sequence[str]:
        """The bulkIds that it names, in order; of those without a POST some may be text."""
        return tuple(dict.fromkeys([*self._named_by_path, *references_in(self.data)]))

    @property
    def _named_by_path(self) -> Sequence[str]:
        return [*references_in([_plain(part) for part in self.path.partition("?")[0].split("/")])]


@dataclass(frozen=True)
class Step:
    """An operation, by its place in the list, and those it names that are made only after it."""

    operation: int
    later: frozenset[str]


def read_bulk(body: Mapping[str, Any]) -> tuple[list[BulkOperation], int | None]:
    """The operations, and after how many errors to stop (None: never).

    400 for a message that is none, or names two resources by one bulkId; 413 for too many operations.
    """
    given = {fold(name): value for name, value in body.items()}
    sent, limit = given.get("operations"), given.get("failonerrors")
    if not isinstance(sent, list) or not sent or not all(isinstance(item, dict) for item in sent):
        raise invalid_syntax("Operations expects a list of objects, at least one")
    if len(sent) > MAX_OPERATIONS:
        raise ScimError(
            413, f"Operations has {len(sent)} operations, expected at most maxOperations ({MAX_OPERATIONS})"
        )
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise invalid_value("failOnErrors expects a whole number from 1")
    operations = [_operation({fold(name): value for name, value in item.items()}) for item in sent]
    seen: set[str] = set()
    for bulk_id in (operation.bulk_id for operation in operations if operation.method == "POST"):
        if bulk_id and bulk_id in seen:
            raise invalid_value(f"bulkId {bulk_id!r} is that of two operations, expected one for each")
        seen.add(bulk_id)
    return operations, limit


def plan(operations: Sequence[BulkOperation]) -> list[Step]:
    """The order in which to carry them out: what names something waits until that is made, all else keeps its
    place (section 3.7: the same stateful result). In a circle one is made without what isn't there yet.
    """
    makers = {item.bulk_id: n for n, item in enumerate(operations) if item.method == "POST" and item.bulk_id}
    order = _Order(operations)
    for number, operation in enumerate(operations):
        named = {makers[name] for name in operation.references if name in makers}
        order.come(number, named)
    order.break_circles()
    return order.steps


class _Order:
    def __init__(self, operations: Sequence[BulkOperation]) -> None:
        self.steps: list[Step] = []
        self._operations = operations
        self._done: set[int] = set()
        # Operation -> what it waits for, and the other way round.
        self._missing: dict[int, set[int]] = {}
        self._waiting: dict[int, list[int]] = defaultdict(list)

    def come(self, number: int, named: set[int]) -> None:
        """The next operation, and those that it names."""
        missing = named - self._done
        if not missing:
            self._run(number)
            return
        self._missing[number] = missing
        for maker in missing:
            self._waiting[maker].append(number)

    def break_circles(self) -> None:
        """Whoever waits now waits for themselves, or for somebody who does."""
        while self._missing:
            number = self._end_of_circle()
            self._run(
                number, frozenset(self._operations[maker].bulk_id for maker in self._missing.pop(number))
            )

    def _run(self, number: int, later: frozenset[str] = frozenset()) -> None:
        ready = [number]
        while ready:
            number = heappop(ready)
            self.steps.append(Step(number, later))
            self._done.add(number)
            later = frozenset()
            for waiting in self._waiting.pop(number, ()):
                missing = self._missing.get(waiting)
                if missing is None:
                    continue
                missing.discard(number)
                if not missing:
                    del self._missing[waiting]
                    heappush(ready, waiting)

    def _end_of_circle(self) -> int:
        way: list[int] = []
        number = min(self._missing)
        while number not in way:
            way.append(number)
            number = min(self._missing[number])
        return way[-1]


def references_in(value: Any) -> Iterator[str]:
    """The bulkIds that a value names, however deep."""
    return (text.removeprefix(_PREFIX) for _, text in _texts(value) if text.startswith(_PREFIX))


def _owed_in(value: Any) -> Iterator[str]:
    """Those that it names where there can be nothing else."""
    for attribute, text in _texts(value):
        name = attribute.partition("[")[0].rpartition(":")[2].partition(".")[0]
        if text.startswith(_PREFIX) and name.lower() in _NAMING:
            yield text.removeprefix(_PREFIX)


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """All texts in a value, each with the attribute that has it: by its key, or by the path of a PATCH."""
    open_values = [("", value)]
    while open_values:
        attribute, item = open_values.pop()
        if isinstance(item, str):
            yield attribute, item
        elif isinstance(item, list):
            open_values += [(attribute, inner) for inner in reversed(item)]
        elif isinstance(item, dict):
            held = next((path for key, path in item.items() if key.lower() == "path"), None)
            own = held if isinstance(held, str) else attribute
            open_values += [
                (own if name in _HOLDERS else name, inner)
                for name, inner in ((key.lower(), inner) for key, inner in reversed(item.items()))
            ]


def resolved(value: Any, ids: Mapping[str, str], depth: int = _MAX_DEPTH) -> Any:
    """The value with ids in place of references to what was made."""
    if isinstance(value, str):
        return ids.get(value.removeprefix(_PREFIX), value) if value.startswith(_PREFIX) else value
    if not isinstance(value, list | dict):
        return value
    if depth == 0:
        raise invalid_value(f"data is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, list):
        return [resolved(item, ids, depth - 1) for item in value]
    return {name: resolved(item, ids, depth - 1) for name, item in value.items()}


def without(data: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """A body without what names these: the elements of a list that do, else the whole attribute."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, list):
            kept[name] = [item for item in value if names.isdisjoint(references_in(item))]
        elif names.isdisjoint(references_in(value)):
            kept[name] = value
    return kept


def what_names(data: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The attributes of a body that name any of these, whole."""
    return {name: value for name, value in data.items() if not names.isdisjoint(references_in(value))}


def _plain(segment: str) -> str:
    """A segment of a path without percent-encoding."""
    encoded = segment.encode("utf-8", "replace")
    return _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), encoded).decode("utf-8", "replace")


def _operation(given: Mapping[str, Any]) -> BulkOperation:
    def text(name: str) -> str:
        value = given.get(name)
        return value if isinstance(value, str) else ""

    return BulkOperation(
        text("method").upper(), text("path"), text("bulkid"), given.get("version"), given.get("data")
    )
