"""Passes a request on to the replica that leads: one hop, over TLS that both sides verify by the chart's CA.

The request goes as it came, with its Authorization, which the leader checks again. The answer is read whole
before any of it is sent: of one that was cut off the client must not see a part.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from scim_operator.web.bodies import WITH_BODY, read_body
from scim_operator.web.metrics import FORWARDED
from scim_operator.web.relay import NotAnsweredError
from scim_operator.web.requests import CALL, REQUEST_ID

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
# A large Bulk takes long; a leader that is gone is noticed by its Lease.
_TIMEOUT = aiohttp.ClientTimeout(total=120, sock_connect=1)
_FILES = ("ca.crt", "tls.crt", "tls.key")


def server_tls(folder: Path) -> ssl.SSLContext:
    """For the port on which other replicas call, and nobody else. Raises OSError for a missing file."""
    return _verifying(ssl.Purpose.CLIENT_AUTH, folder)


def not_answered(*, begun: bool) -> web.Response:
    """To another replica, which looks for the leader then."""
    said = _BEGUN if begun else _NOT_BEGUN
    return web.Response(status=421, headers={_NOT_ANSWERED: said})


class Forwarder:
    """Calls other replicas on their internal port. `folder`: with the CA and the certificate of the chart."""

    def __init__(self, port: int, folder: Path) -> None:
        self._port = port
        self._tls = _verifying(ssl.Purpose.SERVER_AUTH, folder)
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, address: str, request: web.Request, repeated: bool) -> web.Response:
        """The leader's answer. Raises NotAnsweredError, and ScimError for a body that can't be read."""
        body = await read_body(request) if request.method in WITH_BODY else None
        sent = _Sent()
        try:
            answer = await self._ask(address, request, body, sent, repeated)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _not_answered(begun=sent.times > 0) from error
        if said := answer.headers.get(_NOT_ANSWERED):
            raise _not_answered(begun=said != _NOT_BEGUN)
        # Of a DELETE that was carried out at first, the second answer is 404.
        if sent.times > 1 and request.method != "GET":
            raise _not_answered(begun=True)
        FORWARDED.labels("answered").inc()
        request[CALL].leader = address
        return answer

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self, address: str, request: web.Request, body: bytes | None, sent: _Sent, repeated: bool
    ) -> web.Response:
        host = f"[{address}]" if ":" in address else address
        url = URL(f"https://{host}:{self._port}{request.rel_url.raw_path_qs}", encoded=True)
        headers = _passed_on(request.headers)
        headers["X-Request-Id"] = request[REQUEST_ID]
        if repeated:
            headers[REPEATED] = "true"
        async with self._opened().request(
            request.method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            server_hostname=SERVER_NAME,
            trace_request_ctx=sent,
        ) as answer:
            content = await answer.read()
            return web.Response(status=answer.status, body=content, headers=_passed_on(answer.headers))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=_TIMEOUT,
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_counting()],
            )
        return self._session


@dataclass
class _Sent:
    """How often a request's head went out: aiohttp repeats some by itself, and tells nobody."""

    times: int = 0


def _counting() -> aiohttp.TraceConfig:
    async def count(
        _: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        context.trace_request_ctx.times += 1

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(count)
    return config


def _not_answered(*, begun: bool) -> NotAnsweredError:
    FORWARDED.labels("cut_off" if begun else "not_begun").inc()
    return NotAnsweredError(begun=begun)


def _verifying(purpose: ssl.Purpose, folder: Path) -> ssl.SSLContext:
    ca, certificate, key = (str(folder / name) for name in _FILES)
    context = ssl.create_default_context(purpose, cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
