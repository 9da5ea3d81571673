"""The bodies of requests: as they came, and as JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from scim_operator.scim.bulk import MAX_PAYLOAD
from scim_operator.scim.errors import ScimError, invalid_syntax

# A whole group of 20,000, each member with $ref, type and display, is about 5 MiB.
MAX_BODY = MAX_PAYLOAD
WITH_BODY = ("POST", "PUT", "PATCH")
# By its commas; 100,000 members with all that is said of them are 400,000. More make the parser take memory
# by the hundred megabytes.
_MOST_VALUES = 600_000
# A body has so long to come: 10 MiB at 1.4 Mbit/s.
BODY_SECONDS = 60.0


async def read_body(request: web.Request) -> bytes:
    """The whole body; asked again, the same. Raises ScimError."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise ScimError(
            408, f"the body didn't come within {BODY_SECONDS:.0f} seconds; nothing was done, send it again"
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise ScimError(
            413, f"the body is larger than {MAX_BODY} bytes (maxPayloadSize); send it in several requests"
        ) from error
    except web.RequestPayloadError as error:
        raise invalid_syntax("the body can't be read: cut off, or not encoded as its headers say") from error


async def json_body(request: web.Request) -> dict[str, Any]:
    """The body as an object, whatever Content-Type it claims (Entra, Okta and curl differ)."""
    if (coding := request.headers.get("Content-Encoding", "")).lower() not in ("", "identity"):
        raise invalid_syntax(f"the body is compressed (Content-Encoding {coding[:20]!r}); send it as it is")
    sent = await read_body(request)
    if sent.count(b",") > _MOST_VALUES:
        raise ScimError(413, f"the body has more than {_MOST_VALUES} values; send it in several requests")
    try:
        body = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid_syntax("the body must be a JSON object")
    return body
