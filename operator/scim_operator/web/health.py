"""Probes: /livez says that the event loop turns, /readyz that requests can be answered."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web


def health_application(missing: Callable[[], list[str]]) -> web.Application:
    """`missing` lists, in words, what readiness still waits for."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        waiting = missing()
        if waiting:
            return web.Response(text="waiting for: " + ", ".join(waiting) + "\n", status=503)
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app
