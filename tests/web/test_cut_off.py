"""A replica that reaches neither the API server nor whoever led last: what it says from memory (rule 6)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from scim_operator.web.relay import NotAnsweredError, Relay
from tests.web.endpoint import Endpoint
from tests.web.leadership import Lead

SEARCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}


async def nobody(address: str, request: web.Request, begun: bool) -> web.Response:
    raise NotAnsweredError(begun=False)


@pytest.fixture
def lead() -> Lead:
    return Lead(leader="a", hopeful=False)


@pytest_asyncio.fixture
async def cut_off(lead: Lead) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(relay=Relay(lead, time.monotonic, nobody))
    async with endpoint.http:
        yield endpoint


async def test_whom_it_knows_it_shows(cut_off: Endpoint) -> None:
    ada = await cut_off.user()
    assert (await cut_off.ask("GET", f"/Users/{ada.id}")).status == 200
    assert (await cut_off.ask("GET", "/Schemas")).status == 200


@pytest.mark.parametrize(
    "path", ["/Users/somebody", "/Users", '/Users?filter=userName eq "bob"', "/Groups?count=1"]
)
async def test_of_nobody_it_says_that_he_is_not_there(cut_off: Endpoint, lead: Lead, path: str) -> None:
    """The one that leads may have made him: Entra would make him again, or take him for gone."""
    refused = await cut_off.ask("GET", path)
    assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (503, True)
    # The last leader itself goes on: while the API server is away for all, nobody can have written.
    lead.leader = ""
    assert (await cut_off.ask("GET", path)).status in (200, 404)


async def test_nor_does_a_search(cut_off: Endpoint) -> None:
    assert (await cut_off.ask("POST", "/Users/.search", SEARCH)).status == 503
