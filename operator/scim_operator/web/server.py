"""Listening: several applications, each on its port, started and drained together."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from scim_operator.web.connections import PATIENCE, Patience, Runner

log = logging.getLogger(__name__)

# For a handshake: until it is over nobody counts the connection.
_HANDSHAKE_SECONDS = 10
# The requests under way, then what aiohttp still has to end; the chart's grace period covers both.
_DRAIN_SECONDS, _CLOSE_SECONDS = 10, 2
# Bytes of a request's first line: a filter as long as we read, percent-encoded (aiohttp's limit: 8 KiB).
MAX_LINE = 64 * 1024


@dataclass(frozen=True)
class Listener:
    """An application and the port it is served on. `tls`: None for plain HTTP."""

    name: str
    application: web.Application
    port: int
    tls: ssl.SSLContext | None = None


class _Site(web.SockSite):
    """aiohttp gives everybody asyncio's minute to finish a handshake."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None  # noqa: S101
        self._server = await asyncio.get_running_loop().create_server(
            server,
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._ssl_context else None,
        )


class _Served:
    """A listener at work. It counts requests: aiohttp drops bodies that come after its shutdown began."""

    def __init__(self, listener: Listener, patience: Patience) -> None:
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._tls = listener.tls
        listener.application.middlewares.insert(0, self._counted)
        # Our own request log replaces aiohttp's, which would print query strings.
        self._runner = Runner(
            listener.application,
            access_log=None,
            shutdown_timeout=_CLOSE_SECONDS,
            handle_signals=False,
            max_line_size=MAX_LINE,
            # A small body may unpack to a large one, and would be before anybody asked for a token.
            auto_decompress=False,
            patience=patience,
        )

    async def start(self, taken: socket.socket) -> None:
        """Answer on a port."""
        await self._runner.setup()
        await _Site(self._runner, taken, ssl_context=self._tls).start()

    async def drain(self) -> None:
        """Take no more connections, let the requests under way end, close."""
        self._draining = True
        for site in list(self._runner.sites):
            await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._idle.wait()
        await self._runner.cleanup()

    @web.middleware
    async def _counted(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self._under_way += 1
        self._idle.clear()
        try:
            response = await handler(request)
            if self._draining:
                response.force_close()  # a connection that is kept alive would go on asking
            return response
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()


class Server:
    """Serves the listeners on one address, each with `patience` of its own: probes wait for no provider."""

    def __init__(self, bind: str, listeners: list[Listener], patience: Patience = PATIENCE) -> None:
        self._bind = bind
        self._patience = patience
        self._listeners = listeners
        self._sockets: list[socket.socket] = []
        self._served: list[_Served] = []

    def open(self) -> None:
        """Take the ports, before anything else begins. Raises OSError saying which one can't be had."""
        _allow_connections()
        for listener in self._listeners:
            try:
                self._sockets.append(_listening(self._bind, listener.port))
            except OSError as error:
                where = f"{self._bind}:{listener.port} (--{listener.name}-port)"
                raise OSError(error.errno, f"can't listen on {where}: {error.strerror}") from error

    async def start(self) -> None:
        """Answer on the ports that `open` took."""
        for listener, taken in zip(self._listeners, self._sockets, strict=True):
            served = _Served(listener, self._patience)
            self._served.append(served)
            await served.start(taken)
            log.info(
                "listening", extra={"listener": listener.name, "bind": self._bind, "port": listener.port}
            )

    async def drain(self) -> None:
        """Stop listening, let running requests end; the listener that was first is the last to go."""
        for served in reversed(self._served):
            await served.drain()
        self._served.clear()


def _allow_connections() -> None:
    """As many files as we may have: each connection is one, and some systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listening(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    return socket.create_server((bind, port), family=family, backlog=256)
