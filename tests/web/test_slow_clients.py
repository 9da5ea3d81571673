"""Whoever is slow, or many, keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from scim_operator.web import bodies
from scim_operator.web.connections import Patience
from scim_operator.web.metrics import HUNG_UP
from scim_operator.web.relay import Relay
from scim_operator.web.server import MAX_LINE
from scim_operator.web.throttle import Rates
from tests.directory import people
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.leadership import Lead
from tests.web.test_no_http import error_of

SOON = 10.0  # seconds; of what takes a fraction of one
TOKEN = f"Authorization: Bearer {TOKENS['entra']}\r\n".encode()
LIST = b"GET /scim/v2/entra/Users HTTP/1.1\r\nHost: x\r\n" + TOKEN + b"\r\n"
POST = b"POST /scim/v2/entra/Users HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n"


@asynccontextmanager
async def served(endpoint: Endpoint | None = None, **patience: float) -> AsyncIterator[Endpoint]:
    endpoint = endpoint or Endpoint()
    await endpoint.server.start_server(
        max_line_size=MAX_LINE,
        auto_decompress=False,
        patience=Patience(**patience),  # type: ignore[arg-type]
    )
    async with endpoint.http:
        yield endpoint


class Caller:
    """A connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def at(cls, endpoint: Endpoint, sends: bytes = b"", limit: int = 2**16) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.server.port, limit=limit)
        writer.write(sends)
        return cls(reader, writer)

    async def hears(self) -> bytes:
        """All until the operator hangs up."""
        try:
            return await asyncio.wait_for(self.reader.read(), SOON)
        except ConnectionResetError:
            return b""

    async def asks(self) -> int:
        """A request on this connection. -> its status"""
        self.writer.write(LIST)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SOON)
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split(b" ")[1])


def hung_up(reason: str) -> float:
    return float(HUNG_UP.labels(reason)._value.get())


@pytest.mark.parametrize("head", [b"G", LIST[:-2], b"GET / HTTP/1.1\r\nX: " + b"a" * 5000])
async def test_head_that_never_ends(head: bytes) -> None:
    before = hung_up("slow_head")
    async with served(head=0.2) as endpoint:
        slow = await Caller.at(endpoint, head)
        status, detail = error_of(await slow.hears())
        assert (status, detail) == (408, "the head of the request didn't come within 0.2 seconds")
    assert hung_up("slow_head") == before + 1


async def test_head_that_comes_in_drops() -> None:
    """Another byte buys no more time."""
    before = hung_up("slow_head")
    async with served(head=0.3) as endpoint:
        slow = await Caller.at(endpoint)
        for byte in LIST:
            slow.writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
            if hung_up("slow_head") > before:
                break  # what came now would be answered with a reset, which may overtake the answer
        assert error_of(await slow.hears())[0] == 408


async def test_connection_may_rest_between_requests() -> None:
    async with served(head=0.1) as endpoint:
        calm = await Caller.at(endpoint)
        for _ in range(3):
            await asyncio.sleep(0.3)
            calm.writer.write(b"\r\n")  # some send it behind a body
            assert await calm.asks() == 200
        calm.writer.write(POST + TOKEN + b"\r\n")
        await asyncio.sleep(0.3)  # the head has come; a body has a time of its own
        calm.writer.write(b'{"userName":"ada"}' + LIST)
        assert b" 201 " in await asyncio.wait_for(calm.reader.readline(), SOON)


async def test_body_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    async with served() as endpoint:
        slow = await Caller.at(endpoint, POST + TOKEN + b"\r\n" + b'{"userName"')
        async with asyncio.timeout(SOON):
            head = await slow.reader.readuntil(b"\r\n\r\n")
        assert b" 408 " in head
        assert b"application/scim+json" in head
        assert endpoint.api.writes == []
        slow.writer.close()


