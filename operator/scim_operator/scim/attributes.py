"""What an attribute is (RFC 7643, section 2), and how the tables are made from pydantic models.

The models in `schemas.py` are the one source: compiled here once at import into tables that the
filters, PATCH, normalising, projection, /Schemas and the custom resources' schema all read.
"""

from __future__ import annotations

import types
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

AttributeType = Literal["string", "boolean", "dateTime", "reference", "binary", "complex"]
Mutability = Literal["readOnly", "readWrite", "immutable", "writeOnly"]
Returned = Literal["always", "never", "default", "request"]


def fold(text: str) -> str:
    """The form in which names and case-insensitive values are compared: NFKC, then case-folded."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass(frozen=True)
class Attr:
    """The characteristics of RFC 7643 section 2.2 that a Python annotation can't say.

    `keyed`: the values are resource ids, handled as a set apart from the document (Group.members).
    `default`: what is stored when a new resource doesn't say. After that nothing but a value or an explicit
    `remove` changes it: neither empty values nor omission.
    """

    required: bool = False
    unique: bool = False
    case_exact: bool = False
    mutability: Mutability = "readWrite"
    returned: Returned = "default"
    canonical: tuple[str, ...] = ()
    type: AttributeType | None = None
    references: tuple[str, ...] = ()
    keyed: bool = False
    default: bool | None = None
    description: str = ""


@dataclass(frozen=True, eq=False)
class Attribute:
    """One row of a table. `sub_attributes` is keyed by the folded name.

    Whatever is written and multi-valued is complex: no SCIM client sends anything else.
    """

    name: str
    type: AttributeType
    multi_valued: bool
    spec: Attr
    sub_attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def sub(self, name: str) -> Attribute | None:
        """The sub-attribute of that name, in any case (RFC 7643 section 2.1)."""
        return self.sub_attributes.get(fold(name))


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema URN and its attributes by folded name."""

    urn: str
    name: str
    description: str
    attributes: Mapping[str, Attribute]

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name, in any case."""
        return self.attributes.get(fold(name))


@dataclass(frozen=True, eq=False)
class ResourceType:
    """A resource type (RFC 7643 section 6): its endpoint, core schema, known extensions by folded URN, and
    the common attributes that every resource has (section 3.1). Compared by identity: it keys caches.
    """

    name: str
    endpoint: str
    core: Schema
    common: Schema
    extensions: Mapping[str, Schema] = field(default_factory=dict)


class Model(BaseModel):
    """Base of the schema models: snake_case here, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel)
    urn: ClassVar[str] = ""
    schema_name: ClassVar[str] = ""


_PRIMITIVES: dict[type, AttributeType] = {str: "string", bool: "boolean"}


def compile_schema(model: type[Model]) -> Schema:
    """The table of a schema model."""
    return Schema(model.urn, model.schema_name or model.__name__, _description(model), _compile(model))


def _description(model: type[Model]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0]


def _compile(model: type[Model]) -> dict[str, Attribute]:
    hints = get_type_hints(model, include_extras=True)
    attributes = (
        _attribute(_wire_name(name, info.alias), hints[name], info.metadata)
        for name, info in model.model_fields.items()
    )
    return {fold(attribute.name): attribute for attribute in attributes}


def _attribute(name: str, hint: Any, metadata: list[Any]) -> Attribute:
    spec = next((item for item in metadata if isinstance(item, Attr)), Attr())
    inner, multi_valued = _unwrap(hint)
    if issubclass(inner, Model):
        return Attribute(name, "complex", multi_valued, spec, _compile(inner))
    return Attribute(name, spec.type or _PRIMITIVES[inner], multi_valued, spec)


def _unwrap(hint: Any) -> tuple[type, bool]:
    """`Annotated[list[X] | None, …]` -> (X, True)."""
    if hasattr(hint, "__metadata__"):
        return _unwrap(hint.__origin__)
    if get_origin(hint) in (Union, types.UnionType):
        return _unwrap(next(arg for arg in get_args(hint) if arg is not type(None)))
    if get_origin(hint) is list:
        return _unwrap(get_args(hint)[0])[0], True
    return hint, False


def _wire_name(name: str, alias: str | None) -> str:
    return "$ref" if name == "ref" else alias or name
