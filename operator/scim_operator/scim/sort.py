"""Sorting (RFC 7644, section 3.4.2.3): the value by which a resource stands among others.

Of a multi-valued attribute that is the primary element, else the first; of a complex one its `value`. Text
compares as its attribute does (caseExact) by its first 256 characters, dates by time, false before true. What
has no value comes last when ascending, first when descending.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scim_operator.scim.attributes import Attribute, ResourceType, fold
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.filters import is_stored
from scim_operator.scim.foreign import values_at
from scim_operator.scim.instants import instant
from scim_operator.scim.paths import AttributePath, ForeignPath, resolve

# (1 if there is no value, the kind of value, the value): those of one attribute compare with each other, and
# go through JSON unharmed.
SortKey = tuple[int, int, str | int | float]
SortBy = Callable[[Mapping[str, Any]], SortKey]

MISSING: SortKey = (1, 0, 0)
_NANOSECONDS = 10**9
# Characters by which texts are told apart: a place among them travels in a URL.
LONGEST = 256
_MADE_FOR_ANSWERS = "meta.location"


def sort_by(resource_type: ResourceType, name: str) -> SortBy | None:
    """The key of a document (with id and meta); None if the type has no such attribute.

    400 invalidValue for an attribute that has no order: one that is derived, or not known by one value.
    """
    match resolve(resource_type, name.strip()):
        case AttributePath() as path:
            return _declared(path)
        case ForeignPath(text):
            return lambda document: _undeclared(values_at(document, text))
        case _:
            return None


def _declared(path: AttributePath) -> SortBy:
    attribute, urn, holder = path.attribute, path.urn, path.attribute.name
    sub = path.sub or (attribute.sub("value") if attribute.type == "complex" else None)
    if not is_stored(path) or attribute.spec.keyed or path.name == _MADE_FOR_ANSWERS:
        raise invalid_value(
            f"sortBy: {path.name} can't be sorted by, since it isn't stored with the resource"
        )
    if sub is None and attribute.type == "complex":
        parts = ", ".join(f"{path.name}.{part.name}" for part in attribute.sub_attributes.values())
        raise invalid_value(f"sortBy: {path.name} has no value of its own, expected one of {parts}")
    by = sub or attribute

    def key(document: Mapping[str, Any]) -> SortKey:
        value = (document if urn is None else document.get(urn, {})).get(holder)
        if attribute.multi_valued:
            value = _chosen(value or ())
        if sub is not None and value is not None:
            value = value.get(sub.name)
        return MISSING if value is None else _key(by, value)

    return key


def _chosen(elements: Any) -> Any:
    """The primary one, else the first."""
    first = next(iter(elements), None)
    return next((element for element in elements if element.get("primary") is True), first)


def _key(attribute: Attribute, value: Any) -> SortKey:
    if attribute.type == "boolean":
        return 0, 0, int(value)
    if attribute.type == "dateTime":
        moment = instant(value)
        return MISSING if moment is None else (0, 0, moment[0] * _NANOSECONDS + moment[1])
    return 0, 0, _cut(value if attribute.spec.case_exact else fold(value))


def _undeclared(values: list[Any]) -> SortKey:
    """By what the first value is: booleans, numbers, text; objects have no order."""
    match values[:1]:
        case [bool(value)]:
            return 0, 0, int(value)
        case [int(value)] | [float(value)]:
            return 0, 1, value
        case [str(value)]:
            return 0, 2, _cut(fold(value))
        case _:
            return MISSING


def _cut(text: str) -> str:
    return text[:LONGEST]
