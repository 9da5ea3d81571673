"""Thousands of bad requests: never a 5xx, never a body that isn't SCIM's, never a change; then good ones."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.directory.provider import replace
from tests.web.bad_requests import Bad, Known, bad_request
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.talk import ERROR, Talk

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
# So many, then what is good is asked for.
ROUND = 100


@pytest_asyncio.fixture
async def entra(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


async def refused(entra: Talk, number: int, bad: Bad) -> None:
    """Send it; what is wrong about the answer fails with all that is needed to send it again."""
    token = TOKENS["entra"] if bad.authorized else None
    answer = await entra.endpoint.ask(bad.method, bad.path, bad.body, token=token, headers=dict(bad.headers))
    said: Any = await answer.read()
    told = (number, bad, answer.status, said[:500])
    assert answer.status < 500, told
    assert answer.content_type == "application/scim+json", told
    if bad.is_write:
        assert answer.status >= 400, told
    said = await answer.json(content_type=None)
    assert (answer.status < 400 and said["schemas"] == [LIST]) or said["schemas"] == [ERROR], told
    assert answer.status < 400 or (said["status"], bool(said["detail"])) == (str(answer.status), True), told


@pytest.mark.parametrize(("first", "last"), [(0, 500), pytest.param(500, 20_000, marks=pytest.mark.long)])
async def test_bad_requests_change_nothing(entra: Talk, first: int, last: int) -> None:
    ada = await entra.user("ada", title="Dr")
    await entra.user("taken")
    known = Known(ada, await entra.group("team", ada), "taken")
    lists = [await entra("GET", "/Users"), await entra("GET", "/Groups")]
    writes = list(entra.endpoint.api.writes)
    for number in range(first, last):
        await refused(entra, number, bad_request(number, known))
        if number % ROUND == ROUND - 1:
            assert entra.endpoint.api.writes == writes, number
            assert [await entra("GET", "/Users"), await entra("GET", "/Groups")] == lists, number
    assert (await entra.patch(f"/Users/{ada}", replace("title", "Prof")))["title"] == "Prof"
    assert await entra.user("new")
