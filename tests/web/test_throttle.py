"""How much a directory may ask for: 429 beyond it, and the others notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.web.metrics import THROTTLED
from scim_operator.web.throttle import Rates, Throttle, ThrottledError
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.talk import Talk


@given(st.lists(st.floats(0, 0.5), max_size=200), st.integers(1, 20))
def test_no_more_than_the_rate_and_what_may_come_at_once(pauses: list[float], rate: int) -> None:
    now = 0.0
    throttle = Throttle(Rates(rate, 1), lambda: now)
    taken: list[float] = []
    for pause in pauses:
        now += pause
        try:
            with throttle.room("entra"):
                taken.append(now)
        except ThrottledError as error:
            # Whoever comes again when they were told to is let in.
            before, now = now, now + error.retry_after
            with throttle.room("entra"):
                taken.append(now)
            assert error.retry_after >= 1
            assert now > before
    for number, since in enumerate(taken):
        for last, until in enumerate(taken[number:], number):
            assert last - number + 1 <= (until - since) * rate + 2 * rate + 1 + 1e-6


def test_whoever_keeps_to_the_rate_is_never_refused() -> None:
    now = 0.0
    throttle = Throttle(Rates(25, 1), lambda: now)
    for _ in range(1000):
        with throttle.room("entra"):
            now += 0.04001


def test_so_many_at_a_time() -> None:
    throttle = Throttle(Rates(1000, 2), lambda: 0.0)
    with ExitStack() as held:
        held.enter_context(throttle.room("entra"))
        held.enter_context(throttle.room("entra"))
        with pytest.raises(ThrottledError, match=r"2 requests .* limits.concurrentRequests"):
            held.enter_context(throttle.room("entra"))
        held.enter_context(throttle.room("okta"))
    with throttle.room("entra"):
        pass


@asynccontextmanager
async def limited(rates: Rates) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(rates=rates)
    async with endpoint.http:
        yield endpoint


def count(limit: str) -> float:
    return float(THROTTLED.labels("entra", limit)._value.get())


async def test_rate_of_a_directory() -> None:
    before = count("rate")
    async with limited(Rates(8, 100)) as endpoint:
        entra = Talk(endpoint)
        for _ in range(17):
            await entra("GET", "/Users")
        refused = await endpoint.ask("POST", "/Users", {"userName": "ada"})
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        said = await refused.json(content_type="application/scim+json")
        assert said["status"] == "429"
        assert "limits.requestsPerSecond" in said["detail"]
        assert endpoint.api.writes == []
        # Neither another directory nor who isn't let in at all has to do with it.
        assert (await endpoint.ask("GET", "/Users", token=TOKENS["okta"], directory="okta")).status == 200
        assert (await endpoint.ask("GET", "/Users", token="wrong")).status == 401
        endpoint.clock += 1
        await entra.user("ada")
    assert count("rate") == before + 1


async def test_strangers_use_up_nothing() -> None:
    async with limited(Rates(1, 100)) as endpoint:
        for _ in range(50):
            assert (await endpoint.ask("GET", "/Users", token="wrong")).status == 401
        assert (await endpoint.ask("GET", "/Users")).status == 200


async def test_requests_at_the_same_time() -> None:
    before = count("concurrent")
    async with limited(Rates(1000, 3)) as endpoint:
        entra = Talk(endpoint)
        going = asyncio.Event()

        async def wait(verb: str, plural: str) -> None:
            await going.wait()

        endpoint.api.before = wait
        waiting = [asyncio.create_task(entra.user(f"u{number}")) for number in range(3)]
        refused = await asyncio.wait_for(_refused(endpoint), 5)
        assert refused == (429, "1")
        assert (await endpoint.ask("GET", "/Users", token=TOKENS["okta"], directory="okta")).status == 200
        going.set()
        await asyncio.gather(*waiting)
        await entra.user("ada")
    assert count("concurrent") > before


async def _refused(endpoint: Endpoint) -> tuple[int, str]:
    """Asks until the others have come."""
    while (answer := await endpoint.ask("GET", "/Users")).status == 200:
        pass
    return answer.status, answer.headers["Retry-After"]


async def test_what_other_replicas_pass_on_counts_here() -> None:
    async with limited(Rates(1, 100)) as endpoint:
        async with TestClient(TestServer(endpoint.scim.internal_application())) as hop:
            sent = {"Authorization": f"Bearer {TOKENS['entra']}"}
            answers = [await hop.get("/scim/v2/entra/Users", headers=sent) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        assert (await endpoint.ask("GET", "/Users")).status == 429
