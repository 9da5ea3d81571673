"""The PatchOp message (RFC 7644, section 3.5.2) as a flat list of single operations.

Everything that a client may leave out or fold together is unfolded here: the case of keys and of `op`,
values without path whose keys are dotted, URN-qualified, filtered or whole extensions (Entra with the
flag aadOptscim062020 joins operations so). What can't be changed is sorted out too: silently in a value
without path, since Okta sends `id` along; as 400 mutability where a path names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scim_operator.scim.attributes import ResourceType, fold
from scim_operator.scim.errors import (
    ScimError,
    invalid_path,
    invalid_syntax,
    invalid_value,
    mutability,
    no_target,
)
from scim_operator.scim.paths import AttributePath, Path, SchemaPath, path_of_key, path_of_operation
from scim_operator.scim.values import is_empty

# At least 1,000 members, one an operation, must fit (Entra with the flag removes them so).
MAX_OPERATIONS = 2_000

Kind = Literal["add", "replace", "remove"]
_KINDS: dict[str, Kind] = {"add": "add", "replace": "replace", "remove": "remove"}
# Accepted from everyone and kept from nowhere: `schemas` follows from the document.
_IGNORED = frozenset({"schemas", "password"})


@dataclass(frozen=True)
class Operation:
    """One change at one path."""

    kind: Kind
    path: Path
    value: Any = None


def read_message(resource_type: ResourceType, body: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of a PatchOp message, in order; raises ScimError as soon as one makes no sense."""
    for number, sent in enumerate(_operations(body), 1):
        if not isinstance(sent, dict):
            raise invalid_syntax(f"Operations[{number}] expects an object")
        yield from _unfold(resource_type, {fold(name): item for name, item in sent.items()})


def flatten(resource_type: ResourceType, kind: Kind, value: Mapping[str, Any]) -> Iterator[Operation]:
    """A value without path as single operations, without what is read-only or never kept."""
    if len(value) > MAX_OPERATIONS:
        raise ScimError(413, f"an object has {len(value)} attributes, expected at most {MAX_OPERATIONS}")
    for key, item in value.items():
        path = path_of_key(resource_type, key)
        if isinstance(path, SchemaPath) and isinstance(item, dict):
            inner = {f"{path.schema.urn}:{name}": within for name, within in item.items()}
            yield from flatten(resource_type, kind, inner)
        elif not _is_ignored(path) and not _is_read_only(path):
            yield Operation(kind, path, item)


def _operations(body: Mapping[str, Any]) -> list[Any]:
    if not isinstance(body, Mapping):
        raise invalid_syntax("the body expects an object with Operations")
    operations = next((item for name, item in body.items() if fold(name) == "operations"), None)
    if not isinstance(operations, list) or not operations:
        raise invalid_syntax("Operations expects a list of at least one operation")
    if len(operations) > MAX_OPERATIONS:
        raise ScimError(
            413, f"Operations has {len(operations)} operations, expected at most {MAX_OPERATIONS}"
        )
    return operations


def _unfold(resource_type: ResourceType, sent: dict[str, Any]) -> Iterator[Operation]:
    kind, text = _kind(sent.get("op")), sent.get("path")
    if is_empty(text):
        yield from _without_path(resource_type, kind, sent.get("value"))
        return
    if not isinstance(text, str):
        raise invalid_path("path expects a string")
    path = path_of_operation(resource_type, text)
    if kind != "remove" and "value" not in sent:
        raise invalid_value(f"{kind} of {text} expects a value")
    if _is_ignored(path):
        return
    if _is_read_only(path):
        raise mutability(f"{text} is read-only")
    if isinstance(path, SchemaPath) and kind != "remove":
        yield from flatten(resource_type, kind, {path.schema.urn: sent["value"]})
    else:
        yield Operation(kind, path, sent.get("value"))


def _without_path(resource_type: ResourceType, kind: Kind, value: Any) -> Iterator[Operation]:
    if kind == "remove":
        raise no_target("remove expects a path")
    if not isinstance(value, dict):
        raise invalid_value(f"{kind} without path expects an object of attributes as value")
    yield from flatten(resource_type, kind, value)


def _kind(op: Any) -> Kind:
    kind = _KINDS.get(fold(op)) if isinstance(op, str) else None
    if kind is None:
        raise invalid_syntax(f"op expects add, replace or remove, got {json.dumps(op)[:60]}")
    return kind


def _is_ignored(path: Path) -> bool:
    return isinstance(path, AttributePath) and path.attribute.name in _IGNORED


def _is_read_only(path: Path) -> bool:
    return isinstance(path, AttributePath) and "readOnly" in (
        path.attribute.spec.mutability,
        "" if path.sub is None else path.sub.spec.mutability,
    )
