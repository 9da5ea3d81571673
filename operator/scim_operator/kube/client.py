"""The verbs of the API server over one aiohttp session.

Callers say which resourceVersion they have seen; nothing here retries, caches or interprets objects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from math import inf
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from scim_operator.kube.credentials import Credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.history import History
from scim_operator.kube.metrics import WRITE_SECONDS, WRITES
from scim_operator.kube.resources import Resource

Object = dict[str, Any]

# A provider gives a request some seconds. A page may take longer: a busy API server's queue alone 15 s.
_MOST_SECONDS, _CONNECT_SECONDS = 6.0, 3.0
_TIMEOUT = aiohttp.ClientTimeout(total=_MOST_SECONDS, connect=_CONNECT_SECONDS)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=3, sock_read=16)
# Objects of a page: longer ones take the loop for longer (rule 21).
_PAGE = 250
# The API server ends a watch itself after `timeoutSeconds`; a stream silent for longer is dead.
_WATCH_SECONDS = 290
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30, connect=5, sock_read=75)
# By which the API server's audit log tells our requests from others with our token; kopf has its own.
_AGENT = {"User-Agent": "scim-operator"}
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_STRICT = {"fieldValidation": "Strict"}
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
# Whatever an API server asks for: who is out must not stay in for an hour.
_LONGEST_RETRY_AFTER = 60.0
_LONGEST_LINE = 8 * 1024 * 1024


@dataclass(frozen=True)
class Listing:
    """All objects of a kind at one moment."""

    items: list[Object]
    resource_version: str


class KubeClient:
    """One connection pool to the API server. Raises ApiError for anything but 2xx.

    `seconds_to_write` is asked before each write, which ends by then, here and in the API server: a replica
    that leads no longer writes nothing, and nothing of its is under way when another begins to. 0: no write.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        connections: int = 64,
        seconds_to_write: Callable[[], float] = lambda: inf,
    ) -> None:
        self.credentials = credentials
        self.seconds_to_write = seconds_to_write
        self.history = History()
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self.credentials.ssl_context(), limit=self._connections)
        # A line of a watch is one object; the reader refuses lines longer than twice its buffer.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, read_bufsize=_LONGEST_LINE, headers=_AGENT
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str = "",
        limit: int = _PAGE,
        metadata_only: bool = False,
    ) -> Listing:
        """Every object of a kind, page by page, as of one resourceVersion (a quorum read)."""
        items, version = list[Object](), ""
        async for page in self.pages(
            resource, namespace=namespace, selector=selector, limit=limit, metadata_only=metadata_only
        ):
            items += page.items
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str = "",
        limit: int = _PAGE,
        metadata_only: bool = False,
    ) -> AsyncIterator[Listing]:
        """The pages of such a list one after the other: all at once may be too much to hold."""
        accept = _METADATA if metadata_only else _JSON
        since = self.history.newest
        query = {"limit": str(limit), **({"labelSelector": selector} if selector else {})}
        while True:
            page = await self._call(
                "GET", resource.path(namespace), query=query, timeout=_LIST_TIMEOUT, accept=accept
            )
            try:
                listing = Listing(list(page["items"]), page["metadata"]["resourceVersion"])
                more = page["metadata"].get("continue")
            except (KeyError, TypeError, AttributeError) as error:
                raise _not_by_it(resource.path(namespace), "JSON that is no list of objects") from error
            yield listing
            if not more:
                self.history.goes_on(resource, since, listing.resource_version)
                return
            query["continue"] = more

    async def watch(
        self, resource: Resource, resource_version: str, *, namespace: str | None = None, selector: str = ""
    ) -> AsyncIterator[tuple[str, Object]]:
        """(type, object) from `resource_version` on, bookmarks included, until the server ends the stream."""
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            **({"labelSelector": selector} if selector else {}),
        }
        try:
            async with await self._request(
                "GET", resource.path(namespace), query=query, timeout=_WATCH_TIMEOUT
            ) as response:
                async for line in response.content:
                    kind, obj = _event(orjson.loads(line))
                    if kind == "ERROR":
                        raise _error(obj.get("code", 500), obj)
                    yield kind, obj
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # ValueError: a line that is no event (cut off) or longer than we are willing to hold.
            raise ApiError(0, "Unreachable", _plain(error)) from error

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object:
        """One object as it is now (a quorum read)."""
        return await self._call("GET", resource.path(namespace, name))

    async def create(
        self, resource: Resource, body: Object, *, namespace: str | None = None, strict: bool = False
    ) -> Object:
        """POST. The answer is the object as stored. `strict`: 400 for a field that the schema doesn't know,
        which else isn't stored.
        """
        path, typed = resource.path(namespace), _typed(resource, body)
        since = self.history.newest
        made = await self._write("create", resource, "POST", path, typed, query=_STRICT if strict else None)
        self.history.goes_on(resource, since, _version(made))
        return made

    async def replace(
        self, resource: Resource, body: Object, *, namespace: str | None = None, strict: bool = False
    ) -> Object:
        """PUT; `body.metadata.resourceVersion` makes it fail with 409 when the object moved on. `strict`: as
        for POST.
        """
        path, typed = resource.path(namespace, body["metadata"]["name"]), _typed(resource, body)
        return await self._write("update", resource, "PUT", path, typed, query=_STRICT if strict else None)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Object:
        """JSON merge patch (RFC 7396): only what `patch` names changes."""
        path = resource.path(namespace, name, subresource)
        return await self._write(
            "patch", resource, "PATCH", path, patch, subresource=subresource, content_type=_MERGE_PATCH
        )

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: Object,
        *,
        manager: str,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply as `manager`, also of fields that others own; makes what is missing.

        What the same manager applied before and `body` no longer names is removed.
        """
        query = {"fieldManager": manager, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        return await self._write(
            "apply",
            resource,
            "PATCH",
            resource.path(namespace, name),
            _typed(resource, body),
            query=query,
            content_type=_APPLY_PATCH,
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """DELETE of exactly the object that was seen: another uid or resourceVersion gives 409."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"preconditions": {key: value for key, value in preconditions.items() if value}}
        await self._write("delete", resource, "DELETE", resource.path(namespace, name), body)

    async def _write(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> Object:
        written = f"{resource.plural}/{subresource}" if subresource else resource.plural
        seconds = self.seconds_to_write()
        if seconds <= 0:
            raise ApiError(0, "NotLeading", "this replica doesn't lead at the moment and writes nothing")
        timeout = _TIMEOUT
        if seconds < _MOST_SECONDS:
            timeout, query = (
                aiohttp.ClientTimeout(total=seconds, connect=_CONNECT_SECONDS),
                {**(query or {}), "timeout": f"{seconds:.3f}s"},
            )
        try:
            with WRITE_SECONDS.labels(written, verb).time():
                answer = await self._call(
                    method, path, body=body, query=query, content_type=content_type, timeout=timeout
                )
        except ApiError as error:
            WRITES.labels(written, verb, str(error.status or "unreachable")).inc()
            raise
        WRITES.labels(written, verb, "ok").inc()
        self.history.saw(resource, _version(answer))
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,  # noqa: ASYNC109 (aiohttp's own, connect and read apart)
        accept: str = _JSON,
    ) -> Object:
        try:
            async with await self._request(
                method,
                path,
                body=body,
                query=query,
                content_type=content_type,
                timeout=timeout,
                accept=accept,
            ) as response:
                answer = _json(await response.read())
                if not isinstance(answer, dict):
                    what = f"{response.status} and {response.content_type} that is no JSON object"
                    raise _not_by_it(path, what)
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(0, "Unreachable", _plain(error)) from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
        accept: str = _JSON,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with`")
        headers = {"Accept": accept, "Content-Type": content_type}
        if token := await self.credentials.token():
            headers["Authorization"] = f"Bearer {token}"
        response = await self._session.request(
            method,
            self.credentials.server + path,
            params=query,
            data=None if body is None else orjson.dumps(body),
            headers=headers,
            timeout=timeout,
            middlewares=() if method == "GET" else (_Once(),),
        )
        if response.status < 300:
            return response
        async with response:
            asked = _seconds(response.headers.get("Retry-After", ""))
            raise _error(response.status, _status_object(await response.read()), asked)


class _Once:
    """aiohttp sends a PUT or DELETE again by itself when its connection is cut: the second one would be told
    what the first one did, and may leave when it no longer ought to.
    """

    def __init__(self) -> None:
        self._sent = False

    async def __call__(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._sent:
            raise aiohttp.ServerDisconnectedError
        self._sent = True
        return await send(request)


def _typed(resource: Resource, body: Object) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _version(obj: Object) -> str:
    """Empty where there is none, as in the answer to a DELETE."""
    metadata = obj.get("metadata")
    return str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""


def _json(text: bytes) -> Any:
    """None for what isn't JSON: a proxy in front of the API server answers in its own words."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _event(parsed: Any) -> tuple[str, Object]:
    """Type and object of a watch's line. Raises ValueError for what is none."""
    match parsed:
        case {"type": str(kind), "object": dict(obj)}:
            return kind, obj
    raise ValueError("a line of the watch is no event; is there a proxy in front of the API server?")


def _not_by_it(path: str, what: str) -> ApiError:
    """Nothing of the answer itself is told: it may be a Secret that was cut off."""
    message = f"{path} was answered with {what}; is there a proxy in front of the API server?"
    return ApiError(0, "Unreadable", message)


def _status_object(text: bytes) -> Object:
    parsed = _json(text)
    if parsed is None:
        return {"message": text[:200].decode(errors="replace")}
    return parsed if isinstance(parsed, dict) else {}


def _seconds(retry_after: str) -> float:
    """Kubernetes gives seconds; a proxy's date says nothing that is worth a parser."""
    return min(float(retry_after), _LONGEST_RETRY_AFTER) if retry_after.isdecimal() else 0.0


def _error(code: int, status: Object, retry_after: float = 0.0) -> ApiError:
    # RBAC's refusals run to 10 KB; the first line says what they are.
    message = str(status.get("message") or "").split("\n", 1)[0][:500]
    return ApiError(code, str(status.get("reason") or ""), message or "no reason given", retry_after)


def _plain(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
