"""SCIM over HTTP (RFC 7644 section 3): one handler, a table of what each endpoint can do."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from aiohttp import web

from scim_operator.directory.audit import CALLER, Caller
from scim_operator.directory.directories import Directories
from scim_operator.directory.store import Store
from scim_operator.directory.tokens import Refusal, Tokens
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.scim.errors import ScimError, invalid_syntax, not_found
from scim_operator.scim.versions import ALWAYS, Conditions, Tags, read_tags
from scim_operator.web import discovery
from scim_operator.web.asks import RESOURCES, Answer, Ask, Handler
from scim_operator.web.bodies import MAX_BODY, WITH_BODY, json_body, read_body
from scim_operator.web.bulk import Bulk
from scim_operator.web.connections import expected
from scim_operator.web.errors import errors_as_scim, scim_response
from scim_operator.web.forwarding import REPEATED, not_answered
from scim_operator.web.listing import Lists
from scim_operator.web.queries import query_of
from scim_operator.web.relay import Local, NotAnsweredError, Relay, Remembered
from scim_operator.web.requests import CALL, READS, REQUEST_ID, identified, operation, resource
from scim_operator.web.resources import Resources
from scim_operator.web.targets import BULK, CONFIG, OTHER_VERSIONS, PREFIX, SEARCH, Target, rerouted, target
from scim_operator.web.throttle import Throttle

_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)
# So long a Bulk begins another operation.
_BULK_SECONDS = 100.0
# What can be answered before users and groups were listed.
_KNOWN_AT_ONCE = (discovery.answer_config, discovery.answer_resource_types, discovery.answer_schemas)
# Another replica may have led meanwhile, or may lead now, and have made whom this one doesn't know (rule 6).
_MAY_LACK = (
    "no replica of the operator leads at the moment, so it isn't known whether this is there; ask again"
)


class ScimApi:
    """Answers the requests of all directories. `external_url` empty: links name the host that was asked."""

    def __init__(
        self,
        store: Store,
        directories: Directories,
        tokens: Tokens,
        relay: Relay,
        *,
        external_url: str,
        now: Callable[[], str],
        throttle: Throttle,
    ) -> None:
        self._resources = Resources(store)
        self._bulk = Bulk(self._resources)
        self._lists = Lists(store.index, directories, lambda: _seconds(now()))
        self._index = store.index
        self._directories = directories
        self._tokens = tokens
        self._relay = relay
        self._external_url = external_url.rstrip("/")
        self._now = now
        self._throttle = throttle

    def application(self) -> web.Application:
        """The application to serve."""
        return _application(self._answer)

    def internal_application(self) -> web.Application:
        """The same for requests that other replicas pass on."""
        return _application(self._answer_hop)

    async def _answer(self, request: web.Request) -> web.Response:
        request, asked = self._understand(request)
        self._admit(request, asked.directory)
        self._check_host(request)
        if request.method in WITH_BODY and not self._relay.leads:
            # Whoever leads counts what it answers. Those who are slow must not take all connections here.
            with self._throttle.coming(asked.directory):
                await read_body(request)
        return await self._relay.answer(request, *self._ways(request, asked))

    def _ways(self, request: web.Request, asked: Target) -> tuple[Local, Remembered | None]:
        """How this replica answers while it leads, and while nobody does."""

        async def here(repeated: bool) -> web.Response:
            return _response(await self._carry_out(request, asked, repeated=repeated))

        async def remembered() -> web.Response:
            try:
                answer = await self._carry_out(request, asked, repeated=False)
            except ScimError as error:
                if error.status == 404:
                    raise UnavailableError(_MAY_LACK) from error
                raise
            if _finds_nobody(answer):
                raise UnavailableError(_MAY_LACK)
            return _response(answer)

        return here, remembered if request[CALL].operation in READS else None

    async def _answer_hop(self, request: web.Request) -> web.Response:
        # The links in the answer are those of the request as it first came. Who may ask is for a leader to
        # say: one that has just started doesn't know yet.
        request, asked = self._understand(request.clone(scheme="http"))
        try:
            ways = self._ways(request, asked)
            return await self._relay.answer_hop(request, *ways, begun=REPEATED in request.headers)
        except NotAnsweredError as error:
            return not_answered(begun=error.begun)

    def _understand(self, request: web.Request) -> tuple[web.Request, Target]:
        """The request as it was meant, and what it asks for."""
        if meant := rerouted(request.rel_url.raw_path, request.rel_url.raw_query_string):
            request = request.clone(rel_url=meant)
        asked = target(request.rel_url.raw_path)
        filtered = "filter" in map(str.casefold, request.query)
        request[CALL].operation = operation(request.method, asked, filtered=filtered)
        request[CALL].resource = resource(asked)
        return request, asked

    async def _carry_out(self, request: web.Request, asked: Target, *, repeated: bool) -> Answer:
        self._admit(request, asked.directory)  # it may have been held for long
        self._directories.seen(asked.directory, self._now())
        handlers = self._handlers(asked, filtered="filter" in map(str.casefold, request.query))
        if request.method not in handlers:
            allowed = sorted(handlers)
            said = f"{request.method} isn't possible here; possible are {', '.join(allowed)}"
            raise web.HTTPMethodNotAllowed(request.method, allowed, text=said)
        handler = handlers[request.method]
        if handler not in _KNOWN_AT_ONCE and not self._index.synced:
            raise UnavailableError("the operator is still reading the cluster", retry_after=2)
        with self._throttle.room(asked.directory):
            return await handler(await self._ask(request, asked, repeated=repeated))

    def _go_on(self, request: web.Request, directory: str, since: float) -> None:
        """What `_admit` raises; 503 for what has taken long, before whoever waits for it hangs up."""
        self._admit(request, directory)
        if time.monotonic() - since > _BULK_SECONDS:
            raise UnavailableError(f"the request took {_BULK_SECONDS:.0f} seconds; send the rest of it again")

    def _check_host(self, request: web.Request) -> None:
        """Links go by it. Before the request is passed on: to another replica it would be given one."""
        if not self._external_url and not _HOST.fullmatch(request.headers.get("Host", "")):
            raise invalid_syntax("the header Host expects a host's name, and a port after a colon")

    def _admit(self, request: web.Request, directory: str) -> None:
        """401 without a token that is valid now, 503 without a ScimDirectory."""
        self._authenticate(request, directory)
        if self._directories.get(directory) is None:
            raise UnavailableError(f"there is no ScimDirectory {directory!r} at the moment", retry_after=30)
        request[CALL].directory = directory

    def _authenticate(self, request: web.Request, directory: str) -> None:
        if not self._tokens.listed:
            raise UnavailableError("the operator is starting", retry_after=2)
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        presented = presented.strip() if scheme.casefold() == "bearer" else ""
        token = self._tokens.check(directory, presented)
        if isinstance(token, Refusal):
            request[CALL].refusal = token
            # The same words for an unknown directory: nobody learns from outside which ones there are.
            raise ScimError(401, "the bearer token is missing, wrong, expired or of another directory")
        request[CALL].token = token.name
        CALLER.set(Caller(token.name, request[REQUEST_ID]))

    def _handlers(self, asked: Target, *, filtered: bool) -> dict[str, Handler]:
        """By method, what an endpoint can do."""
        if asked.endpoint == "me":
            raise ScimError(501, "/Me is not offered: a token stands for a directory and for nobody in it")
        if asked.rest:
            raise not_found("no such endpoint")
        if SEARCH in (asked.endpoint, asked.identifier):
            return self._search(asked)
        if asked.endpoint in RESOURCES:
            lists = {"GET": self._lists.answer} if asked.identifier is None else {}
            return lists | self._resources.handlers(asked)
        if (asked.endpoint, asked.identifier) == (BULK, None):
            return {"POST": self._bulk.answer}
        if (asked.endpoint, asked.identifier, filtered) == ("", None, True):
            return {"GET": self._lists.answer}
        if asked.endpoint in CONFIG and asked.identifier is None:
            return {"GET": discovery.answer_config}
        if asked.endpoint == "resourcetypes":
            return {"GET": discovery.answer_resource_types}
        if asked.endpoint == "schemas":
            return {"GET": discovery.answer_schemas}
        raise not_found("no such endpoint")

    def _search(self, asked: Target) -> dict[str, Handler]:
        """At the root, and for each type (section 3.4.3)."""
        if (asked.endpoint, asked.identifier) == (SEARCH, None) or asked.endpoint in RESOURCES:
            return {"POST": self._lists.search}
        raise not_found("no such endpoint")

    async def _ask(self, request: web.Request, asked: Target, *, repeated: bool) -> Ask:
        root = self._external_url or f"{request.scheme}://{request.host}"
        query = query_of(request.query.items())
        return Ask(
            target=asked,
            base=f"{root}{PREFIX}/{asked.directory}",
            request_id=request[REQUEST_ID],
            query=query,
            body=await json_body(request) if request.method in WITH_BODY else {},
            conditions=_conditions(request),
            repeated=repeated,
            admit=partial(self._go_on, request, asked.directory, time.monotonic()),
        )


def _application(answer: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application(middlewares=[identified, errors_as_scim], client_max_size=MAX_BODY)
    app.router.add_route("*", PREFIX + "/{rest:.*}", answer, expect_handler=expected)
    app.router.add_route("*", OTHER_VERSIONS, _refuse_version, expect_handler=expected)
    return app


async def _refuse_version(request: web.Request) -> web.Response:
    raise ScimError(400, f"expected {PREFIX}/DIRECTORY: SCIM 2.0 alone is spoken here", "invalidVers")


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    return scim_response(answer.body, answer.status, answer.headers)


def _finds_nobody(answer: Answer) -> bool:
    return isinstance(answer.body, dict) and answer.body.get("totalResults") == 0


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _conditions(request: web.Request) -> Conditions:
    """Of a GET, what can't be read is passed over: a cache asks, and nothing hangs on it but a body."""
    try:
        return Conditions(_tags(request, "If-Match"), _tags(request, "If-None-Match"))
    except ScimError:
        if request.method in WITH_BODY or request.method == "DELETE":
            raise
        return ALWAYS


def _tags(request: web.Request, name: str) -> Tags | None:
    sent = request.headers.getall(name, [])
    return read_tags(name, ",".join(sent)) if sent else None
