"""Where the chart is installed and the operator runs; and the usual one, a control plane of our own."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests.cluster.build import say
from tests.cluster.client import Client, CommandError
from tests.cluster.cluster import COMPONENTS, Cluster, stop_processes
from tests.cluster.waiting import ClusterError
from tests.demo.cast import DIRECTORY
from tests.installation import NAMESPACE, Installation
from tests.playground.record import Record

ADMIN = "admin@example.com"
# As long as the cluster's own certificates are valid.
_ADMIN_SECONDS = 365 * 24 * 3600
# Of a control plane that is given up.
LOST = "people and policies in it are lost"
# What an earlier run's cluster may answer with, when it is half dead.
BROKEN = (ClusterError, CommandError, OSError, subprocess.TimeoutExpired)


class Place(ABC):
    """All of it works on whatever a crash may have left."""

    def __init__(self, state: Path, record: Record) -> None:
        self.state = state
        self.record = record

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, for people."""

    @abstractmethod
    def client(self) -> Client:
        """The cluster, as an earlier command left it. Raises ClusterError."""

    def prepare(self) -> None:  # noqa: B027 (nothing to prepare is an answer)
        """Make room in the state folder. Raises ClusterError when it can't be started here."""

    @abstractmethod
    def start(self) -> Installation[Client]:
        """Cluster, chart and operator, from nothing."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether all that `start` started runs and is ready."""

    @abstractmethod
    def mend(self) -> bool:
        """Start again what ended, keeping the data. False: only a new start helps."""

    @property
    @abstractmethod
    def afresh(self) -> str:
        """What becomes of people and policies when `stop` and `start` must follow each other."""

    @abstractmethod
    def stop(self) -> list[str]:
        """Take down what `start` put up. -> what was done, for people."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """KUBECONFIG, OPERATOR_PID, METRICS_URL, HEALTH_URL and whatever else a shell needs."""

    def installation(self) -> Installation[Client]:
        """The chart's release, as an earlier command left it. Raises one of BROKEN."""
        return Installation.find(self.client())


class WithLocalOperator(Place):
    """The operator is a process of this checkout, with the rights of the chart's ServiceAccount."""

    def is_ready(self) -> bool:
        """By the Deployment's own probe."""
        try:
            operator = self.installation().process
            return operator.is_alive and operator.is_ready()
        except BROKEN:
            return False

    def mend(self) -> bool:
        """Another operator on the same release; one that never gets ready raises ClusterError."""
        try:
            installation = self.installation()
        except BROKEN:
            return False
        if installation.process.is_alive:
            installation.process.terminate()
        say("the operator was gone or not ready: starting it again; what it kept is in the cluster")
        installation.start()
        return True

    def settings(self) -> dict[str, str]:
        """Of the process as it is now."""
        operator = self.installation().process
        return {
            **self.client().settings(),
            "OPERATOR_PID": str(operator.pid),
            "METRICS_URL": f"{operator.url('metrics')}/metrics",
            "HEALTH_URL": operator.url("health"),
        }

    def _install(self, client: Client, *values: str) -> Installation[Client]:
        say(f"helm install {NAMESPACE}, then the operator as its Deployment says")
        installation: Installation[Client] = Installation.install(client, [DIRECTORY], values=values)
        installation.start()
        return installation


class OwnPlace(WithLocalOperator):
    """A control plane on loopback, in the state folder."""

    @property
    def title(self) -> str:
        """With the version."""
        return (
            f"Kubernetes {self.client().versions['kube-apiserver']} on loopback, a control plane of its own"
        )

    def client(self) -> Cluster:
        """Running or not."""
        return Cluster.load(self.state)

    def start(self) -> Installation[Client]:
        """On the cluster that `python -m tests.cluster up` started, if there is one and it is empty."""
        cluster = self._bare()
        if cluster is None:
            if (self.state / "etcd").exists():
                say(f"the control plane of an earlier run can't be used: {LOST}")
            stop_processes(self.state)
            began = time.monotonic()
            cluster = Cluster.start(self.state)
            say(f"control plane up in {time.monotonic() - began:.1f} s: {cluster.server}")
        installation = self._install(cluster)
        cluster.kubectl(
            "create",
            "clusterrolebinding",
            "playground-admin",
            "--clusterrole=cluster-admin",
            f"--user={ADMIN}",
        )
        # By token: with the admin's certificate in it, `kubectl --token` would still be the admin.
        cluster.kubeconfig_for(cluster.person_token(ADMIN, seconds=_ADMIN_SECONDS), self._kubeconfig)
        return installation

    def is_ready(self) -> bool:
        """Components, then the operator."""
        return self._cluster_is_up() and super().is_ready()

    def mend(self) -> bool:
        """Not when etcd is gone: without waiting for the disk, it may have lost anything."""
        return self._mend_components() and (super().is_ready() or super().mend())

    @property
    def afresh(self) -> str:
        """All was in etcd."""
        return LOST

    def stop(self) -> list[str]:
        """All processes; the files are the caller's."""
        return [f"stopped {name}" for name in stop_processes(self.state)]

    def settings(self) -> dict[str, str]:
        """The admin identifies by token here."""
        return {**super().settings(), "KUBECONFIG": str(self._kubeconfig)}

    @property
    def _kubeconfig(self) -> Path:
        return self.state / "admin.kubeconfig"

    def _cluster_is_up(self) -> bool:
        try:
            return self.client().is_up
        except ClusterError:
            return False

    def _mend_components(self) -> bool:
        """Those around etcd keep nothing: started again, they go on where they were."""
        try:
            cluster = self.client()
            found = cluster.processes
            if not (set(COMPONENTS) <= set(found) and found["etcd"].is_alive):
                return False
            for name in (name for name in COMPONENTS if not found[name].is_alive):
                say(f"{name} was gone: starting it again; people and policies are kept, in etcd")
                found[name].restart()
            cluster.wait_ready()
        except BROKEN as error:
            say(f"the control plane doesn't get ready: {error}")
            return False
        return True

    def _bare(self) -> Cluster | None:
        if not self._cluster_is_up():
            return None
        cluster = self.client()
        # A start that was cut short left the chart half installed.
        installed = cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}").status != 404
        return None if installed else cluster
