"""Contending for a real Lease: taking it, handing over, losing it; and writing nothing without it."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from scim_operator.kube.client import KubeClient, Object
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.election import Election
from scim_operator.kube.errors import ApiError
from scim_operator.kube.lease import DURATION, LEASES
from scim_operator.kube.resources import SECRETS
from tests.cluster.cluster import Cluster

_NUMBERS = itertools.count()
Contend = Callable[[str], Awaitable[Election]]


@pytest_asyncio.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with KubeClient(await load_credentials(str(cluster.kubeconfig))) as made:
        yield made


def of_its_own(client: KubeClient) -> KubeClient:
    """One that begins where the Lease is renewed."""
    return KubeClient(client.credentials, connections=2)


@pytest.fixture
def name() -> str:
    return f"election-{next(_NUMBERS)}"


def made(client: KubeClient, name: str, pod: str) -> Election:
    return Election(
        of_its_own(client),
        "default",
        name,
        pod,
        monotonic=time.monotonic,
        now=lambda: datetime.now(UTC).isoformat(),
        rewound=lambda found: None,
    )


@asynccontextmanager
async def contending(client: KubeClient, name: str, pod: str) -> AsyncIterator[Election]:
    election = made(client, name, pod)
    running = asyncio.create_task(election.run())
    election.contend()
    try:
        yield election
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def lease(client: KubeClient, name: str) -> Object:
    spec: Object = (await client.get(LEASES, name, namespace="default"))["spec"]
    return spec


async def within(seconds: float, work: Awaitable[object]) -> object:
    async with asyncio.timeout(seconds):
        return await work


async def test_the_first_leads_and_hands_over_when_it_ends(
    client: KubeClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.kube.election.DURATION", 600.0)
    async with contending(client, name, "a|10.0.0.1") as first:
        assert await within(5, first.won()) == 1
        made = await lease(client, name)
        assert (made["holderIdentity"], made["leaseDurationSeconds"]) == ("a|10.0.0.1", 600)
        assert made["acquireTime"] <= made["renewTime"]
        async with contending(client, name, "b|10.0.0.2") as second:
            while second.leader != "a|10.0.0.1":
                await asyncio.sleep(0.05)
            assert (second.term, first.leader) == (None, "")
            await first.resign(10)
            assert first.term is None
            assert await within(20, second.won()) == 1
            while first.leader != "b|10.0.0.2":  # whoever resigned still hears who is next
                await asyncio.sleep(0.05)
    taken = await lease(client, name)
    assert taken["leaseTransitions"] == made["leaseTransitions"] + 1
    assert taken["acquireTime"] > made["acquireTime"]


async def test_a_container_that_was_started_again_goes_on_at_once(
    client: KubeClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.kube.election.DURATION", 600.0)
    async with contending(client, name, "a|10.0.0.1") as killed:
        await killed.won()
    async with contending(client, name, "a|10.0.0.1") as again:
        assert await within(20, again.won()) == 1


async def test_it_looks_first_and_contends_when_told_to(
    client: KubeClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.kube.election.RETRY", 600.0)
    election = made(client, name, "a|10.0.0.1")
    running = asyncio.create_task(election.run())
    await within(5, election.seen(5))
    await asyncio.sleep(1.5)
    assert (election.term, election.alone_since) == (None, None)
    with pytest.raises(ApiError, match="not found"):
        await lease(client, name)
    before = time.monotonic()
    election.contend()
    await within(20, election.won())
    since = election.alone_since
    assert since is not None
    assert since >= before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_goes_on_with_its_own_lease_was_alone_when_it_first_looked(
    client: KubeClient, name: str
) -> None:
    async with contending(client, name, "a|10.0.0.1") as first:
        await within(5, first.won())
        assert (await lease(client, name))["leaseDurationSeconds"] == 6
    again = made(client, name, "a|10.0.0.1")
    running = asyncio.create_task(again.run())
    await within(5, again.seen(5))
    looked = time.monotonic()
    again.contend()
    await within(5, again.won())
    since = again.alone_since
    assert since is not None
    assert since <= looked
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_busy_process_keeps_the_lease(client: KubeClient, name: str) -> None:
    """20,000 events at once take longer than a Lease that nobody renews."""
    async with contending(client, name, "a|10.0.0.1") as first:
        term = await within(5, first.won())
        async with contending(client, name, "b|10.0.0.2") as other:
            made = await lease(client, name)
            time.sleep(DURATION + 2)  # noqa: ASYNC251 (the loop of both)
            assert (first.term, other.term) == (term, None)
            kept = await lease(client, name)
        assert (kept["holderIdentity"], kept["acquireTime"]) == ("a|10.0.0.1", made["acquireTime"])


async def test_nothing_of_it_is_left_when_it_ends(client: KubeClient, name: str) -> None:
    async with contending(client, name, "a|10.0.0.1") as election:
        await within(5, election.won())
        assert threads() == ["lease"]
    async with asyncio.timeout(5):
        while threads():
            await asyncio.sleep(0.01)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "lease"]


async def test_a_term_ends_when_somebody_else_holds_it(client: KubeClient, name: str) -> None:
    async with contending(client, name, "a|10.0.0.1") as election:
        term = await election.won()
        while True:
            found = await client.get(LEASES, name, namespace="default")
            found["spec"] |= {"holderIdentity": "", "leaseTransitions": 7}
            try:
                await client.replace(LEASES, found, namespace="default")
                break
            except ApiError:
                continue  # it was just renewed
        await within(5, election.lost(term))
        while (await within(5, election.won())) != term + 1:
            await asyncio.sleep(0.05)


async def test_whoever_may_not_write_writes_nothing(client: KubeClient, name: str) -> None:
    client.seconds_to_write = lambda: 0.0
    with pytest.raises(ApiError) as refused:
        await client.create(SECRETS, {"metadata": {"name": name}}, namespace="default")
    assert (refused.value.unavailable, refused.value.reason) == (True, "NotLeading")
    with pytest.raises(ApiError):
        await client.delete(SECRETS, name, namespace="default")
    client.seconds_to_write = lambda: 5.5
    with pytest.raises(ApiError) as missing:
        await client.get(SECRETS, name, namespace="default")
    assert missing.value.not_found
