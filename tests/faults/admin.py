"""The cluster's admin over one kept connection.

A TLS handshake for each of tens of thousands of requests would be most of the work of these tests.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from tests.cluster.client import Answer, Client

_TIMEOUT = 30


class Admin:
    """For one thread."""

    def __init__(self, cluster: Client) -> None:
        context = ssl.create_default_context(cafile=str(cluster.ca))
        folder = cluster.state / "pki"
        context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        host = cluster.server.removeprefix("https://")
        self._connection = http.client.HTTPSConnection(host, context=context, timeout=_TIMEOUT)

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        """One request; an error status is an answer too. A read is sent again on a new connection: the
        kept one doesn't outlive an API server.
        """
        try:
            return self._once(method, path, body)
        except (OSError, http.client.HTTPException):
            if method != "GET":
                raise
            return self._once(method, path, body)

    def _once(self, method: str, path: str, body: Any) -> Answer:
        data = None if body is None else json.dumps(body)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        except BaseException:
            self._connection.close()  # the next request begins anew
            raise
