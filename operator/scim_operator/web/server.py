"""Listening: several applications, each on its port, started and drained together."""

from __future__ import annotations

import logging
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
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        """Listen. Raises OSError naming the port when it is taken."""
        for listener in self._listeners:
            # Our own request log replaces aiohttp's, which would print query strings.
            runner = web.AppRunner(
                listener.application, access_log=None, shutdown_timeout=_DRAIN_SECONDS, handle_signals=False
            )
            await runner.setup()
            self._runners.append(runner)
            await web.TCPSite(runner, self._bind, listener.port).start()
            log.info(
                "listening", extra={"listener": listener.name, "bind": self._bind, "port": listener.port}
            )

    async def drain(self) -> None:
        """Stop listening, let running requests end."""
        for runner in reversed(self._runners):
            await runner.cleanup()
        self._runners.clear()
