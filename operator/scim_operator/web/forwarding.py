"""Passes a request on to the replica that leads: one hop, over TLS that both sides verify by the chart's CA.

The request goes as it came, with its Authorization, which the leader checks again. The answer is read whole
before any of it is sent: of one that was cut off the client must not see a part.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from scim_operator.web.bodies import WITH_BODY, read_body
from scim_operator.web.metrics import FORWARDED
from scim_operator.web.relay import NotAnsweredError
from scim_operator.web.requests import CALL, REQUEST_ID
from scim_operator.web.tls import between_replicas

# For which every replica's certificate is made, whatever its address.
SERVER_NAME = "scim-operator-internal"
# On a request: another replica has passed it on before, and it may have been carried out.
REPEATED = "Scim-Operator-Repeated"
# On an answer: this replica doesn't lead, so it is none; whether it may have carried out what was asked.
_NOT_ANSWERED = "Scim-Operator-Not-Answered"
_BEGUN, _NOT_BEGUN = "begun", "not-begun"
# Of a connection, not of a request (RFC 9110 section 7.6.1); lengths are made anew, `Expect` is answered.
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "expect", "date", "server", REPEATED.lower()),
    }
)
# A large Bulk takes long; a leader that is gone is noticed by its Lease. A busy one needs a while for TLS.
_TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=2)
# aiohttp would add these, and there may be as many headers already as are read.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding")


def server_tls(folder: Path) -> ssl.SSLContext:
    """For the port on which other replicas call, and nobody else. Raises OSError for a missing file."""
    return between_replicas(ssl.Purpose.CLIENT_AUTH, folder)


def not_answered(*, begun: bool) -> web.Response:
    """To another replica, which looks for the leader then."""
    said = _BEGUN if begun else _NOT_BEGUN
    return web.Response(status=421, headers={_NOT_ANSWERED: said})


class Forwarder:
    """Calls other replicas on their internal port. `folder`: with the CA and the certificate of the chart."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._tls = between_replicas(ssl.Purpose.SERVER_AUTH, folder)
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, address: str, request: web.Request, repeated: bool) -> web.Response:
        """The leader's answer. Raises NotAnsweredError, and ScimError for a body that can't be read."""
        body = await read_body(request) if request.method in WITH_BODY else None
        try:
            answer = await self._ask(address, request, body, repeated)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # nothing was sent
            FORWARDED.labels("not_begun").inc()
            raise NotAnsweredError(begun=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            FORWARDED.labels("cut_off").inc()
            raise NotAnsweredError(begun=True) from error
        if said := answer.headers.get(_NOT_ANSWERED):
            FORWARDED.labels("not_begun" if said == _NOT_BEGUN else "cut_off").inc()
            raise NotAnsweredError(begun=said != _NOT_BEGUN, alive=True)
        FORWARDED.labels("answered").inc()
        request[CALL].leader = address
        return answer

    async def close(self) -> None:
        """Hang up."""
        if self._session:
            await self._session.close()

    async def _ask(
        self, address: str, request: web.Request, body: bytes | None, repeated: bool
    ) -> web.Response:
        host = f"[{address}]" if ":" in address else address
        url = URL(f"https://{host}:{self._port}{request.rel_url.raw_path_qs}", encoded=True)
        headers = _passed_on(request.headers)
        headers["X-Request-Id"] = request[REQUEST_ID]
        if repeated:
            headers[REPEATED] = "true"
        async with self._connections().request(
            request.method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            server_hostname=SERVER_NAME,
            skip_auto_headers=_NOT_ADDED,
            middlewares=(_once(),),
        ) as answer:
            content = await answer.read()
            return web.Response(status=answer.status, body=content, headers=_passed_on(answer.headers))

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
                timeout=_TIMEOUT,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _once() -> aiohttp.ClientMiddlewareType:
    """aiohttp sends a PUT or DELETE a second time by itself when its connection breaks, and tells nobody.

    A DELETE that was carried out the first time would be answered 404 then, to a client that was right.
    """
    sent = False

    async def send(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        nonlocal sent
        if sent:
            raise aiohttp.ServerDisconnectedError
        sent = True
        return await handler(request)

    return send


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
