"""Connections that answer what is no HTTP in SCIM form: a garbled first line, a header without end.

aiohttp refuses it before there is a request, as plain text that Okta can't parse and that repeats what was
sent. It lets nobody say otherwise by a hook, so its runner, server and connection are each a line longer.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web

from scim_operator.scim.errors import ScimError
from scim_operator.web.errors import scim_response

_UNREADABLE = (
    "this can't be read as HTTP: expected a request line as in 'GET /scim/v2/DIRECTORY/Users HTTP/1.1',"
    " headers of at most 8 KiB each and a body as they announce it; TLS is spoken to the ingress, not here"
)


class Connection(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The refusal as a SCIM Error; the connection ends. ConnectionError when an answer has begun."""
        super().handle_error(request, status, exc, message)
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        detail = "the operator failed while it answered; its log has the reason" if failed else _UNREADABLE
        answer = scim_response(ScimError(status, detail).body(), status)
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application over such connections."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


async def expected(request: web.Request) -> None:
    """Answer `Expect: 100-continue`. Other expectations are passed over, as RFC 9110 section 10.1.1 allows:
    aiohttp's own handler would refuse them as plain text.
    """
    if request.version == HttpVersion11 and request.headers[hdrs.EXPECT].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself hasn't begun
