"""The demo's own cluster with the chart in it: put up in a temporary folder, taken down whatever happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.demo.cast import DIRECTORY
from tests.demo.screen import Screen
from tests.installation import NAMESPACE, Installation

# What a reader wants to know of helm's notes, by the beginnings of its lines.
_TELLING = ("STATUS:", "scim-operator", "Grantable")


class Stage:
    """As a context: everything is up inside, nothing is left after it but logs that somebody may want."""

    def __init__(self, screen: Screen, *, keep: bool = False) -> None:
        self._screen = screen
        self.keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="scim-operator-demo-"))
        # Of the run; the first build of the programs doesn't count.
        self.began = time.monotonic()
        self._cluster: Cluster | None = None
        self._installation: Installation | None = None

    @property
    def installation(self) -> Installation:
        """The chart's release and its operator."""
        if self._installation is None:
            raise RuntimeError("the stage is not set")
        return self._installation

    def __enter__(self) -> Stage:
        return self

    def set(self) -> Installation:
        """Cluster, chart, operator. Inside the context, so that an interrupt finds what to take down."""
        build()
        self.began = time.monotonic()
        # Tied: should this process be killed, everything ends with it.
        self._cluster = cluster = Cluster.start(self.folder / "cluster", tied=True)
        kubernetes, etcd, helm = (cluster.versions[name] for name in ("kube-apiserver", "etcd", "helm"))
        self._screen.text(
            f"A real control plane on loopback: Kubernetes {kubernetes}, etcd {etcd}, helm {helm}; "
            f"up in {time.monotonic() - self.began:.1f} s."
        )
        self._installation = installation = Installation.install(cluster, [DIRECTORY])
        settings = " ".join(f"--set\xa0{value}" for value in installation.values)
        self._screen.command(
            f"helm install {NAMESPACE} charts/scim-operator -n {NAMESPACE} --create-namespace {settings}"
        )
        said = [line for line in installation.said.splitlines() if line.startswith(_TELLING)]
        self._screen.said("\n".join(said))
        installation.start()
        plan = installation.process.plan
        environment = " ".join(f"{name}={value}" for name, value in plan.environment.items())
        self._screen.text(
            "The operator runs as the live Deployment says, "
            f"as ServiceAccount {plan.namespace}/{plan.service_account}:"
        )
        self._screen.command(f"{environment} {' '.join(plan.command)}")
        return installation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An impatient second Ctrl-C must not leave half of it behind; grace periods bound the time.
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
        try:
            if self._installation is not None and self._installation.process.is_alive:
                self._installation.process.terminate()
            if self._cluster is not None:
                self._cluster.stop()
            failed = kind is not None and issubclass(kind, Exception)
            if not (self.keep or failed):
                # Keys and tokens are in it, too.
                shutil.rmtree(self.folder)
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    @property
    def logs(self) -> Path:
        """Of the operator (operator.log) and of every component."""
        return self.folder / "cluster" / "logs"
