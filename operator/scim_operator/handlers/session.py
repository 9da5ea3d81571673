"""kopf's way to the API server: a session of ours, in which a refusal isn't the end at once.

kopf ends all its watches, and with them the process, when one list or watch is refused. What is refused for a
moment is asked for again here. What is refused for a minute ends kopf as it always did: the new process reads
credentials and lists everything anew, and Kubernetes shows that it had to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import aiohttp
import kopf

from scim_operator.kube.credentials import Credentials
from scim_operator.kube.errors import ApiError

log = logging.getLogger(__name__)

# 403 and 429 kopf itself tries again, and 404 means that a kind has gone: a new process looks what there is.
_LEFT_TO_KOPF = frozenset({403, 404, 429})
# Bytes of a refusal in the log.
_SHOWN = 200


def connection(login: Credentials, pause: float = 1.0, patience: float = 60.0) -> kopf.AiohttpSession:
    """A session for kopf, which closes it. After a refusal nothing is asked for `pause` seconds; what is
    refused for longer than `patience` seconds without a break fails.
    """

    async def signed(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """With the token of this moment: it is exchanged every hour."""
        try:
            token = await login.token()
        except ApiError as error:
            raise aiohttp.ClientConnectionError(str(error)) from error
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.ssl_context()),
        middlewares=(_Persistence(pause, patience), signed),
    )
    return kopf.AiohttpSession(server=login.server, aiohttp_session=session)


class _Persistence:
    """Tells kopf of a refusal, after a pause, as of a connection that broke: then it goes on.

    A list begins anew by a `ClientPayloadError`, which kopf takes for pages that broke off: the token of the
    next page may be too old, and would be refused for ever. A watch goes on where it was: an event, not a
    status, says that this is too long ago. All else is tried again as it is. A redirect is a refusal too:
    nobody but the API server may see our token.
    """

    def __init__(self, pause: float, patience: float) -> None:
        self._pause = pause
        self._patience = patience
        # Since when each is refused, by the clock of `time.monotonic`.
        self._since: dict[tuple[str, bool], float] = {}

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """One try."""
        key = (request.url.path, "watch" in request.url.query)
        since = self._since.pop(key, time.monotonic())  # forgotten also when no answer comes
        answer = await handler(request)
        if not 300 <= answer.status < 500 or answer.status in _LEFT_TO_KOPF:
            return answer
        self._since[key] = since
        refused_for = time.monotonic() - since
        said = b""
        with contextlib.suppress(aiohttp.ClientError):
            said = await answer.content.read(_SHOWN)
        answer.close()
        refusal = f"{key[0]} was refused with {answer.status}"
        told = {"path": key[0], "status": answer.status, "said": said.decode(errors="replace")}
        if refused_for > self._patience:
            log.error("the API server goes on refusing what the watches need; ending them", extra=told)
            raise aiohttp.ClientError(f"{refusal} for {refused_for:.0f} s")
        log.warning("the API server refused what the watches need; asking again", extra=told)
        await asyncio.sleep(self._pause)
        pages = key[1] or "limit" in request.url.query
        broken = aiohttp.ClientPayloadError if pages else aiohttp.ClientConnectionError
        raise broken(refusal)
