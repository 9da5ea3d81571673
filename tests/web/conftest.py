"""An endpoint to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from scim_operator.web.server import MAX_LINE
from tests.web.endpoint import Endpoint


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """With the directories entra and okta, which have tokens; and a token of a directory that is missing."""
    made = Endpoint()
    await made.server.start_server(max_line_size=MAX_LINE, auto_decompress=False)  # as the operator does
    async with made.http:
        yield made
