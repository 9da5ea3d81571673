"""What a name leads to: resolving attribute paths (RFC 7644, section 3.10) against the tables.

One resolver for filters, PATCH, projection and the keys of bodies, so that a name means the same
everywhere: in any case, with or without its schema URN, and an extension's attribute also bare, as in
Entra's `manager eq "..."`. Names under URNs that nobody declared lead into the undeclared extension;
other names that we don't know are a result, not an error: each caller has its own rule for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from scim_operator.scim.attributes import Attribute, ResourceType, Schema, fold
from scim_operator.scim.errors import invalid_path
from scim_operator.scim.filter_nodes import Node
from scim_operator.scim.filter_parser import is_attribute_name, parse_value_path

_LONGEST_NAME = 256


@dataclass(frozen=True)
class AttributePath:
    """An attribute of the core (`urn` is None) or of a declared extension, with what narrows it."""

    attribute: Attribute
    sub: Attribute | None = None
    urn: str | None = None
    condition: Node | None = None

    @property
    def name(self) -> str:
        """How messages name it."""
        return self.holder_name if self.sub is None else f"{self.holder_name}.{self.sub.name}"

    @property
    def holder_name(self) -> str:
        """The same without the sub-attribute."""
        return self.attribute.name if self.urn is None else f"{self.urn}:{self.attribute.name}"


@dataclass(frozen=True)
class SchemaPath:
    """A whole schema: an extension's object, or the core named by its URN."""

    schema: Schema


@dataclass(frozen=True)
class ForeignPath:
    """Something under an undeclared URN. Where the URN ends, only the document at hand can tell."""

    text: str


@dataclass(frozen=True)
class UnknownPath:
    """A name that we don't know."""

    name: str


Path = AttributePath | SchemaPath | ForeignPath | UnknownPath


def path_of_operation(resource_type: ResourceType, text: str) -> Path:
    """The path of a PATCH operation, value filter included; 400 invalidPath if it is malformed."""
    name, condition, sub = parse_value_path(text.strip())
    path = resolve(resource_type, name)
    if condition is None or isinstance(path, UnknownPath):
        return path
    return _narrowed(path, condition, sub, text)


def path_of_key(resource_type: ResourceType, key: str) -> Path:
    """A key of a body or of a value without path: any path (Entra joins operations so), or any text."""
    return path_of_operation(resource_type, key) if "[" in key else resolve(resource_type, key)


def resolve(resource_type: ResourceType, name: str) -> Path:
    """What an attribute path without brackets leads to."""
    # Remembered, but not whatever a client makes up.
    return _resolve(resource_type, name) if len(name) <= _LONGEST_NAME else UnknownPath(name)


@lru_cache(maxsize=4096)
def _resolve(resource_type: ResourceType, name: str) -> Path:
    if not is_attribute_name(name):
        return UnknownPath(name)
    core, extensions = resource_type.core, tuple(resource_type.extensions.values())
    for schema in (core, *extensions):
        rest = _after_urn(schema, name)
        if rest is not None:
            return _in_schema(schema, None if schema is core else schema.urn, rest, name)
    if fold(name).startswith("urn:"):
        return ForeignPath(name)
    for schema in (resource_type.common, core, *extensions):
        if schema.attribute(name.split(".")[0]) is not None:
            return _in_schema(schema, schema.urn if schema in extensions else None, name, name)
    return UnknownPath(name)


def _after_urn(schema: Schema, name: str) -> str | None:
    """What follows the schema's URN, "" if nothing does, None if the name isn't under it.

    A dot separates as well as a colon: a sample of Microsoft's has `...:2.0:User.manager`.
    """
    head, separator, rest = name[: len(schema.urn)], name[len(schema.urn) :][:1], name[len(schema.urn) + 1 :]
    if fold(head) != fold(schema.urn) or separator not in ("", ":", ".") or (separator and not rest):
        return None
    return rest


def _in_schema(schema: Schema, urn: str | None, rest: str, name: str) -> Path:
    if rest == "":
        return SchemaPath(schema)
    first, *others = rest.split(".")
    attribute = schema.attribute(first)
    if attribute is None or len(others) > 1:
        return UnknownPath(name)
    if not others:
        return AttributePath(attribute, urn=urn)
    sub = attribute.sub(others[0])
    return UnknownPath(name) if sub is None else AttributePath(attribute, sub, urn)


def _narrowed(path: Path, condition: Node, sub: str | None, text: str) -> Path:
    if not isinstance(path, AttributePath) or path.sub is not None or not path.attribute.multi_valued:
        raise invalid_path(f"path {text!r}: only multi-valued attributes take a filter in brackets")
    if sub is None:
        return replace(path, condition=condition)
    found = path.attribute.sub(sub)
    return UnknownPath(text) if found is None else replace(path, condition=condition, sub=found)
