"""Thousands of bad requests: never a 5xx, never a body that isn't SCIM's, never a change; then good ones.

They go by number: number 4711 of one run is that of every other.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import pytest_asyncio

from scim_operator.scim.bulk import RESPONSE_URN
from tests.directory.provider import replace
from tests.web.bad_bulks import BULKS
from tests.web.bad_requests import KINDS, Bad, Known
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
    said = await answer.json(content_type=None)
    if bad.one_by_one:
        assert (answer.status, said["schemas"], bool(said["Operations"])) == (200, [RESPONSE_URN], True), told
        for result in said["Operations"]:
            assert (result["response"]["schemas"], result["response"]["status"]) == (
                [ERROR],
                result["status"],
            )
            assert 400 <= int(result["status"]) < 500, told
            assert result["response"]["detail"], told
        return
    if bad.is_write:
        assert answer.status >= 400, told
    assert (answer.status < 400 and said["schemas"] == [LIST]) or said["schemas"] == [ERROR], told
    assert answer.status < 400 or (said["status"], bool(said["detail"])) == (str(answer.status), True), told


@pytest.mark.parametrize(("first", "last"), [(0, 500), pytest.param(500, 21_000, marks=pytest.mark.long)])
async def test_bad_requests_change_nothing(entra: Talk, first: int, last: int) -> None:
    ada = await entra.user("ada", title="Dr")
    await entra.user("taken")
    known = Known(ada, await entra.group("team", ada), "taken")
    lists = [await entra("GET", "/Users"), await entra("GET", "/Groups")]
    writes = list(entra.endpoint.api.writes)
    for number in range(first, last):
        random = Random(number)
        await refused(entra, number, random.choice([*KINDS, *BULKS])(random, known))
        if number % ROUND == ROUND - 1:
            assert entra.endpoint.api.writes == writes, number
            assert [await entra("GET", "/Users"), await entra("GET", "/Groups")] == lists, number
    assert (await entra.patch(f"/Users/{ada}", replace("title", "Prof")))["title"] == "Prof"
    assert await entra.user("new")
