"""A control plane of its own with the operator as in production, and a load client in another process."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from benchmarks.counters import Counters
from benchmarks.scim import Endpoint
from tests.cluster.build import say
from tests.cluster.cluster import Cluster
from tests.cluster.operator import OperatorProcess
from tests.installation import Installation

DIRECTORY = "entra"
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """folder: for whatever a section writes."""

    cluster: Cluster
    operator: OperatorProcess
    endpoint: Endpoint
    folder: Path
    executor: Executor

    def away(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Done in the load client's process; all of it must be picklable."""
        return self.executor.submit(work, *args, **kwargs).result()

    def counters(self) -> Counters:
        """The operator's metrics as they are now."""
        return Counters.read(self.operator.url("metrics"))


@contextmanager
def stage() -> Iterator[Stage]:
    """etcd waits for the disk; the operator is the only replica. All of it ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="scim-operator-bench-"))
    try:
        # Tied: should this process be killed, everything ends with it.
        cluster = Cluster.start(folder / "cluster", durable=True, tied=True)
        try:
            # As fast as it can, not as fast as one directory may ask.
            values = ["identityEditors={admin}", "limits.requestsPerSecond=100000"]
            installation = Installation.install(cluster, [DIRECTORY], values=values)
            installation.start()
            made = installation.connection(DIRECTORY)
            say(f"control plane and operator up: {cluster.server}")
            # Spawned, so that it holds nothing of this process.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
                yield Stage(cluster, installation.process, Endpoint(made.url, made.token), folder, executor)
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)
