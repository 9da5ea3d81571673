"""From what a client sent to what is stored: one value at a time, by its row in the tables.

Real clients send booleans as words, single values as lists and references as plain strings; each of
these has one meaning and is read as that. Whatever has none is 400 invalidValue. Values themselves stay
as sent, phone numbers and e-mails included: Entra PATCHes again in every cycle what comes back changed.
Nothing here is shared with the input: every dict and list is new.
"""

from __future__ import annotations

from typing import Any

from scim_operator.scim.attributes import Attribute, fold
from scim_operator.scim.errors import invalid_value

MAX_VALUES = 200
# Up to here a float holds every whole number.
_EXACT = 2**53
MAX_DEPTH = 20

_BOOLEANS = {"true": True, "false": False}
# What places a value among others but says nothing by itself.
_PLACING = frozenset({"type", "primary"})

Dropped = dict[str, None]


def is_empty(value: object) -> bool:
    """Whether the value means "unassigned" (RFC 7643 section 2.5); `""` as well, as Entra clears with it."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def read_simple(attribute: Attribute, value: Any, where: str) -> str | bool | None:
    """The one string or boolean, None when it says nothing; 400 invalidValue naming `where`.

    Entra also wraps it: `[{"$ref": null, "value": "False"}]`.
    """
    value = None if is_empty(value) else _single(value, where)
    if isinstance(value, dict):
        value = next((item for name, item in value.items() if fold(name) == "value"), value)
    if is_empty(value):
        return None
    if attribute.type == "boolean":
        return _read_boolean(value, where)
    if not isinstance(value, str):
        raise invalid_value(f"{where} expects a string, got {_kind(value)}")
    return value


def read_elements(attribute: Attribute, value: Any, where: str, dropped: Dropped) -> list[dict[str, Any]]:
    """The elements of a multi-valued attribute, from a list of them or from a single one."""
    sent = value if isinstance(value, list) else [value]
    if len(sent) > MAX_VALUES:
        raise invalid_value(f"{where} has {len(sent)} values, expected at most {MAX_VALUES}")
    elements = [
        _assigned(read_changes(attribute, item, where, dropped)) for item in sent if not is_empty(item)
    ]
    return one_primary([element for element in elements if not is_hollow(element)], ())


def read_changes(attribute: Attribute, value: Any, where: str, dropped: Dropped) -> dict[str, Any]:
    """What a complex value says of its sub-attributes, None for those that it unsets; all are simple.

    Unknown ones are noted in `dropped`; read-only ones are ignored.
    A plain string is the `value` of those that have one: Entra's manager (SCIM-SDK#541), an e-mail.
    """
    value = _single(value, where)
    if isinstance(value, str) and attribute.sub("value") is not None:
        value = {"value": value}
    if not isinstance(value, dict):
        raise invalid_value(f"{where} expects an object, got {_kind(value)}")
    if len(value) > MAX_VALUES:
        raise invalid_value(f"{where} has {len(value)} sub-attributes, expected at most {MAX_VALUES}")
    changes: dict[str, Any] = {}
    for name, item in value.items():
        sub = attribute.sub(name)
        if sub is None:
            dropped[f"{where}.{name}"] = None
        elif sub.spec.mutability != "readOnly":
            changes[sub.name] = read_simple(sub, item, f"{where}.{sub.name}")
    return changes


def is_hollow(element: dict[str, Any]) -> bool:
    """Whether an element of a multi-valued attribute says nothing, such as `{"type": "work"}`."""
    return element.keys() <= _PLACING


def one_primary(elements: list[dict[str, Any]], before: Any) -> list[dict[str, Any]]:
    """The elements with at most one primary (RFC 7643 section 2.4): the last that said so wins.

    Those that were in `before` didn't say it now, so a new primary beats them wherever it stands.
    """
    primaries = [element for element in elements if element.get("primary") is True]
    if len(primaries) < 2:
        return elements
    said_now = [element for element in primaries if not any(element is old for old in before)]
    chosen = (said_now or primaries)[-1]
    return [
        {**element, "primary": False} if element.get("primary") is True and element is not chosen else element
        for element in elements
    ]


def copy_json(value: Any, where: str, depth: int = MAX_DEPTH) -> Any:
    """A deep copy of an undeclared value, kept as it is; 400 if it is nested without measure.

    But for 1.0, which the API server gives back as 1: kept, the same value would be a change every time.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        raise invalid_value(f"{where} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [copy_json(item, where, depth - 1) for item in value]
    return {name: copy_json(item, where, depth - 1) for name, item in value.items()}


def _assigned(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _single(value: Any, where: str) -> Any:
    """The one item of a list (Entra wraps `active` and `manager`)."""
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise invalid_value(f"{where} expects one value, got {len(value)}")
    return value[0]


def _read_boolean(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _BOOLEANS:
        raise invalid_value(f"{where} expects true or false, got {_kind(value)}")
    return _BOOLEANS[word]


def _kind(value: object) -> str:
    """The JSON type of a value; never the value itself, which may be a secret."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "null" if value is None else "an object")
