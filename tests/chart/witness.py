"""Somebody who uses their access all the time, and remembers every moment in which it was refused."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from tests.cluster.cluster import Cluster

_PAUSE = 0.02


class Witness:
    """Lists pods in a namespace with a token of their own, over and over, while the `with` block runs."""

    def __init__(self, cluster: Cluster, name: str, namespace: str) -> None:
        self._cluster = cluster
        self._token = cluster.person_token(name)
        self._path = f"/api/v1/namespaces/{namespace}/pods?resourceVersion=0&limit=1"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.answers: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            answer = self._cluster.request("GET", self._path, token=self._token)
            self.answers.append(answer.status)
