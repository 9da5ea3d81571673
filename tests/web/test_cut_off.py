"""A replica that neither leads nor reaches whoever does: what it says from memory (rule 6)."""

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


@pytest.fixture(params=["a", ""], ids=["another-led-last", "it-led-last-itself"])
def lead(request: pytest.FixtureRequest) -> Lead:
    """Nobody can tell an outage for all from one for this replica alone, during which another leads."""
    return Lead(leader=request.param, hopeful=False)


@pytest_asyncio.fixture
async def cut_off(lead: Lead) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(relay=Relay(lead, time.monotonic, nobody))
    async with endpoint.http:
        yield endpoint


SHOWN = (
    "/Users/{}",
    "/Users",
    "/Users?count=0",
    '/Users?filter=userName eq "ada"',
    '/Users?filter=userName eq "ada"&cursor=',
    '/?filter=userName eq "ada"',
)


@pytest.mark.parametrize("path", SHOWN)
async def test_whom_it_knows_it_shows(cut_off: Endpoint, path: str) -> None:
    ada = await cut_off.user("ada")
    assert (await cut_off.ask("GET", path.format(ada.id))).status == 200


@pytest.mark.parametrize("path", ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"])
async def test_what_is_always_so_it_tells(cut_off: Endpoint, path: str) -> None:
    assert (await cut_off.ask("GET", path)).status == 200


NOBODY = (
    "/Users/somebody",
    "/Groups",
    "/Groups?count=1",
    '/Users?filter=userName eq "bob"',
    '/Users?filter=userName eq "bob"&cursor=',
    '/Users?filter=not (userName eq "ada")',
)


@pytest.mark.parametrize("path", NOBODY)
async def test_of_nobody_it_says_that_he_is_not_there(cut_off: Endpoint, path: str) -> None:
    """The one that leads may have made him: Entra would make him again, or take him for gone."""
    await cut_off.user("ada")
    refused = await cut_off.ask("GET", path)
    assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (503, True)


@pytest.mark.parametrize(("name", "status"), [("ada", 200), ("bob", 503)])
async def test_nor_does_a_search(cut_off: Endpoint, name: str, status: int) -> None:
    await cut_off.user("ada")
    search = {**SEARCH, "filter": f'userName eq "{name}"'}
    assert (await cut_off.ask("POST", "/Users/.search", search)).status == status


async def test_a_leader_says_so_again(cut_off: Endpoint, lead: Lead) -> None:
    lead.term = 1
    assert (await cut_off.ask("GET", "/Users/somebody")).status == 404
    assert (await (await cut_off.ask("GET", "/Groups")).json())["totalResults"] == 0