async def test_slow_bodies_at_a_replica_that_passes_on() -> None:
    """One directory's take no more connections there than they may take of the leader's time."""

    async def passed_on(address: str, request: web.Request, begun: bool) -> web.Response:
        return web.Response(status=201)

    relay = Relay(Lead(leader="a"), time.monotonic, passed_on)
    async with served(Endpoint(rates=Rates(1000, at_once=3), relay=relay), connections=10) as endpoint:

        async def post(directory: str) -> int:
            body = {"userName": "ada"}
            answer = await endpoint.ask("POST", "/Users", body, directory=directory, token=TOKENS[directory])
            assert answer.status != 429 or answer.headers["Retry-After"] == "1"
            return answer.status

        slow = [await Caller.at(endpoint, POST + TOKEN + b"\r\n{") for _ in range(20)]
        await eventually(lambda: post("entra"), 429)
        assert await post("okta") == 201
        for one in slow:
            one.writer.close()
        await eventually(lambda: post("entra"), 201)


async def eventually(ask: Callable[[], Awaitable[int]], status: int) -> None:
    async with asyncio.timeout(SOON):
        while await ask() != status:
            await asyncio.sleep(0.02)


async def test_body_of_a_stranger_is_not_waited_for() -> None:
    async with served() as endpoint:
        slow = await Caller.at(endpoint, POST + b"\r\n{")
        async with asyncio.timeout(SOON):
            assert b" 401 " in await slow.reader.readuntil(b"\r\n\r\n")
        slow.writer.close()


async def test_answer_that_nobody_takes() -> None:
    before = hung_up("slow_reader")
    async with served(answer=0.3) as endpoint:
        for number in range(100):
            endpoint.index.put(people.user(f"u{number}", nickName="x" * 100_000))
        slow = await Caller.at(endpoint, LIST, limit=1000)
        async with asyncio.timeout(SOON):
            while hung_up("slow_reader") == before:
                await asyncio.sleep(0.05)
        assert len(await slow.hears()) < 10_000_000, "it was cut off"
        assert (await endpoint.ask("GET", "/Users?count=1")).status == 200


@pytest.mark.parametrize(
    "sends",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /scim", id="a part of a head"),
        pytest.param(POST + b"\r\n{", id="a part of a body, without a token"),
    ],
)
async def test_many_slow_ones_keep_nobody_out(sends: bytes) -> None:
    async with served(connections=10) as endpoint:
        slow = [await Caller.at(endpoint, sends) for _ in range(30)]
        for _ in range(5):
            quick = await Caller.at(endpoint)
            assert [await quick.asks() for _ in range(3)] == [200] * 3
        runner = endpoint.server.runner
        assert runner and runner.server
        assert len(runner.server.connections) <= 10
        for one in slow:
            one.writer.close()


async def test_who_is_being_answered_is_let_finish() -> None:
    async with served(connections=5) as endpoint:
        going = asyncio.Event()

        async def wait(verb: str, plural: str) -> None:
            await going.wait()

        endpoint.api.before = wait
        working = await Caller.at(endpoint, POST + TOKEN + b"\r\n" + b'{"userName":"ada"}')
        for _ in range(20):
            await Caller.at(endpoint, b"GET")
        assert await (await Caller.at(endpoint)).asks() == 200
        going.set()
        assert b" 201 " in await asyncio.wait_for(working.reader.readline(), SOON)


async def test_when_all_are_being_answered_the_new_one_goes() -> None:
    before = hung_up("crowded")
    async with served(connections=2) as endpoint:
        going = asyncio.Event()
        arrived = asyncio.Semaphore(0)

        async def wait(verb: str, plural: str) -> None:
            arrived.release()
            await going.wait()

        endpoint.api.before = wait
        working = [
            await Caller.at(endpoint, POST + TOKEN + b"\r\n" + b'{"userName":"%s"}' % name)
            for name in (b"ada", b"bob")
        ]
        for _ in working:
            await asyncio.wait_for(arrived.acquire(), SOON)
        assert await (await Caller.at(endpoint, LIST)).hears() == b""
        going.set()
        for one in working:
            assert b" 201 " in await asyncio.wait_for(one.reader.readline(), SOON)
    assert hung_up("crowded") == before + 1


async def test_of_addresses_the_one_with_most_gives_way() -> None:
    """127.0.0.2 opens many, 127.0.0.1 had one before."""
    async with served(connections=6) as endpoint:
        calm = await Caller.at(endpoint)
        assert await calm.asks() == 200
        for _ in range(20):
            await asyncio.open_connection("127.0.0.1", endpoint.server.port, local_addr=("127.0.0.2", 0))
        await asyncio.sleep(0.1)
        assert await calm.asks() == 200
