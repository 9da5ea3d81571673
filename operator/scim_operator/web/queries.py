"""What a client wants to see (RFC 7644, sections 3.4.2 and 3.9; RFC 9865): by the URL, or by the body of
/.search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.cursors import invalid_count, invalid_cursor
from scim_operator.scim.discovery import DEFAULT_RESULTS, MAX_RESULTS
from scim_operator.scim.errors import ScimError, invalid_value
from scim_operator.scim.project import Projection, projection

_LAST_INDEX = 2**31
_LISTS = frozenset({"attributes", "excludedattributes"})
_SINGLE = {
    name.casefold(): name for name in ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor")
}
_DESCENDING = {"ascending": False, "descending": True}


@dataclass(frozen=True)
class Query:
    """`start`, `count`: the page, from 1; `cursor`: the page in its stead, "" the first, None for none.

    `filter`: its text; None is everybody, an empty one an error. `sort_by`: an attribute; None: in the order
    of creation. `attributes`, `excluded`: comma lists.
    """

    start: int
    count: int
    cursor: str | None
    filter: str | None
    sort_by: str | None
    descending: bool
    attributes: str | None
    excluded: str | None

    def projection(self, resource_type: ResourceType) -> Projection:
        """Which attributes to show; 400 invalidValue if both lists are given."""
        return projection(resource_type, self.attributes, self.excluded)


def query_of(parameters: Iterable[tuple[str, Any]]) -> Query:
    """Read parameters; 400 invalidValue, invalidCursor or invalidCount for what makes no sense.

    Names in any case: Microsoft's collections spell `startindex`, and an overlooked filter would list all.
    """
    given = _given(parameters)
    cursor = given.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise invalid_cursor("cursor expects text: nextCursor of the page before, or an empty one")
    return Query(
        start=min(_LAST_INDEX, max(1, _integer(given, "startIndex", 1))),
        count=min(MAX_RESULTS, max(0, _integer(given, "count", DEFAULT_RESULTS)))
        if cursor is None
        else _count_by_cursor(given),
        cursor=cursor,
        filter=_text(given, "filter"),
        sort_by=_text(given, "sortBy") or None,
        descending=_descending(given),
        attributes=_text(given, "attributes"),
        excluded=_text(given, "excludedAttributes"),
    )


def _given(parameters: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """By folded name. Lists may come in parts; of two values of another parameter one would be overlooked."""
    given: dict[str, Any] = {}
    for name, value in parameters:
        key = name.casefold()
        if key not in given:
            given[key] = value
        elif key in _LISTS:
            given[key] = [*_listed(given[key]), *_listed(value)]
        elif key in _SINGLE and value != given[key]:
            raise invalid_value(f"{_SINGLE[key]} is given twice, expected one value")
    return given


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _count_by_cursor(given: Mapping[str, Any]) -> int:
    """RFC 9865 has an error of its own for it; more than we show is no mistake, `nextCursor` has the rest."""
    if _integer(given, "startIndex", 1) != 1:
        raise invalid_cursor("cursor and startIndex: expected one of them, got both")
    try:
        count = _integer(given, "count", DEFAULT_RESULTS)
    except ScimError as error:
        raise invalid_count(error.detail) from None
    if count < 1:
        raise invalid_count(f"count expects 1 to {MAX_RESULTS} together with a cursor")
    return min(MAX_RESULTS, count)


def _descending(given: Mapping[str, Any]) -> bool:
    order = _text(given, "sortOrder") or "ascending"
    if order.casefold() not in _DESCENDING:
        raise invalid_value("sortOrder expects ascending or descending")
    return _DESCENDING[order.casefold()]


def _integer(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name.casefold())
    if value is None or value == "":
        return default
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise invalid_value(f"{name} must be a whole number")


def _text(given: Mapping[str, Any], name: str) -> str | None:
    """The text; of a list of texts, as a body has it, the comma list."""
    value = given.get(name.casefold())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ",".join(value)
    if value is not None and not isinstance(value, str):
        raise invalid_value(f"{name} must be text")
    return value
