"""What the endpoint says of itself (RFC 7644, section 4)."""

from __future__ import annotations

from typing import Any

from scim_operator.scim.discovery import resource_types, schemas, service_provider_config
from scim_operator.scim.errors import ScimError, not_found
from scim_operator.scim.messages import list_response
from scim_operator.web.asks import Answer, Ask


async def answer_config(ask: Ask) -> Answer:
    """/ServiceProviderConfig."""
    _refuse_filter(ask)
    return Answer(body=service_provider_config(ask.base))


async def answer_resource_types(ask: Ask) -> Answer:
    """/ResourceTypes, all or one."""
    return _discovered(ask, resource_types(ask.base))


async def answer_schemas(ask: Ask) -> Answer:
    """/Schemas, all or one."""
    return _discovered(ask, schemas(ask.base))


def _discovered(ask: Ask, items: list[dict[str, Any]]) -> Answer:
    _refuse_filter(ask)
    if not ask.identifier:
        return Answer(body=list_response(items, len(items)))
    for item in items:
        if str(item.get("id", item.get("name"))).casefold() == ask.identifier.casefold():
            return Answer(body=item)
    raise not_found(f"there is no {ask.identifier!r} here")


def _refuse_filter(ask: Ask) -> None:
    """403 (RFC 7644 section 4): an unfiltered answer would look like a filtered one."""
    if ask.query.filter is not None:
        raise ScimError(403, "discovery can't be filtered; ask for everything, or for one by its id")
