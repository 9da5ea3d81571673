"""Which attributes an answer shows (RFC 7644, section 3.9): decided before anything is built.

Entra asks for groups with `excludedAttributes=members`, and a group may have 50,000 of them: whoever
builds a resource asks `wants` first. `attributes` and `excludedAttributes` never hide what is returned
always (id, schemas) and never show what is returned never (password).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scim_operator.scim.attributes import ResourceType, fold
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.paths import AttributePath, ForeignPath, SchemaPath, resolve

# A tree of folded names; an empty one means the whole of it.
Names = dict[str, "Names"]

# Possessive, and no bracket within: whatever is sent, each character is looked at once.
_BRACKETS = re.compile(r'\[(?:"(?:[^"\\]|\\.)*+"|[^\[\]"])*+\]')
_LONGEST = 8192
# Longer ones aren't worth remembering: what a client makes up would stay in memory.
_LONG = 512


@dataclass(frozen=True)
class Projection:
    """What to show: only `included` (None: everything), less `excluded`; `always` in any case."""

    included: Names | None
    excluded: Names
    always: frozenset[str]
    never: frozenset[str]

    def asks_for(self, name: str, sub: str) -> bool:
        """Whether the sub-attribute was named: what is returned on request isn't shown otherwise."""
        return self.included is not None and fold(sub) in self.included.get(fold(name), {})

    def wants(self, name: str) -> bool:
        """Whether the top-level attribute (or extension URN) appears at all."""
        key = fold(name)
        if key in self.always:
            return True
        if key in self.never or (self.included is not None and key not in self.included):
            return False
        return self.excluded.get(key) != {}

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with what is wanted; a new dict, of the same values where they are whole."""
        shown = {}
        for name, value in document.items():
            if not self.wants(name):
                continue
            key = fold(name)
            if self.included and key not in self.always:
                value = _only(value, self.included[key])
            if key in self.excluded and key not in self.always:
                value = _less(value, self.excluded[key])
            if value or not document[name]:
                shown[name] = value
        return shown


def projection(resource_type: ResourceType, attributes: str | None, excluded: str | None) -> Projection:
    """Read the two query parameters, comma lists of attribute paths; 400 invalidValue if both are given.

    Unknown names are ignored. Microsoft's collection also sends `emails[type eq "work"]`: emails.
    """
    if (attributes or "").strip() and (excluded or "").strip():
        raise invalid_value("attributes and excludedAttributes: expected one of them, got both")
    longest = max(len(attributes or ""), len(excluded or ""))
    if longest > _LONGEST:
        raise invalid_value(f"attributes and excludedAttributes: expected at most {_LONGEST} characters")
    read = _read if longest > _LONG else _remembered
    return read(resource_type, attributes, excluded)


def _read(resource_type: ResourceType, attributes: str | None, excluded: str | None) -> Projection:
    tables = (resource_type.common, resource_type.core)
    by_returned = [
        (fold(attribute.name), attribute.spec.returned)
        for schema in tables
        for attribute in schema.attributes.values()
    ]
    return Projection(
        _names(resource_type, attributes or "") if (attributes or "").strip() else None,
        _names(resource_type, excluded or ""),
        frozenset(name for name, returned in by_returned if returned == "always"),
        frozenset(name for name, returned in by_returned if returned == "never"),
    )


# Clients send the same lists all the time.
_remembered = lru_cache(maxsize=128)(_read)


def _names(resource_type: ResourceType, text: str) -> Names:
    tree: Names = {}
    for item in _BRACKETS.sub("", text).split(","):
        for steps in _steps(resource_type, item.strip()):
            _grow(tree, steps)
    return tree


def _steps(resource_type: ResourceType, name: str) -> Iterator[tuple[str, ...]]:
    """The way through a document that a name means."""
    match resolve(resource_type, name):
        case AttributePath() as path:
            way = (path.urn, path.attribute.name, path.sub.name if path.sub else None)
            yield tuple(fold(step) for step in way if step is not None)
        case SchemaPath(schema) if schema is resource_type.core:
            yield from ((attribute,) for attribute in schema.attributes)
        case SchemaPath(schema):
            yield (fold(schema.urn),)
        case ForeignPath(text):
            # Whether the last part is an attribute, only a document could tell; both are harmless.
            yield (fold(text),)
            urn, _, attribute = text.rpartition(":")
            yield (fold(urn), *fold(attribute).split("."))


def _grow(tree: Names, steps: tuple[str, ...]) -> None:
    """Add a way to the tree; a whole stays whole, and makes whole what it contains."""
    for step in steps[:-1]:
        if tree.get(step) == {}:
            return
        tree = tree.setdefault(step, {})
    tree[steps[-1]] = {}


def _only(value: Any, names: Names) -> Any:
    if not names:
        return value
    if isinstance(value, list):
        return [part for part in (_only(item, names) for item in value) if part]
    if not isinstance(value, dict):
        return value
    return {name: _only(item, names[fold(name)]) for name, item in value.items() if fold(name) in names}


def _less(value: Any, names: Names) -> Any:
    if isinstance(value, list):
        return [part for part in (_less(item, names) for item in value) if part]
    if not isinstance(value, dict):
        return value
    return {
        name: _less(item, names.get(fold(name), {})) if fold(name) in names else item
        for name, item in value.items()
        if names.get(fold(name)) != {}
    }
