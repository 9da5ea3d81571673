"""Connections between replicas that break, or never come about; and requests that just fit into them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from scim_operator.web.forwarding import Forwarder, server_tls
from scim_operator.web.relay import NotAnsweredError, Relay
from scim_operator.web.requests import CALL, REQUEST_ID, Call
from tests.cluster.pki import Authority
from tests.web.endpoint import TOKENS, Endpoint, Served
from tests.web.leadership import Lead

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates that replicas show each other."""
    made = tmp_path_factory.mktemp("internal")
    Authority(made, "ca").issue("tls", "scim-operator-internal", hosts=["scim-operator-internal"])
    return made


@asynccontextmanager
async def forwarding(folder: Path, port: int) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(port, folder)
    try:
        yield forwarder
    finally:
        await forwarder.close()


def asked(method: str) -> web.Request:
    request = make_mocked_request(method, "/scim/v2/entra/Users/x", headers={"Host": "h"})
    request[REQUEST_ID], request[CALL] = "id-1", Call()
    return request


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
async def test_what_was_cut_off_is_sent_once_and_may_have_been_done(
    folder: Path, method: str, lives: bool
) -> None:
    """The leader carries it out, then the connection breaks; and nobody listens any more, if it died."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if not lives:
            server.close()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls(folder))
    async with forwarding(folder, server.sockets[0].getsockname()[1]) as forwarder:
        with pytest.raises(NotAnsweredError) as caught:
            await forwarder.forward("127.0.0.1", asked(method), False)
    server.close()
    assert (len(seen), caught.value.begun) == (1, True)


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port on which connections aren't answered, as in a network that was cut."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listening.getsockname())
        yield listening.getsockname()[1]
        for one in waiting:
            one.close()


async def test_where_no_connection_comes_about_nothing_was_done(folder: Path, deaf: int) -> None:
    async with forwarding(folder, deaf) as forwarder:
        with pytest.raises(NotAnsweredError) as caught:
            await forwarder.forward("127.0.0.1", asked("DELETE"), False)
    assert not caught.value.begun


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        ("HTTP/1.1", "Host: h\r\n" + "".join(f"A{number}: b\r\n" for number in range(124)), b"200"),
        ("HTTP/1.0", "", b"400"),
    ],
    ids=["as many headers as are read", "no host"],
)
async def test_the_answer_is_the_same_directly_and_passed_on(
    folder: Path, version: str, headers: str, status: bytes
) -> None:
    leads = Endpoint()
    hop = Served(leads.scim.internal_application())
    await hop.start_server(ssl=server_tls(folder))
    request = (
        f"GET /scim/v2/entra/ServiceProviderConfig {version}\r\n{headers}"
        f"Connection: close\r\nAuthorization: Bearer {TOKENS['entra']}\r\n\r\n"
    ).encode()
    assert hop.port
    async with forwarding(folder, hop.port) as forwarder, leads.http:
        stands_by = Endpoint(
            relay=Relay(Lead(leader="127.0.0.1"), asyncio.get_running_loop().time, forwarder.forward)
        )
        async with stands_by.http:
            answers = [await one.raw(request) for one in (leads, stands_by)]
    await hop.close()
    assert [answer.split()[1] for answer in answers] == [status] * 2
