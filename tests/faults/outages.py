"""Parts of the control plane that are gone for a while, or come back older than they went."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.cluster import COMPONENTS, Cluster


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
def rewound(cluster: Cluster) -> Iterator[None]:
    """What is written in the block is forgotten after it, as when etcd is restored from a snapshot.

    The API server is stopped meanwhile, as Kubernetes' manual says for a restore. Revisions go back too.
    """
    data, kept = cluster.state / "etcd", cluster.state / "etcd-snapshot"
    with without(cluster, "etcd", "kube-apiserver"):
        shutil.copytree(data, kept)
    yield
    with without(cluster, "etcd", "kube-apiserver"):
        shutil.rmtree(data)
        kept.rename(data)


def resident(pid: int) -> float:
    """A process's memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
