"""Listening: several applications, each on its port, started and drained together."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass

from aiohttp import web

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10


@dataclass(frozen=True)
class Listener:
    """An application and the port it is served on."""

    name: str
    application: web.Application
    port: int


class Server:
    """Serves the listeners on one address."""

    def __init__(self, bind: str, listeners: list[Listener]) -> None:
        self._bind = bind
        self._listeners = listeners
        self._sockets: list[socket.socket] = []
        self._runners: list[web.AppRunner] = []

    def open(self) -> None:
        """Take the ports, before anything else begins. Raises OSError saying which one can't be had."""
        for listener in self._listeners:
            try:
                self._sockets.append(_listening(self._bind, listener.port))
            except OSError as error:
                where = f"{self._bind}:{listener.port} (--{listener.name}-port)"
                raise OSError(error.errno, f"can't listen on {where}: {error.strerror}") from error

    async def start(self) -> None:
        """Answer on the ports that `open` took."""
        for listener, taken in zip(self._listeners, self._sockets, strict=True):
            # Our own request log replaces aiohttp's, which would print query strings.
            runner = web.AppRunner(
                listener.application, access_log=None, shutdown_timeout=_DRAIN_SECONDS, handle_signals=False
            )
            await runner.setup()
            self._runners.append(runner)
            await web.SockSite(runner, taken).start()
            log.info(
                "listening", extra={"listener": listener.name, "bind": self._bind, "port": listener.port}
            )

    async def drain(self) -> None:
        """Stop listening, let running requests end."""
        for runner in reversed(self._runners):
            await runner.cleanup()
        self._runners.clear()


def _listening(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    return socket.create_server((bind, port), family=family, backlog=256)
