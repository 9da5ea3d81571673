"""An endpoint to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.web.endpoint import Endpoint


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """With the directories entra and okta, which have tokens; and a token of a directory that is missing."""
    made = Endpoint()
    async with made.http:
        yield made
