"""A request's id, its line in the log, and its place in the metrics.

No query strings and no identifiers but ours: they hold people's names.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from scim_operator.web.metrics import counted
from scim_operator.web.targets import BULK, CONFIG, SEARCH, Target

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_RESOURCES = ("users", "groups")
_DISCOVERY = (*CONFIG, "resourcetypes", "schemas")
_ON_ALL = {"GET": "list", "POST": "create"}
# Operations that change nothing.
READS = frozenset({"list", "filter", "get", "discovery"})
_ON_ONE = {"GET": "get", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,63}")
# `/scim/v2/{directory}/{endpoint}`: what comes behind is an id, or what somebody put in its place.
_PLAIN_SEGMENTS, _MOST_SEGMENTS = 4, 8


@dataclass
class Call:
    """What the log and the metrics tell of a request.

    `directory` stays empty until a token of it was shown, `operation` is one of a few words: strangers can
    make no series. `token` is the name of its Secret, `refusal` says why it isn't let in, `leader` is the IP
    of the replica that answered, if another did.
    """

    directory: str = ""
    resource: str = ""
    operation: str = "other"
    token: str = ""
    refusal: str = ""
    leader: str = ""


CALL = web.RequestKey("call", Call)
# The id of the request that is being answered, for every line that is logged meanwhile.
CURRENT: ContextVar[str | None] = ContextVar("request_id", default=None)


def operation(method: str, asked: Target, *, filtered: bool) -> str:
    """What a request wants, in one word: the metrics' and the log's name for it."""
    if SEARCH in (asked.endpoint, asked.identifier) and method == "POST":
        return "filter"
    if (method, asked.endpoint, asked.identifier, filtered) == ("GET", "", None, True):
        return "filter"
    if asked.endpoint == BULK and method == "POST":
        return "bulk"
    if asked.endpoint in _RESOURCES and not asked.rest:
        word = (_ON_ALL if asked.identifier is None else _ON_ONE).get(method, "other")
        return "filter" if word == "list" and filtered else word
    return "discovery" if asked.endpoint in _DISCOVERY and method == "GET" else "other"


def resource(asked: Target) -> str:
    """`users`, `groups` or nothing."""
    return asked.endpoint if asked.endpoint in _RESOURCES else ""


def shown_path(raw_path: str) -> str:
    """A path for the log: an id in it is shown when it is one of ours, anything odd is left out."""
    segments = [segment for segment in raw_path.split("/") if segment]
    shown = [
        segment if (n < _PLAIN_SEGMENTS and _PLAIN.fullmatch(segment)) or _UUID.fullmatch(segment) else "…"
        for n, segment in enumerate(segments[:_MOST_SEGMENTS])
    ]
    return "/" + "/".join(shown) + ("/…" if len(segments) > _MOST_SEGMENTS else "")


@web.middleware
async def identified(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Keep the client's X-Request-Id when it is a sane one, else make one; send it back; log the request."""
    given = request.headers.get("X-Request-Id", "")
    request_id = request[REQUEST_ID] = given if _ID.fullmatch(given) else str(uuid4())
    call = request[CALL] = Call()
    CURRENT.set(request_id)
    started = time.perf_counter()
    response = await handler(request)
    response.headers["X-Request-Id"] = request_id
    seconds = time.perf_counter() - started
    if not call.leader:  # who answered counts it
        counted(call.directory, call.resource, call.operation, response.status, seconds, call.refusal)
    told = {
        "request_id": request_id,
        "directory": call.directory,
        "resource": call.resource,
        "operation": call.operation,
        "method": request.method if request.method.isalpha() else "?",
        "path": shown_path(request.rel_url.raw_path),
        "token": call.token,
        "refusal": call.refusal,
        "leader": call.leader,
    }
    log.info(
        "request",
        extra={key: value for key, value in told.items() if value}
        | {"status": response.status, "milliseconds": round(seconds * 1000, 1)},
    )
    return response
