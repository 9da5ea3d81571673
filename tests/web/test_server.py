"""Draining: what has begun is answered, even if its body is still on the way; nothing new is let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from scim_operator.web.server import Listener, Server
from tests.cluster.ports import free_ports


class Served:
    """A server with an echo, and connections to it."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.begun = asyncio.Event()
        app = web.Application()
        app.router.add_post("/", self._echo)
        self.server = Server("127.0.0.1", [Listener("scim", app, self.port)])

    async def _echo(self, request: web.Request) -> web.Response:
        self.begun.set()
        return web.Response(text=await request.text())

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    made.server.open()
    await made.server.start()
    yield made
    await made.server.drain()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n"


async def test_request_under_way_is_answered_though_its_body_comes_late(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(HEAD + b"half")
    await served.begun.wait()
    drain = asyncio.create_task(served.server.drain())
    await asyncio.sleep(0.2)
    with pytest.raises(OSError):
        await served.connect()
    assert not drain.done()
    writer.write(b"half")
    async with asyncio.timeout(5):
        answer = await reader.read()
        await drain
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"halfhalf")
    assert b"Connection: close" in answer
    writer.close()


async def test_idle_connections_do_not_hold_it_up(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(HEAD + b"halfhalf")
    await reader.readuntil(b"halfhalf")
    async with asyncio.timeout(5):
        await served.server.drain()
        assert await reader.read() == b""
    writer.close()
