"""/metrics: what all rooms count and measure, as Prometheus reads it."""

from __future__ import annotations

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler


def metrics_application() -> web.Application:
    """Shows the process's registry, in which every room puts its metrics."""
    app = web.Application()
    app.router.add_get("/metrics", make_aiohttp_handler())
    return app
