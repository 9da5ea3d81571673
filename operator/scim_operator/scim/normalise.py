"""The body of POST and PUT as the canonical document that is stored (RFC 7644, sections 3.3 and 3.5.1).

A body is read as a PATCH without path on nothing: one reader for all that clients send, so a value means
the same in every method. Added to that are what a whole resource needs: required attributes and defaults.
Read-only attributes are ignored (Okta's PUT sends back all it got), as RFC 7644 section 3.5.1 wants.

What a PUT leaves out is cleared, with two exceptions, for the sake of people's access: omission must neither
enable nor disable somebody (`active`), nor empty a group (`members`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import invalid_syntax, invalid_value
from scim_operator.scim.operations import Operation, flatten
from scim_operator.scim.patch import Changed, Draft
from scim_operator.scim.paths import AttributePath
from scim_operator.scim.values import is_empty


def normalise(
    resource_type: ResourceType, body: Mapping[str, Any], former: Mapping[str, Any] | None = None
) -> Changed:
    """Read a whole resource; 400 invalidSyntax or invalidValue. `former`: the document that it replaces.

    Members that aren't sent are no change; sent empty they all go.
    """
    if not isinstance(body, Mapping):
        raise invalid_syntax(f"the body expects an object: a {resource_type.name}")
    draft = Draft(resource_type, {})
    draft.apply(
        operation for operation in flatten(resource_type, "replace", body) if _says_something(operation)
    )
    _complete(resource_type, draft.document, former)
    return draft.finished()


def _says_something(operation: Operation) -> bool:
    """Nothing is there to be unset: a null of Microsoft's old sample (`"manager": null` beside the
    extension that has it) must not take away what another key said. Members may be sent empty."""
    path = operation.path
    return not is_empty(operation.value) or (isinstance(path, AttributePath) and path.attribute.spec.keyed)


def _complete(
    resource_type: ResourceType, document: dict[str, Any], former: Mapping[str, Any] | None
) -> None:
    for attribute in resource_type.core.attributes.values():
        name, spec = attribute.name, attribute.spec
        if spec.required and not document.get(name, "").strip():
            raise invalid_value(f"{name} is required and expects a string that isn't blank")
        kept = spec.default if former is None else former.get(name)
        if spec.default is not None and kept is not None:
            document.setdefault(name, kept)
