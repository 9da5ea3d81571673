"""Answers that no API server gives, but a proxy in front of one does, or none: an ApiError that says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import SECRETS

LOGIN = "<html>hunter2</html>"
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "http://127.0.0.1:%d"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
users: [{name: a, user: {}}]
"""


class Proxy:
    """Answers 200 with `text`, whatever is asked; or nothing."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.text = ""
        self.hangs = False

    async def answer(self, _: web.Request) -> web.Response:
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(text=self.text, content_type="text/html")


@pytest_asyncio.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    application = web.Application()
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    made: list[Proxy] = []

    async def answer(request: web.Request) -> web.Response:
        return await made[0].answer(request)

    application.router.add_route("*", "/{path:.*}", answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG % runner.addresses[0][1])
    async with KubeClient(await load_credentials(str(path))) as client:
        made.append(Proxy(client))
        yield made[0]
    await runner.cleanup()


async def watched(client: KubeClient) -> None:
    async for _ in client.watch(SECRETS, "0"):
        pass


CALLS: dict[str, Callable[[KubeClient], Awaitable[object]]] = {
    "get": lambda client: client.get(SECRETS, "a", namespace="ns"),
    "list": lambda client: client.list(SECRETS),
    "create": lambda client: client.create(SECRETS, {"metadata": {"name": "a"}}, namespace="ns"),
    "patch": lambda client: client.merge_patch(SECRETS, "a", {}, namespace="ns"),
    "delete": lambda client: client.delete(SECRETS, "a", namespace="ns"),
    "watch": watched,
}


TEXTS = [LOGIN, "", "null", "[]", '"hunter2"', '{"a": ']
# A watch without a line has ended, no more.
CASES = [(call, text) for call in CALLS for text in TEXTS if text or call != "watch"]


@pytest.mark.parametrize(("call", "text"), CASES)
async def test_what_is_no_object_is_an_error(proxy: Proxy, call: str, text: str) -> None:
    proxy.text = text
    with pytest.raises(ApiError) as told:
        await CALLS[call](proxy.client)
    assert told.value.unavailable
    assert "hunter2" not in str(told.value)
    if call != "watch":
        assert "is there a proxy in front of the API server?" in str(told.value)
        assert "/api/v1/" in str(told.value)
        assert "200 and text/html" in str(told.value)


@pytest.mark.parametrize("text", ["{}", '{"items": null, "metadata": {}}', '{"items": [], "metadata": []}'])
async def test_list_that_is_none(proxy: Proxy, text: str) -> None:
    proxy.text = text
    with pytest.raises(ApiError, match="no list of objects"):
        await proxy.client.list(SECRETS)


@pytest.mark.parametrize("text", ["{}\n", '{"type": "ADDED"}\n', '{"type": 1, "object": {}}\n'])
async def test_watch_that_tells_no_event(proxy: Proxy, text: str) -> None:
    proxy.text = text
    with pytest.raises(ApiError, match="no event"):
        await watched(proxy.client)


@pytest.mark.long
async def test_a_list_of_which_nothing_comes_ends_sooner_than_a_slow_one(proxy: Proxy) -> None:
    """As of an API server whose machine is gone: nobody hangs up. Whoever is to lead waits for it."""
    proxy.hangs = True
    began = time.monotonic()
    with pytest.raises(ApiError, match="no answer"):
        await proxy.client.list(SECRETS)
    assert 15 < time.monotonic() - began < 28
