"""SCIM over HTTP (RFC 7644 section 3): one handler, a table of what each endpoint can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from scim_operator.directory.directories import Directories
from scim_operator.directory.records import Record
from scim_operator.directory.store import Store
from scim_operator.directory.tokens import Refusal, Tokens
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.discovery import resource_types, schemas, service_provider_config
from scim_operator.scim.errors import ScimError, invalid_syntax, not_found
from scim_operator.scim.messages import list_response
from scim_operator.scim.project import Projection, projection
from scim_operator.scim.schemas import GROUP, USER
from scim_operator.web.errors import errors_as_scim, scim_response
from scim_operator.web.queries import Query, query_of
from scim_operator.web.rendering import Renderer
from scim_operator.web.requests import CALL, REQUEST_ID, identified, operation, resource
from scim_operator.web.targets import CONFIG, PREFIX, SEARCH, Target, rerouted, target

# A whole group of 20,000, each member with $ref, type and display, is about 5 MiB.
MAX_BODY = 10 * 1024 * 1024
# The answer to a PATCH of a larger group leaves the members out: the client knows them, or asks.
_MEMBERS_IN_PATCH = 1000

_RESOURCES = {"users": USER, "groups": GROUP}
# Optional parts of RFC 7644 (sections 3.7 and 3.11).
_NOT_OFFERED = {"bulk", "me"}


class ScimApi:
    """Answers the requests of all directories. `external_url` empty: links name the host that was asked."""

    def __init__(
        self,
        store: Store,
        directories: Directories,
        tokens: Tokens,
        *,
        external_url: str,
        now: Callable[[], str],
    ) -> None:
        self._store = store
        self._index = store.index
        self._directories = directories
        self._tokens = tokens
        self._external_url = external_url.rstrip("/")
        self._now = now

    def application(self) -> web.Application:
        """The application to serve."""
        app = web.Application(middlewares=[identified, errors_as_scim], client_max_size=MAX_BODY)
        app.router.add_route("*", PREFIX + "/{rest:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        if meant := rerouted(request.rel_url.raw_path, request.rel_url.raw_query_string):
            request = request.clone(rel_url=meant)
        asked = target(request.rel_url.raw_path)
        filtered = "filter" in map(str.casefold, request.query)
        request[CALL].operation = operation(request.method, asked, filtered=filtered)
        request[CALL].resource = resource(asked)
        self._authenticate(request, asked.directory)
        if self._directories.get(asked.directory) is None:
            raise UnavailableError(
                f"there is no ScimDirectory {asked.directory!r} at the moment", retry_after=30
            )
        request[CALL].directory = asked.directory
        self._directories.seen(asked.directory, self._now())
        handlers = self._handlers(asked)
        if request.method not in handlers:
            allowed = sorted(handlers)
            said = f"{request.method} isn't possible here; possible are {', '.join(allowed)}"
            raise web.HTTPMethodNotAllowed(request.method, allowed, text=said)
        if asked.endpoint in (*_RESOURCES, SEARCH) and not self._index.synced:
            raise UnavailableError("the operator is still reading the cluster", retry_after=2)
        return await handlers[request.method](request, asked)

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

    def _handlers(self, asked: Target) -> dict[str, Callable[[web.Request, Target], Awaitable[web.Response]]]:
        if asked.endpoint in _NOT_OFFERED:
            raise ScimError(501, "this part of SCIM is not offered; /ServiceProviderConfig says what is")
        if asked.rest:
            raise not_found("no such endpoint")
        if (asked.endpoint, asked.identifier) == (SEARCH, None):
            return {"POST": self._search}
        if asked.endpoint in _RESOURCES and asked.identifier == SEARCH:
            return {"POST": self._search}
        if asked.endpoint in _RESOURCES and asked.identifier is None:
            return {"GET": self._list, "POST": self._create}
        if asked.endpoint in _RESOURCES:
            return {"GET": self._get, "PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}
        if asked.endpoint in CONFIG and asked.identifier is None:
            return {"GET": self._service_provider_config}
        if asked.endpoint == "resourcetypes":
            return {"GET": self._resource_types}
        if asked.endpoint == "schemas":
            return {"GET": self._schemas}
        raise not_found("no such endpoint")

    # --- resources -----------------------------------------------------------------------------------------

    async def _list(self, request: web.Request, asked: Target) -> web.Response:
        return self._listed(request, asked, _query(request))

    async def _search(self, request: web.Request, asked: Target) -> web.Response:
        """POST to .search (RFC 7644 section 3.4.3): the same, without names of people in a URL."""
        return self._listed(request, asked, query_of((await _json(request)).items()))

    def _listed(self, request: web.Request, asked: Target, query: Query) -> web.Response:
        """A page of users, of groups, or of both, one after the other (section 3.4.2.1)."""
        types = [_RESOURCES[asked.endpoint]] if asked.endpoint in _RESOURCES else list(_RESOURCES.values())
        renderer, total, shown = self._renderer(request, asked), 0, []
        for resource_type in types:
            first = max(0, query.start - 1 - total)
            end = max(0, query.start - 1 + query.count - total)
            count, page = self._page(asked.directory, resource_type, query.filter, first, end)
            wanted = query.projection(resource_type)
            shown += [renderer.resource(record, wanted) for record in page]
            total += count
        return scim_response(list_response(shown, total, query.start))

    def _page(
        self, directory: str, resource_type: ResourceType, text: str | None, first: int, end: int
    ) -> tuple[int, list[Record]]:
        """How many there are, and a slice of them."""
        if text is None:
            page = self._index.page(directory, resource_type.name, first, end)
            return self._index.count(directory, resource_type.name), page
        found = self._index.find(directory, resource_type.name, text)
        return len(found), found[first:end]

    async def _get(self, request: web.Request, asked: Target) -> web.Response:
        resource_type = _RESOURCES[asked.endpoint]
        record = self._index.get(asked.directory, resource_type.name, asked.identifier or "")
        if record is None:
            raise not_found(f"no {resource_type.name} has the id {asked.identifier!r}")
        return self._resource(request, asked, record, _projection(request, resource_type))

    async def _create(self, request: web.Request, asked: Target) -> web.Response:
        resource_type = _RESOURCES[asked.endpoint]
        wanted = _projection(request, resource_type)
        body = await _json(request)
        record = await self._store.create(asked.directory, resource_type, body, request[REQUEST_ID])
        return self._resource(request, asked, record, wanted, 201)

    async def _put(self, request: web.Request, asked: Target) -> web.Response:
        resource_type = _RESOURCES[asked.endpoint]
        wanted = _projection(request, resource_type)
        body = await _json(request)
        record = await self._store.replace(
            asked.directory, resource_type, asked.identifier or "", body, request[REQUEST_ID]
        )
        return self._resource(request, asked, record, wanted)

    async def _patch(self, request: web.Request, asked: Target) -> web.Response:
        resource_type = _RESOURCES[asked.endpoint]
        wanted = _projection(request, resource_type)
        body = await _json(request)
        record = await self._store.patch(
            asked.directory, resource_type, asked.identifier or "", body, request[REQUEST_ID]
        )
        if len(record.members) > _MEMBERS_IN_PATCH and _query(request).attributes is None:
            wanted = projection(resource_type, None, "members")
        return self._resource(request, asked, record, wanted)

    async def _delete(self, request: web.Request, asked: Target) -> web.Response:
        await self._store.delete(asked.directory, _RESOURCES[asked.endpoint], asked.identifier or "")
        return web.Response(status=204)

    # --- discovery -----------------------------------------------------------------------------------------

    async def _service_provider_config(self, request: web.Request, asked: Target) -> web.Response:
        _refuse_filter(request)
        return scim_response(service_provider_config(self._base(request, asked)))

    async def _resource_types(self, request: web.Request, asked: Target) -> web.Response:
        _refuse_filter(request)
        return _discovered(resource_types(self._base(request, asked)), asked.identifier)

    async def _schemas(self, request: web.Request, asked: Target) -> web.Response:
        _refuse_filter(request)
        return _discovered(schemas(self._base(request, asked)), asked.identifier)

    # --- answers -------------------------------------------------------------------------------------------

    def _base(self, request: web.Request, asked: Target) -> str:
        root = self._external_url or f"{request.scheme}://{request.host}"
        return f"{root}{PREFIX}/{asked.directory}"

    def _renderer(self, request: web.Request, asked: Target) -> Renderer:
        return Renderer(self._index, self._base(request, asked))

    def _resource(
        self, request: web.Request, asked: Target, record: Record, wanted: Projection, status: int = 200
    ) -> web.Response:
        renderer = self._renderer(request, asked)
        headers = {"ETag": f'W/"{record.meta.version}"'}
        if status == 201:
            headers["Location"] = renderer.location(record)
        return scim_response(renderer.resource(record, wanted), status, headers)


def _discovered(items: list[dict[str, Any]], identifier: str | None) -> web.Response:
    if identifier is None:
        return scim_response(list_response(items, len(items), 1))
    for item in items:
        if str(item.get("id", item.get("name"))).casefold() == identifier.casefold():
            return scim_response(item)
    raise not_found(f"there is no {identifier!r} here")


def _refuse_filter(request: web.Request) -> None:
    """403 (RFC 7644 section 4): an unfiltered answer would look like a filtered one."""
    if _query(request).filter is not None:
        raise ScimError(403, "discovery can't be filtered; ask for everything, or for one by its id")


def _projection(request: web.Request, resource_type: ResourceType) -> Projection:
    return _query(request).projection(resource_type)


def _query(request: web.Request) -> Query:
    return query_of(request.query.items())


async def _json(request: web.Request) -> dict[str, Any]:
    """The body as an object, whatever Content-Type it claims (Entra, Okta and curl differ)."""
    try:
        body = orjson.loads(await request.read())
    except web.RequestPayloadError as error:
        raise invalid_syntax("the body can't be read: cut off, or not encoded as its headers say") from error
    except orjson.JSONDecodeError as error:
        raise invalid_syntax(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid_syntax("the body must be a JSON object")
    return body
