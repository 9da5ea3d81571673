"""Every refusal in SCIM form, whatever raised it: clients parse the body of a 401 or 413 as well."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson
from aiohttp import web

from scim_operator.directory.unavailable import RefusedError, UnavailableError
from scim_operator.scim.errors import ScimError
from scim_operator.web.requests import REQUEST_ID
from scim_operator.web.throttle import ThrottledError

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/scim+json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def scim_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON with SCIM's media type."""
    return web.Response(
        body=orjson.dumps(body), status=status, content_type=CONTENT_TYPE, charset="utf-8", headers=headers
    )


@web.middleware
async def errors_as_scim(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer any exception with a SCIM Error."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return scim_response(ScimError(error.status, error.text or error.reason).body(), error.status, allow)
    except ConnectionResetError:
        # Nobody hears it; but the log tells what became of the request.
        return scim_response(ScimError(400, "the client hung up before its request was whole").body(), 400)
    except Exception as error:
        refused = as_scim(error, request[REQUEST_ID])
        headers = {"WWW-Authenticate": 'Bearer realm="scim"'} if refused.status == 401 else {}
        if isinstance(error, UnavailableError | ThrottledError):
            headers["Retry-After"] = str(error.retry_after)
        return scim_response(refused.body(), refused.status, headers)


def as_scim(error: Exception, request_id: str) -> ScimError:
    """Any exception as what the provider should hear; what it can't mend is logged."""
    if isinstance(error, ScimError):
        return error
    if isinstance(error, UnavailableError):
        return ScimError(503, str(error))
    if isinstance(error, ThrottledError):
        return ScimError(429, str(error))
    if isinstance(error, RefusedError):
        told = {"kind": error.kind, "api_status": error.status, "reason": error.reason}
        log.error("the API server refused", extra={"request_id": request_id, **told})
    else:
        log.error("a request failed", exc_info=error, extra={"request_id": request_id})
    return ScimError(500, f"the operator failed; its log has the reason under request id {request_id}")
