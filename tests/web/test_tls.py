"""Certificates that change while connections stand and others are made: real handshakes on real sockets."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from scim_operator.web.forwarding import SERVER_NAME
from scim_operator.web.server import Listener, Server
from scim_operator.web.tls import SHOW_OLD_SECONDS, TRUST_OLD_SECONDS, between_replicas, for_providers
from tests.cluster.mount import mount
from tests.cluster.pki import Authority
from tests.cluster.ports import free_ports

HOST = "127.0.0.1"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n"
Secret = dict[str, bytes]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def secret(folder: Path, authority: Authority, name: str) -> Secret:
    """One that says who it is by its organization."""
    pair = authority.issue(name, SERVER_NAME, name, hosts=[SERVER_NAME])
    files = (authority.path, pair.certificate, pair.key)
    return {key: path.read_bytes() for key, path in zip(("ca.crt", "tls.crt", "tls.key"), files, strict=True)}


def shown(writer: asyncio.StreamWriter) -> str:
    """Who the other side said it is."""
    subject: tuple[tuple[tuple[str, str]]] = writer.get_extra_info("peercert")["subject"]
    return next(value for ((key, value),) in subject if key == "organizationName")


# --- the port for providers ------------------------------------------------------------------------------


class Endpoint:
    """An echo over TLS, as the operator serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.secrets = {name: secret(folder, self.authority, name) for name in ("first", "second", "third")}
        self.mounted = mount(folder / "mounted", self.secrets["first"])
        (self.port,) = free_ports(1)

    async def connect(self, **options: ssl.TLSVersion) -> Connection:
        trusting = ssl.create_default_context(cafile=str(self.authority.path))
        for name, value in options.items():
            setattr(trusting, name, value)
        return await asyncio.open_connection(HOST, self.port, ssl=trusting, server_hostname=SERVER_NAME)

    async def shows(self) -> str:
        _, writer = await self.connect()
        name = shown(writer)
        writer.close()
        return name


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=await request.text())


@pytest.fixture
def endpoint(tmp_path: Path) -> Endpoint:
    return Endpoint(tmp_path)


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/", echo)
    server = Server(HOST, [Listener("scim", app, endpoint.port, for_providers(endpoint.mounted))])
    server.open()
    await server.start()
    yield
    await server.drain()


async def exchange(connection: Connection, body: bytes, *, begun: bool = False) -> bytes:
    reader, writer = connection
    writer.write(body if begun else HEAD + body)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        return head.split(b"\r\n")[0] + b" " + await reader.readexactly(8)


async def test_a_rotated_certificate_is_shown_at_once_and_ends_no_connection(endpoint: Endpoint) -> None:
    async with serving(endpoint):
        idle, halfway = await endpoint.connect(), await endpoint.connect()
        assert await exchange(idle, b"idle....") == b"HTTP/1.1 200 OK idle...."
        halfway[1].write(HEAD + b"half")
        mount(endpoint.mounted, endpoint.secrets["second"])
        assert await endpoint.shows() == "second"
        assert await exchange(halfway, b"way.", begun=True) == b"HTTP/1.1 200 OK halfway."
        assert await exchange(idle, b"again...") == b"HTTP/1.1 200 OK again..."
        assert {shown(idle[1]), shown(halfway[1])} == {"first"}
        mount(endpoint.mounted, endpoint.secrets["third"])
        assert await endpoint.shows() == "third"
        for _, writer in (idle, halfway):
            writer.close()


