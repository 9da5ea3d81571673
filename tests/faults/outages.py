"""Parts of the control plane that are gone for a while, or come back older than they went."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.cluster import COMPONENTS, Cluster
from tests.cluster.components import HOST
from tests.cluster.ports import listens
from tests.cluster.waiting import wait_for

_JUNK = base64.b64encode(b"/junk").decode()


@contextmanager
def without(cluster: Cluster, *names: str) -> Iterator[None]:
    """These are killed, and run again, ready, after the block."""
    found = cluster.processes
    for name in reversed([name for name in COMPONENTS if name in names]):
        found[name].kill()
    try:
        yield
    finally:
        for name in COMPONENTS:
            if name in names:
                found[name].restart()
        cluster.wait_ready()


@contextmanager
def rewound(cluster: Cluster, bump: int = 0) -> Iterator[None]:
    """What is written in the block is forgotten after it, as when etcd is restored from a snapshot.

    The API server is stopped meanwhile, as Kubernetes' manual says for a restore. Revisions go back too,
    unless there is a `bump`: so far etcd is ahead then, and has forgotten what came before, as `etcdutl
    snapshot restore --bump-revision … --mark-compacted` leaves it.
    """
    data, kept = cluster.state / "etcd", cluster.state / "etcd-snapshot"
    with without(cluster, "etcd", "kube-apiserver"):
        shutil.copytree(data, kept)
    yield
    with without(cluster, "kube-apiserver"):
        etcd = cluster.processes["etcd"]
        etcd.kill()
        shutil.rmtree(data)
        kept.rename(data)
        etcd.restart()
        wait_for("etcd to listen", lambda: listens(cluster.ports.etcd), 30, watching=etcd)
        if bump:
            _Etcd(cluster).bump(bump)


class _Etcd:
    """Its JSON gateway (etcd.io/docs/v3.6/dev-guide/api_grpc_gateway)."""

    def __init__(self, cluster: Cluster) -> None:
        folder = cluster.state / "pki"
        self._port = cluster.ports.etcd
        self._tls = ssl.create_default_context(cafile=folder / "ca.crt")
        self._tls.load_cert_chain(folder / "etcd.crt", folder / "etcd.key")

    def bump(self, revisions: int) -> None:
        """Each write of a key is one; the key lies where no API server looks."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._put, [revisions // 8] * 8))
        revision = int(
            self._ask(self._connection(), "put", {"key": _JUNK, "value": ""})["header"]["revision"]
        )
        self._ask(self._connection(), "compaction", {"revision": revision})

    def _put(self, times: int) -> None:
        connection = self._connection()
        for _ in range(times):
            self._ask(connection, "put", {"key": _JUNK, "value": ""})
        connection.close()

    def _connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(HOST, self._port, context=self._tls, timeout=30)

    def _ask(self, connection: http.client.HTTPSConnection, what: str, body: dict[str, Any]) -> Any:
        connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content)


def resident(pid: int) -> float:
    """A process's memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
