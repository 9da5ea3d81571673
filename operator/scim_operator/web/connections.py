"""Connections that answer what is no HTTP in SCIM form, and wait for nobody for ever.

What has a garbled first line, or a header without end, aiohttp refuses before there is a request, as plain
text that Okta can't parse and that repeats what was sent. To a header that never ends, an answer that nobody
takes, and the number of connections it knows no limit. It lets nobody say otherwise by a hook, so its runner
and server are each a line longer, and its connection somewhat more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import orjson
from aiohttp import HttpVersion11, hdrs, web

from scim_operator.scim.errors import ScimError
from scim_operator.web.errors import CONTENT_TYPE, scim_response
from scim_operator.web.metrics import HUNG_UP

_UNREADABLE = (
    "this can't be read as HTTP: expected a request line as in 'GET /scim/v2/DIRECTORY/Users HTTP/1.1',"
    " headers of at most 8 KiB each and a body as they announce it; TLS is spoken to the ingress, not here"
)


@dataclass(frozen=True)
class Patience:
    """Seconds for the head of a request to come, and for an answer to be taken; connections to a port."""

    head: float = 10.0
    answer: float = 60.0
    connections: int = 2000


PATIENCE = Patience()


class Connection(web.RequestHandler):
    """One connection of a client. Bodies have a time of their own, which their reader knows."""

    __slots__ = ("_address", "_patience", "_since", "_timer", "_wire")

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        patience: Patience = PATIENCE,
        **options: Any,
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None
        self._address = ""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more; there may be too many now."""
        manager = self._manager
        super().connection_made(transport)
        self._wire = cast(asyncio.Transport, transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self._since = self._loop.time()
        if manager is not None and len(manager.connections) > self._patience.connections:
            self._make_room([cast(Connection, one) for one in manager.connections])

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What has begun to be a head becomes one in time."""
        super().data_received(data)
        if self._waiter is None or self._waiter.done() or self._messages:
            self._wait_no_more()
        elif self._timer is None and data.strip():
            self._timer = self._loop.call_later(self._patience.head, self._head_is_late)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. Who doesn't take it in time is cut off."""
        self._since = self._loop.time()
        late = self._loop.call_later(self._patience.answer, self._hang_up, "slow_reader")
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            late.cancel()

    def _head_is_late(self) -> None:
        self._timer = None
        if self._wire is None or self._wire.is_closing():
            return
        detail = f"the head of the request didn't come within {self._patience.head:g} seconds"
        self._wire.write(_on_the_wire(ScimError(408, detail)))
        HUNG_UP.labels("slow_head").inc()
        self.force_close()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self, connections: list[Connection]) -> None:
        """One goes on which no request is being worked: of the address that has most of these, the one that
        has been so for longest. Whoever is new and quick is answered, however many others are slow.
        """
        idle = [one for one in connections if one._current_request is None and one is not self]
        if not idle:
            idle = [self]
        of_address = Counter(one._address for one in idle)
        max(idle, key=lambda one: (of_address[one._address], -one._since))._hang_up("crowded")

    def _hang_up(self, reason: str) -> None:
        HUNG_UP.labels(reason).inc()
        if self._wire is not None:
            self._wire.abort()  # `close` would wait until all is sent

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The refusal as a SCIM Error; the connection ends. ConnectionError when an answer has begun."""
        super().handle_error(request, status, exc, message)
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        detail = "the operator failed while it answered; its log has the reason" if failed else _UNREADABLE
        answer = scim_response(ScimError(status, detail).body(), status)
        answer.force_close()
        return answer


def _on_the_wire(error: ScimError) -> bytes:
    """An answer to what never became a request."""
    body = orjson.dumps(error.body())
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Content-Type: {CONTENT_TYPE}; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*head, "", ""]).encode() + body


class _Server(web.Server):
    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application over such connections."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


async def expected(request: web.Request) -> None:
    """Answer `Expect: 100-continue`. Other expectations are passed over, as RFC 9110 section 10.1.1 allows:
    aiohttp's own handler would refuse them as plain text.
    """
    if request.version == HttpVersion11 and request.headers[hdrs.EXPECT].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself hasn't begun
