"""What the API server refuses for a moment ends no watch: kopf, the API server, and a proxy that refuses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer, unused_port
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException

from scim_operator.handlers import running
from scim_operator.handlers.session import connection
from scim_operator.kube.credentials import Credentials, load_credentials
from scim_operator.kube.resources import NAMESPACES, Resource
from tests.cluster.cluster import Cluster
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy

SPACE = "refused"
LOGGER = "scim_operator.handlers.session"
Told = set[tuple[Resource, str | None, str]]


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster, name="refusing") as made:
        yield made


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    """Of somebody who may watch everything."""
    cluster.kubectl("create", "namespace", SPACE)
    cluster.kubectl("create", "serviceaccount", "watcher", "-n", SPACE)
    account = f"--serviceaccount={SPACE}:watcher"
    cluster.kubectl("create", "clusterrolebinding", SPACE, "--clusterrole=cluster-admin", account)
    return cluster.service_account_token("watcher", SPACE)


def once_each(seen: Call, refused: set[tuple[str, bool]]) -> bool:
    """Whether this is the first call of a path: discovery, lists, watches."""
    before = len(refused)
    refused.add((seen.path, seen.watch))
    return len(refused) > before


@asynccontextmanager
async def watching(cluster: Cluster, proxy: FaultProxy, token: str) -> AsyncIterator[Told]:
    """What kopf tells meanwhile; it must come to its end by itself."""
    told: Told = set()
    stop = asyncio.Event()

    def observe(resource: Resource, event: str | None, obj: Any) -> None:
        told.add((resource, event, obj["metadata"]["name"]))

    async def nothing() -> None:
        """Neither server nor Lease here."""

    login = await load_credentials(str(cluster.kubeconfig_for(token, endpoint=proxy.endpoint)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            running.run(stop=stop, on_start=nothing, on_stop=nothing, login=login, observe=observe)
        )
        try:
            yield told
        finally:
            stop.set()
            proxy.faults = ()


async def seen(told: Told, *wanted: tuple[Resource, str | None, str]) -> None:
    async with asyncio.timeout(30):
        while not told.issuperset(wanted):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("status", [400, 401, 409, 410, 422])
async def test_what_is_refused_once_is_asked_for_again(
    cluster: Cluster,
    proxy: FaultProxy,
    token: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
    never_given_up: None,
) -> None:
    refused: set[tuple[str, bool]] = set()
    proxy.faults = [Fault(Kind.STATUS, only=lambda call: once_each(call, refused), status=status)]
    name = f"refused-with-{status}"
    with caplog.at_level(logging.WARNING, LOGGER):
        async with watching(cluster, proxy, token) as told:
            await seen(told, (NAMESPACES, None, SPACE))
            await asyncio.to_thread(cluster.kubectl, "create", "namespace", name)
            await seen(told, (NAMESPACES, "ADDED", name))
    assert {("/apis", False), ("/api/v1/namespaces", False), ("/api/v1/namespaces", True)} <= refused
    logged = [line for line in caplog.records if line.name == LOGGER]
    assert {"/api/v1/namespaces"} <= {vars(line)["path"] for line in logged}
    assert {(vars(line)["status"], "by the fault proxy" in vars(line)["said"]) for line in logged} == {
        (status, True)
    }
    assert not [line for line in caplog.records if token in f"{vars(line)}"]


async def test_further_pages_that_are_refused_begin_anew(
    cluster: Cluster, proxy: FaultProxy, token: str, monkeypatch: pytest.MonkeyPatch, never_given_up: None
) -> None:
    """As after five minutes: their token is too old, and stays so."""
    small = running.settings()
    small.watching.chunk_size = 1
    monkeypatch.setattr(running, "settings", lambda *_: small)
    pages: list[str] = []

    def refused(call: Call) -> bool:
        if not call.path.endswith("/api/v1/namespaces") or call.watch:
            return False
        pages.append("further" if call.continued else "first")
        return call.continued and pages.count("further") <= 2

    proxy.faults = [Fault(Kind.STATUS, only=refused, status=410)]
    async with watching(cluster, proxy, token) as told:
        await seen(told, (NAMESPACES, None, "default"), (NAMESPACES, None, SPACE))
    assert pages[:5] == ["first", "further", "first", "further", "first"]


@asynccontextmanager
async def answering(status: int, **headers: str) -> AsyncIterator[tuple[BaseTestServer, list[str]]]:
    """A server, and the Authorization headers that it was sent."""
    sent: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.headers.get("Authorization", ""))
        return web.Response(status=status, headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    async with TestServer(application) as server:
        yield server, sent


@asynccontextmanager
async def session(server: BaseTestServer, patience: float = 60.0) -> AsyncIterator[aiohttp.ClientSession]:
    configuration = Configuration(host=f"http://{server.host}:{server.port}")
    configuration.api_key["authorization"] = "a-token"
    made = connection(Credentials(configuration), pause=0.01, patience=patience)
    async with made.aiohttp_session as opened:
        yield opened


async def test_nobody_else_is_shown_the_token() -> None:
    async with (
        answering(200) as (other, shown),
        answering(302, Location=str(other.make_url("/"))) as (server, sent),
        session(server) as opened,
    ):
        with pytest.raises(aiohttp.ClientConnectionError, match="302"):
            await opened.get(server.make_url("/apis"))
        assert (sent, shown) == (["Bearer a-token"], [])


async def test_what_is_refused_for_long_ends_the_watches() -> None:
    """By an error that kopf knows nothing of: a new process may know better."""
    async with answering(410) as (server, _), session(server, patience=0.2) as opened:
        for query in ("limit=500", "watch=true"):
            watched = server.make_url(f"/api/v1/namespaces?{query}")
            began = time.monotonic()
            with pytest.raises(aiohttp.ClientPayloadError):
                await opened.get(watched)
            while time.monotonic() - began < 0.3:
                with contextlib.suppress(aiohttp.ClientError):
                    await opened.get(watched)
            with pytest.raises(aiohttp.ClientError) as ended:
                await opened.get(watched)
            assert not isinstance(ended.value, aiohttp.ClientPayloadError | aiohttp.ClientConnectionError)


async def test_what_is_refused_before_and_after_an_outage_goes_on() -> None:
    """A process that begins anew meanwhile would know nothing."""
    async with answering(410) as (server, _), session(server, patience=0.2) as opened:
        watched = server.make_url("/api/v1/namespaces?watch=true")
        with pytest.raises(aiohttp.ClientPayloadError):
            await opened.get(watched)
        with pytest.raises(aiohttp.ClientConnectionError):
            await opened.get(watched.with_port(unused_port()))
        await asyncio.sleep(0.3)
        with pytest.raises(aiohttp.ClientPayloadError):
            await opened.get(watched)


async def test_a_token_that_cannot_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: Any, **__: Any) -> str:
        raise ConfigException("Token file exists but empty.")

    async with answering(200) as (server, _), session(server) as opened:
        with monkeypatch.context() as patched:
            patched.setattr(Configuration, "get_api_key_with_prefix", unreadable)
            with pytest.raises(aiohttp.ClientConnectionError, match="empty"):
                await opened.get(server.make_url("/apis"))
        assert (await opened.get(server.make_url("/apis"))).status == 200
