"""What a client wants to see (RFC 7644, sections 3.4.2 and 3.9): by the URL, or by the body of /.search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.discovery import MAX_RESULTS
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.project import Projection, projection

_DEFAULT_COUNT = 100
_LAST_INDEX = 2**31


@dataclass(frozen=True)
class Query:
    """`start`, `count`: the page, from 1. `filter`: its text; None is everybody, an empty one an error.

    `attributes`, `excluded`: comma lists.
    """

    start: int
    count: int
    filter: str | None
    attributes: str | None
    excluded: str | None

    def projection(self, resource_type: ResourceType) -> Projection:
        """Which attributes to show; 400 invalidValue if both lists are given."""
        return projection(resource_type, self.attributes, self.excluded)


def query_of(parameters: Iterable[tuple[str, Any]]) -> Query:
    """Read parameters; 400 invalidValue for values of another type. Sorting isn't offered, thus ignored.

    Names in any case: Microsoft's collections spell `startindex`, and an overlooked filter would list all.
    """
    given: dict[str, Any] = {}
    for name, value in parameters:
        given.setdefault(name.casefold(), value)
    return Query(
        start=min(_LAST_INDEX, max(1, _integer(given, "startIndex", 1))),
        count=min(MAX_RESULTS, max(0, _integer(given, "count", _DEFAULT_COUNT))),
        filter=_text(given, "filter"),
        attributes=_text(given, "attributes"),
        excluded=_text(given, "excludedAttributes"),
    )


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
