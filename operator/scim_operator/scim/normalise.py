"""The body of POST and PUT as the canonical document that is stored (RFC 7644, sections 3.3 and 3.5.1).

A body is read as a PATCH without path on nothing: one reader for all that clients send, so a value means
the same in every method. Added to that are what a whole resource needs: required attributes and defaults.
Read-only attributes are ignored (Okta's PUT sends back all it got), as RFC 7644 section 3.5.1 wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import invalid_syntax, invalid_value
from scim_operator.scim.operations import Operation, flatten
from scim_operator.scim.patch import Draft
from scim_operator.scim.paths import AttributePath
from scim_operator.scim.values import is_empty


@dataclass(frozen=True)
class Normalised:
    """A document; the member ids in order, None when not sent; the unknown names that were ignored."""

    document: dict[str, Any]
    members: tuple[str, ...] | None
    dropped: tuple[str, ...]


def normalise(resource_type: ResourceType, body: Mapping[str, Any]) -> Normalised:
    """Read a whole resource; 400 invalidSyntax or invalidValue."""
    if not isinstance(body, Mapping):
        raise invalid_syntax(f"the body expects an object: a {resource_type.name}")
    draft = Draft(resource_type, {})
    draft.apply(
        operation for operation in flatten(resource_type, "replace", body) if _says_something(operation)
    )
    _complete(resource_type, draft.document)
    members = draft.members.freeze()
    return Normalised(draft.document, members.added if members.replaced else None, tuple(draft.dropped))


def _says_something(operation: Operation) -> bool:
    """Nothing is there to be unset: a null of Microsoft's old sample (`"manager": null` beside the
    extension that has it) must not take away what another key said. Members may be sent empty."""
    path = operation.path
    return not is_empty(operation.value) or (isinstance(path, AttributePath) and path.attribute.spec.keyed)


def _complete(resource_type: ResourceType, document: dict[str, Any]) -> None:
    for attribute in resource_type.core.attributes.values():
        if attribute.spec.required and not document.get(attribute.name, "").strip():
            raise invalid_value(f"{attribute.name} is required and expects a string that isn't blank")
        if attribute.spec.default is not None:
            document.setdefault(attribute.name, attribute.spec.default)
