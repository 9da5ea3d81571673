"""Passing on over TLS to a leader that answers, refuses or breaks off; and what is known then."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from scim_operator.web.forwarding import SERVER_NAME, Forwarder, server_tls
from scim_operator.web.relay import NotAnsweredError
from scim_operator.web.requests import CALL, REQUEST_ID, Call
from tests.cluster.pki import Authority
from tests.cluster.ports import free_ports

HOST = "127.0.0.1"
GONE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return certificates(tmp_path, SERVER_NAME)


def certificates(folder: Path, name: str) -> Path:
    """As the chart's Secret holds them."""
    authority = Authority(folder, "ca")
    pair = authority.issue("tls", name, hosts=[name])
    assert (authority.path, pair.certificate, pair.key) == tuple(
        folder / file for file in ("ca.crt", "tls.crt", "tls.key")
    )
    return folder


class Leader:
    """Answers in turn what it is told to; an empty answer is a connection that is cut. Then it is gone."""

    server: asyncio.Server

    def __init__(self, port: int, *answers: bytes) -> None:
        self.port = port
        self.heads: list[bytes] = []
        self._answers = list(answers)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._answers.pop(0))
        if not self._answers:
            self.server.close()
        writer.close()


@asynccontextmanager
async def leading(folder: Path, *answers: bytes) -> AsyncIterator[tuple[Leader, Forwarder]]:
    leader = Leader(free_ports(1)[0], *answers)
    forwarder = Forwarder(leader.port, folder)
    leader.server = await asyncio.start_server(leader.talk, HOST, leader.port, ssl=server_tls(folder))
    async with leader.server:
        yield leader, forwarder
        await forwarder.close()


def request(method: str = "DELETE") -> web.Request:
    headers = {"Authorization": "Bearer x", "Host": "scim.example.com", "Connection": "close"}
    made = make_mocked_request(method, "/scim/v2/entra/Users/1?a=b%20c", headers)
    made[REQUEST_ID], made[CALL] = "the-id", Call()
    return made


async def test_the_request_arrives_as_it_came(folder: Path) -> None:
    async with leading(folder, GONE) as (leader, forwarder):
        asked = request()
        answer = await forwarder.forward(HOST, asked, False)
        assert (answer.status, answer.body, asked[CALL].leader) == (404, b"{}", HOST)
        head = leader.heads[0].decode()
        assert head.startswith("DELETE /scim/v2/entra/Users/1?a=b%20c HTTP/1.1\r\n")
        for line in ("Authorization: Bearer x", "Host: scim.example.com", "X-Request-Id: the-id"):
            assert f"\r\n{line}\r\n" in head
        assert "Repeated" not in head


async def test_a_delete_that_was_cut_off_is_said_to_be_repeated(folder: Path) -> None:
    """aiohttp sends it again by itself, and its second answer would be that nobody is there."""
    async with leading(folder, b"", GONE, GONE) as (leader, forwarder):
        with pytest.raises(NotAnsweredError) as cut:
            await forwarder.forward(HOST, request(), False)
        assert cut.value.begun
        assert (await forwarder.forward(HOST, request(), True)).status == 404
        assert b"Scim-Operator-Repeated: true\r\n" in leader.heads[-1]


async def test_a_delete_that_was_cut_off_by_an_end(folder: Path) -> None:
    """The second try, of aiohttp's own, meets nobody."""
    async with leading(folder, b"") as (_, forwarder):
        with pytest.raises(NotAnsweredError) as cut:
            await forwarder.forward(HOST, request(), False)
        assert cut.value.begun


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_nobody_there_is_nothing_begun(folder: Path, method: str) -> None:
    forwarder = Forwarder(free_ports(1)[0], folder)
    with pytest.raises(NotAnsweredError) as refused:
        await forwarder.forward(HOST, request(method), False)
    assert not refused.value.begun
    await forwarder.close()


async def test_strangers_on_either_side_are_refused(folder: Path, tmp_path: Path) -> None:
    """Of another CA, or of this one by another name."""
    for name in (SERVER_NAME, "somebody-else"):
        strange = certificates(tmp_path / name, name)
        async with leading(strange, GONE) as (leader, _):
            forwarder = Forwarder(leader.port, folder)
            with pytest.raises(NotAnsweredError):
                await forwarder.forward(HOST, request(), False)
            await forwarder.close()
            assert leader.heads == []
    async with leading(folder, GONE) as (leader, _):
        forwarder = Forwarder(leader.port, tmp_path / SERVER_NAME)
        with pytest.raises(NotAnsweredError):
            await forwarder.forward(HOST, request(), False)
        await forwarder.close()
        assert leader.heads == []


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises((OSError, ssl.SSLError)):
        server_tls(tmp_path)
