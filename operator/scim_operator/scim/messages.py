"""What is answered: resources with all that a stored document lacks, and lists of them.

A stored document holds neither `schemas` (they follow from it) nor `id`, `meta` and what is derived from
others; here they come together, in the order that people read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.foreign import is_foreign
from scim_operator.scim.project import Projection

LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


def render(
    resource_type: ResourceType,
    document: Mapping[str, Any],
    *,
    id: str,
    meta: Mapping[str, Any],
    location: str,
    projection: Projection,
    members: list[dict[str, Any]] | None = None,
    groups: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A resource as RFC 7643 section 3 shows it; `meta` brings created, lastModified and version.

    `schemas` lists the core and the extensions that are there, undeclared ones included.
    """
    derived = {"members": members, "groups": groups}
    return projection.apply(
        {
            "schemas": [resource_type.core.urn, *filter(is_foreign, document)],
            "id": id,
            **document,
            **{name: value for name, value in derived.items() if value is not None},
            "meta": {"resourceType": resource_type.name, **meta, "location": location},
        }
    )


def list_response(
    resources: list[dict[str, Any]],
    total: int,
    *,
    start_index: int | None = 1,
    next_cursor: str | None = None,
) -> dict[str, Any]:
    """A page of a list (RFC 7644 section 3.4.2); `total` counts all matches. Never a 404 when empty.

    `start_index`: None for pages by cursor (RFC 9865), of which all but the last have a `next_cursor`.
    """
    return {
        "schemas": [LIST_URN],
        "totalResults": total,
        **({} if start_index is None else {"startIndex": start_index}),
        "itemsPerPage": len(resources),
        **({} if next_cursor is None else {"nextCursor": next_cursor}),
        "Resources": resources,
    }
