"""How a write leaves: once, and never for longer than this replica may write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import SECRETS
from tests.kube.test_foreign_answers import KUBECONFIG

Act = Callable[[asyncio.StreamWriter], None]


class Server:
    """Notes the first line of each request, and cuts the connection or hangs, as `act` says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.act: Act = lambda writer: writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.lines.append(head.decode().splitlines()[0])
        self.act(writer)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    yield Server()


@pytest_asyncio.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[KubeClient]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG % listening.sockets[0].getsockname()[1])
    async with KubeClient(await load_credentials(str(path))) as made:
        yield made
    listening.close()


async def test_a_write_that_is_cut_off_does_not_leave_again(client: KubeClient, server: Server) -> None:
    """aiohttp would send PUT and DELETE once more by itself."""
    for write in (
        client.replace(SECRETS, {"metadata": {"name": "x"}}, namespace="default"),
        client.delete(SECRETS, "x", namespace="default"),
    ):
        with pytest.raises(ApiError) as cut:
            await write
        assert cut.value.unavailable
    assert [line.split()[0] for line in server.lines] == ["PUT", "DELETE"]


async def test_a_write_ends_with_the_time_to_write(client: KubeClient, server: Server) -> None:
    """The API server is told, too: a call that we gave up on must not be carried out later."""
    server.act = lambda writer: None
    client.seconds_to_write = lambda: 0.25
    with pytest.raises(ApiError) as late:
        async with asyncio.timeout(5):
            await client.create(SECRETS, {"metadata": {"name": "x"}}, namespace="default")
    assert late.value.unavailable
    assert server.lines == ["POST /api/v1/namespaces/default/secrets?timeout=0.250s HTTP/1.1"]


async def test_who_always_may_sets_no_time(client: KubeClient, server: Server) -> None:
    with pytest.raises(ApiError):
        await client.create(SECRETS, {"metadata": {"name": "x"}}, namespace="default")
    assert server.lines == ["POST /api/v1/namespaces/default/secrets HTTP/1.1"]
