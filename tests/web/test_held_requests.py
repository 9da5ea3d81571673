"""What may happen while a request waits for a leader: its client gives up, its token is revoked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from scim_operator.directory.directories import Directories
from scim_operator.web.forwarding import _NOT_ANSWERED as NOT_ANSWERED
from scim_operator.web.relay import NotAnsweredError, Relay
from tests.directory.provider import replace
from tests.web.endpoint import TOKENS, Endpoint, Going
from tests.web.leadership import Lead

AUTHORISED = {"Authorization": f"Bearer {TOKENS['entra']}"}
# So long the clients here wait, in seconds; and longer than anything that is held waits to look again.
PATIENCE, SOON = 0.3, 0.5


def switched(active: bool) -> dict[str, Any]:
    return {"Operations": [replace("active", active)]}


async def killed(address: str, request: web.Request, begun: bool) -> web.Response:
    await request.read()  # it is in memory then, and could be carried out without its client
    raise NotAnsweredError(begun=False)


async def hangs(address: str, request: web.Request, begun: bool) -> web.Response:
    await request.read()
    await asyncio.Event().wait()
    raise AssertionError


async def given_up(endpoint: Endpoint, method: str, path: str, body: Any = None) -> None:
    """A request whose client waits no longer, and hangs up."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as impatient:
        url = endpoint.http.make_url(f"/scim/v2/entra{path}")
        with pytest.raises(TimeoutError):
            await impatient.request(method, url, json=body, headers=AUTHORISED)


@pytest.mark.parametrize("forward", [killed, hangs])
async def test_what_was_given_up_undoes_nothing_that_came_after_it(forward: Any) -> None:
    lead = Lead(leader="a")
    endpoint = Endpoint(relay=Relay(lead, time.monotonic, forward))
    endpoint.http = TestClient(Going(endpoint.scim.application()))
    async with endpoint.http:
        ada = await endpoint.user()
        await given_up(endpoint, "PATCH", f"/Users/{ada.id}", switched(False))
        lead.term, lead.leader = 1, ""
        answer = await endpoint.ask("PATCH", f"/Users/{ada.id}", switched(True))
        assert (answer.status, (await answer.json())["active"]) == (200, True)
        await asyncio.sleep(SOON)
        assert endpoint.stored(ada)["spec"].get("active", True) is True


async def test_nobody_is_deleted_for_a_client_that_is_gone() -> None:
    lead = Lead()
    endpoint = Endpoint(relay=Relay(lead, time.monotonic))
    endpoint.http = TestClient(Going(endpoint.scim.application()))
    async with endpoint.http:
        ada = await endpoint.user()
        await given_up(endpoint, "DELETE", f"/Users/{ada.id}")
        lead.term = 1
        await asyncio.sleep(SOON)
        assert endpoint.names() == [ada.name]


async def test_nor_by_one_that_has_the_lease_and_is_not_ready_yet() -> None:
    """The client hangs up, and so does the replica that passed its request on."""
    lead = Lead()
    endpoint = Endpoint(relay=Relay(lead, time.monotonic))
    endpoint.http = TestClient(Going(endpoint.scim.internal_application()))
    async with endpoint.http:
        ada = await endpoint.user()
        await given_up(endpoint, "DELETE", f"/Users/{ada.id}")
        lead.term = 1
        await asyncio.sleep(SOON)
        assert endpoint.names() == [ada.name]


async def test_a_token_revoked_meanwhile_opens_nothing() -> None:
    lead = Lead()
    endpoint = Endpoint(relay=Relay(lead, time.monotonic))
    async with endpoint.http:
        held = asyncio.create_task(endpoint.ask("POST", "/Users", {"userName": "mallory"}))
        await asyncio.sleep(0.1)
        endpoint.tokens.replace([])
        lead.term = 1
        assert ((await held).status, endpoint.names()) == (401, [])


def no_tokens(endpoint: Endpoint) -> None:
    endpoint.tokens.listed = False


def no_directories(endpoint: Endpoint) -> None:
    endpoint.directories.__dict__.update(Directories().__dict__)


@pytest.mark.parametrize("unknown", [no_tokens, no_directories])
async def test_a_leader_that_was_just_started_again_refuses_nothing_that_is_passed_on(
    unknown: Callable[[Endpoint], None],
) -> None:
    """Its name still stands in the Lease, so others ask it: it isn't for it to say 503 to their clients."""
    lead = Lead()
    endpoint = Endpoint(relay=Relay(lead, time.monotonic))
    unknown(endpoint)
    async with TestClient(Going(endpoint.scim.internal_application())) as http:
        passed_on = asyncio.create_task(http.get("/scim/v2/entra/Users", headers=AUTHORISED))
        await asyncio.sleep(SOON)
        assert not passed_on.done()
        lead.leader = "b"
        assert NOT_ANSWERED in (await passed_on).headers
