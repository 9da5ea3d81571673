"""HTTP/1.1 at a tenth of what a whole client costs, so that a load client on one core isn't what is measured.

One request at a time on each connection, which is kept; answers must tell their length. Nothing else is read.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import orjson

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
# What must be answered at all.
_LONGEST_SECONDS = 60.0


class Connection(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self) -> None:
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = bytearray()
        # Of the answer that comes in: its status, and where its body begins and ends.
        self._status, self._begin, self._end = 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        self._buffer += data
        if not self._end and not self._read_head():
            return
        if len(self._buffer) >= self._end and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((self._status, bytes(self._buffer[self._begin : self._end])))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """-> status and body. Raises OSError, or TimeoutError."""
        assert self._transport is not None
        del self._buffer[:]
        self._end = 0
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._waiting = waiting
        alarm = loop.call_later(_LONGEST_SECONDS, self._transport.abort)
        self._transport.write(request)
        try:
            return await waiting
        finally:
            alarm.cancel()

    def close(self) -> None:
        """No more requests."""
        if self._transport is not None:
            self._transport.close()

    def _read_head(self) -> bool:
        end = self._buffer.find(_END)
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        self._status, self._begin = int(head[9:12]), end + len(_END)
        found = head.find(_LENGTH)
        if found >= 0:
            line = head[found + len(_LENGTH) :].split(b"\r\n", 1)[0]
            self._end = self._begin + int(line)
        elif self._status in (204, 304):
            self._end = self._begin
        else:
            raise ValueError(f"an answer without length: {head[:200]!r}")
        return True


class Wire:
    """As many connections to one server as there are requests at the same time.

    url: its path goes before that of every request.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path
        lines = {"Host": parts.netloc, **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._idle:
            connection.close()

    async def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """-> status and body."""
        head = f"{method} {self._path}{target} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        connection = await self._connection()
        answer = await connection.ask(head.encode() + body)
        self._idle.append(connection)
        return answer

    async def call(self, method: str, target: str, wanted: int, body: Any = None) -> dict[str, Any]:
        """JSON in and out. Raises AssertionError when the status isn't the one wanted."""
        status, answer = await self.ask(method, target, b"" if body is None else orjson.dumps(body))
        if status != wanted:
            raise AssertionError(f"{method} {target}: {status} instead of {wanted}: {answer[:1000]!r}")
        parsed: dict[str, Any] = orjson.loads(answer) if answer else {}
        return parsed

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(Connection, self._host, self._port)
        return made


def query(**parameters: str) -> str:
    """The target's part from the question mark on, spaces as `+`, as Entra sends them."""
    return "?" + urllib.parse.urlencode(parameters)
