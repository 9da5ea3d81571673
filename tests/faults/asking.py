"""A SCIM client that sends a request again, under the same X-Request-Id, until it is answered.

Every try is on record, so that a test can say how many were needed and what was said meanwhile.
"""

from __future__ import annotations

import http.client
import itertools
import json
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

Json = dict[str, Any]
# A request that hangs longer than this counts as one whose connection broke.
_TIMEOUT = 30.0
# Told to come back: sooner than an operator asks for, so that a test sees when it answers again.
_LONGEST_PAUSE = 0.5


@dataclass(frozen=True)
class Endpoint:
    """One replica's base URL of a directory, such as http://127.0.0.1:8080/scim/v2/entra."""

    url: str
    token: str


@dataclass(frozen=True)
class Try:
    """One sending of a request. `number`: from 1; `began`: monotonic; `status` 0: no answer, see `error`."""

    request_id: str
    number: int
    method: str
    path: str
    endpoint: str
    began: float
    seconds: float
    status: int
    retry_after: str | None = None
    error: str = ""


@dataclass(frozen=True)
class Answered:
    """What a request came to after `tries` tries."""

    status: int
    body: Json
    tries: int


class Asker:
    """For one thread. Each request goes to the next endpoint in turn, and so does each new try of it.

    `told` gets every try; `patience`: seconds after which a request without an answer is given up.
    """

    def __init__(self, endpoints: Sequence[Endpoint], told: Callable[[Try], None], patience: float) -> None:
        self._turns = itertools.cycle(endpoints)
        self._told = told
        self._patience = patience
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def ask(self, method: str, path: str, body: Json | None = None, **query: str) -> Answered:
        """Raises TimeoutError when its patience ends."""
        request_id = str(uuid4())
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        deadline = time.monotonic() + self._patience
        for number in itertools.count(1):
            status, answer, pause = self._once(next(self._turns), method, target, body, request_id, number)
            if status not in (0, 429, 503):
                return Answered(status, answer, number)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path} isn't answered; at last {status}: {answer}")
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(
        self, endpoint: Endpoint, method: str, target: str, body: Json | None, request_id: str, number: int
    ) -> tuple[int, Json, float]:
        """-> status (0: none), body, seconds to wait before the next try"""
        began = time.monotonic()
        error, retry_after, status = "", None, 0
        answer: Json = {}
        try:
            response, content = self._send(endpoint, method, target, body, request_id)
            status, retry_after = response.status, response.headers.get("Retry-After")
            answer = json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError) as broken:
            status, error = 0, repr(broken)
            if connection := self._connections.pop(endpoint.url, None):
                connection.close()
        seconds = time.monotonic() - began
        path = target.partition("?")[0]
        self._told(
            Try(request_id, number, method, path, endpoint.url, began, seconds, status, retry_after, error)
        )
        # A broken connection is tried again at once, the first time: the other replica is there.
        pause = 0.02 if status == 0 and number == 1 else _LONGEST_PAUSE
        return status, answer, pause

    def _send(
        self, endpoint: Endpoint, method: str, target: str, body: Json | None, request_id: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        parts = urllib.parse.urlsplit(endpoint.url)
        connection = self._connections.get(endpoint.url)
        if connection is None:
            connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
            self._connections[endpoint.url] = connection
        headers = {
            "Authorization": f"Bearer {endpoint.token}",
            "Content-Type": "application/scim+json",
            "X-Request-Id": request_id,
        }
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, parts.path + target, data, headers)
        response = connection.getresponse()
        return response, response.read()

    def close(self) -> None:
        """End its connections."""
        for connection in self._connections.values():
            connection.close()