BROKEN: dict[str, Callable[[Endpoint], Secret]] = {
    "another's key": lambda of: of.secrets["first"] | {"tls.key": of.secrets["second"]["tls.key"]},
    "no PEM": lambda of: of.secrets["second"] | {"tls.crt": b"\xff none"},
    "an empty key": lambda of: of.secrets["second"] | {"tls.key": b""},
    "no key": lambda of: {"tls.crt": of.secrets["second"]["tls.crt"]},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_what_cannot_be_used_is_told_once_and_not_used(
    endpoint: Endpoint, broken: Callable[[Endpoint], Secret], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(endpoint):
        assert await endpoint.shows() == "first"
        mount(endpoint.mounted, broken(endpoint))
        assert [await endpoint.shows() for _ in range(3)] == ["first"] * 3
        (said,) = (record for record in caplog.records if record.levelno == logging.ERROR)
        assert f"what is in {endpoint.mounted} can't be used" in said.getMessage()
        assert "PRIVATE" not in said.getMessage()
        mount(endpoint.mounted, endpoint.secrets["second"])
        assert await endpoint.shows() == "second"


async def test_tls_1_1_is_refused_and_1_2_is_not(endpoint: Endpoint) -> None:
    async with serving(endpoint):
        _, writer = await endpoint.connect(maximum_version=ssl.TLSVersion.TLSv1_2)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()
        with pytest.raises(OSError), pytest.warns(DeprecationWarning):
            await endpoint.connect(
                minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1
            )


def test_it_does_not_start_with_what_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"must have tls\.crt, tls\.key, in PEM"):
        for_providers(tmp_path)


# --- between replicas ------------------------------------------------------------------------------------


class Replica:
    """The two ends that one replica has of the internal port, at a time that the test tells."""

    def __init__(self, folder: Path, content: Secret, clock: Callable[[], float]) -> None:
        self.mounted = mount(folder, content)
        self.serves = between_replicas(ssl.Purpose.CLIENT_AUTH, self.mounted, clock)
        self.calls = between_replicas(ssl.Purpose.SERVER_AUTH, self.mounted, clock)


async def call(caller: Replica, called: Replica) -> tuple[str, str]:
    """A connection made anew. -> whose certificates the caller and the called saw."""
    seen: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(shown(writer))
        writer.write(b"!")
        writer.close()

    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(answer, HOST, 0, ssl=called.serves)
        await stack.enter_async_context(server)
        reader, writer = await asyncio.open_connection(
            *server.sockets[0].getsockname(), ssl=caller.calls, server_hostname=SERVER_NAME
        )
        stack.callback(writer.close)
        seen.insert(0, shown(writer))
        async with asyncio.timeout(5):
            if await reader.read() != b"!":  # in TLS 1.3 a refused client learns it with the first answer
                raise ConnectionError("hung up")
    return seen[0], seen[1]


async def test_replicas_reach_each_other_through_a_rotation_of_their_authority(tmp_path: Path) -> None:
    """The Secret comes to one pod, a minute later to the other: at no time one refuses the other."""
    old, new = (secret(tmp_path / n, Authority(tmp_path / n, "authority"), n) for n in ("old", "new"))
    time = 1000.0
    first, second = (Replica(tmp_path / name, old, lambda: time) for name in ("first", "second"))
    thief, heir = (
        Replica(tmp_path / name, content, lambda: time) for name, content in (("thief", old), ("heir", new))
    )

    async def both() -> set[tuple[str, str]]:
        return {await call(first, second), await call(second, first)}

    assert await both() == {("old", "old")}
    mount(first.mounted, new)
    assert await both() == {("old", "old")}
    time += 60
    mount(second.mounted, new)
    assert await both() == {("old", "old")}
    # A pod that starts only now knows the new one alone.
    with pytest.raises(OSError):
        await call(heir, first)
    time += SHOW_OLD_SECONDS - 60
    assert await both() == {("old", "new"), ("new", "old")}
    assert await call(heir, first) == ("new", "new")
    time += 60
    assert await both() == {("new", "new")}
    time += TRUST_OLD_SECONDS
    assert await both() == {("new", "new")}
    for one in (first, second):
        with pytest.raises(OSError):
            await call(thief, one)
        with pytest.raises(OSError):
            await call(one, thief)


async def test_a_certificate_renewed_by_the_same_authority_is_shown_at_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    old, new = (secret(tmp_path, authority, name) for name in ("old", "new"))
    first, second = (Replica(tmp_path / name, old, lambda: 0.0) for name in ("first", "second"))
    assert await call(first, second) == ("old", "old")
    mount(first.mounted, new)
    assert await call(first, second) == ("old", "new")
    assert await call(second, first) == ("new", "old")
