"""Somebody who talks to the API server with a token of their own."""

from __future__ import annotations

from typing import Any

from tests.cluster.cluster import Cluster


class Person:
    """Somebody with a token of their own and rights that a test chose."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self._cluster = cluster
        self._token = cluster.person_token(name)

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask the API server; PATCH is not for here, since it needs a content type of its own."""
        answer = self._cluster.request(method, path, body=body, token=self._token)
        return answer.status, answer.body
