"""kopf's way to the API server: a session of ours, in which a refusal is no end.

kopf ends all its watches, and with them the process, when the API server refuses one list with a 4xx. What is
refused for a moment is asked for again here, as client-go's reflectors do; what only time can mend shows in
the log, and in the readiness probe by the list that is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

import aiohttp
import kopf

from scim_operator.kube.credentials import Credentials

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
# Characters of a refusal's text in the log.
_SHOWN = 200
# What kopf itself has an answer to: 403 and 429 are tried again, and 404 means that a kind has gone.
_UNDERSTOOD = frozenset({403, 404, 429})


def connection(login: Credentials) -> kopf.AiohttpSession:
    """A session for kopf, which closes it."""

    async def signed(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """A token is read anew for each request: it may have been exchanged since the last."""
        if token := await login.token():
            request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.ssl_context()), middlewares=(unrefused, signed)
    )
    return kopf.AiohttpSession(server=login.server, aiohttp_session=session)


async def unrefused(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Tell kopf of a refusal, a second later, as of a connection that broke: then it goes on.

    A list begins anew by a `ClientPayloadError`, which kopf takes for pages that broke off: the token of the
    next page may be too old, and would be refused for ever. A watch begins where it was: an event says that a
    version is too old, never a status. All else is tried again as it is.
    """
    answer = await handler(request)
    if not 400 <= answer.status < 500 or answer.status in _UNDERSTOOD:
        return answer
    said = ""
    with contextlib.suppress(aiohttp.ClientError):
        said = (await answer.text(errors="replace"))[:_SHOWN]
    answer.release()
    log.warning(
        "the API server refused what the watches need; asking again",
        extra={"method": request.method, "path": request.url.path, "status": answer.status, "said": said},
    )
    await asyncio.sleep(_PAUSE_SECONDS)
    begins_anew = not {"limit", "watch"}.isdisjoint(request.url.query)
    broken = aiohttp.ClientPayloadError if begins_anew else aiohttp.ClientConnectionError
    raise broken(f"refused with {answer.status}")
