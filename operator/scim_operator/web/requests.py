"""A request's id, and its line in the log: no query strings, which hold people's names."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@web.middleware
async def identified(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Keep the client's X-Request-Id when it is a sane one, else make one; send it back; log the request."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _ID.fullmatch(given) else str(uuid4())
    started = time.perf_counter()
    response = await handler(request)
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    log.info(
        "request",
        extra={
            "request_id": request[REQUEST_ID],
            "method": request.method,
            "path": request.rel_url.raw_path,
            "status": response.status,
            "milliseconds": round((time.perf_counter() - started) * 1000, 1),
        },
    )
    return response
