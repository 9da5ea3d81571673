"""A cluster of Docker containers, by kind: the image is built and loaded, the operator runs in a pod.

Written after kind's documentation, and not tried yet: there was no Docker where it was written.
"""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from functools import cached_property
from pathlib import Path

from tests.cluster.build import build, say
from tests.cluster.client import Client
from tests.cluster.cluster import stop_processes
from tests.cluster.ports import listens
from tests.cluster.process import Process, processes
from tests.cluster.waiting import ClusterError, wait_for
from tests.demo.cast import DIRECTORY
from tests.installation import NAMESPACE, Installation
from tests.playground.folder import claim
from tests.playground.place import BROKEN, LOST, Place

NAME = "scim-operator-playground"
_IMAGE, _TAG = "scim-operator", "playground"
_ROOT = Path(__file__).parents[2]
_CONFIG = Path(__file__).with_name("kind.yaml")
_FORWARD = "port-forward"

# In a pod it must listen on all addresses; the image is on the node and nowhere else.
VALUES = (
    "bindAddress=0.0.0.0",
    f"image.repository={_IMAGE}",
    f"image.tag={_TAG}",
    "image.pullPolicy=Never",
)


class KindPlace(Place):
    """`make up CLUSTER=kind`."""

    @property
    def title(self) -> str:
        """Says that nobody tried."""
        return f"kind's cluster {NAME} (written with care, not yet tested with a real Docker)"

    def client(self) -> Client:
        """With the kubeconfig that kind wrote."""
        return self._client

    @cached_property
    def _client(self) -> Client:
        return Client(self.state, "", build(names=("kubectl", "helm")).paths)

    def prepare(self) -> None:
        """Docker must run, kind be installed, the name be free."""
        for program, where in (("docker", "https://docs.docker.com"), ("kind", "https://kind.sigs.k8s.io")):
            if shutil.which(program) is None:
                raise ClusterError(
                    f"CLUSTER=kind needs `{program}` on the PATH ({where}); plain `make up` needs neither"
                )
        asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
        if asked.returncode:
            raise ClusterError(f"Docker doesn't answer; start it. It said: {asked.stderr.strip()}")
        if NAME in _ran("kind", "get", "clusters").split():
            raise ClusterError(
                f"kind has a cluster {NAME} already; when it may go: kind delete cluster --name {NAME}"
            )
        claim(self.state)

    def start(self) -> Installation[Client]:
        """Cluster, image, chart, then a port-forward to the pod."""
        self.record.save(self.state)
        client = self.client()
        _shown(
            "kind",
            "create",
            "cluster",
            f"--config={_CONFIG}",
            f"--kubeconfig={client.kubeconfig}",
            "--wait=180s",
        )
        _shown("docker", "build", "--tag", f"{_IMAGE}:{_TAG}", str(_ROOT))
        _shown("kind", "load", "docker-image", f"{_IMAGE}:{_TAG}", "--name", NAME)
        say(f"helm install {NAMESPACE}")
        installation: Installation[Client] = Installation.install(client, [DIRECTORY], values=VALUES)
        self._forward(installation)
        return installation

    def is_ready(self) -> bool:
        """The pod, through the port-forward."""
        found = processes(self.state).get(_FORWARD)
        if found is None or not found.is_alive:
            return False
        try:
            port = self.installation().process.port("health")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3):
                return True
        except BROKEN:
            return False

    def mend(self) -> bool:
        """A port-forward ends with its pod."""
        stop_processes(self.state)
        try:
            self._forward(self.installation())
        except BROKEN:
            return False
        return True

    @property
    def afresh(self) -> str:
        """The cluster goes with its containers."""
        return LOST

    def stop(self) -> list[str]:
        """The port-forward and the whole cluster; the image stays in Docker."""
        done = [f"stopped {name}" for name in stop_processes(self.state)]
        _shown("kind", "delete", "cluster", "--name", NAME, f"--kubeconfig={self.client().kubeconfig}")
        return [*done, f"deleted {NAME}; image {_IMAGE}:{_TAG} stays in Docker"]

    def settings(self) -> dict[str, str]:
        """No process of ours to name: the operator is a pod."""
        operator = self.installation().process
        return {
            **self.client().settings(),
            "OPERATOR_PID": "",
            "METRICS_URL": f"http://127.0.0.1:{operator.port('metrics')}/metrics",
            "HEALTH_URL": f"http://127.0.0.1:{operator.port('health')}",
        }

    def _forward(self, installation: Installation[Client]) -> None:
        """Ports of the pod under the same numbers here: they were chosen free on this machine."""
        client, operator = installation.cluster, installation.process
        deployment = f"deployment/{NAMESPACE}"
        client.kubectl("rollout", "status", deployment, "-n", NAMESPACE, "--timeout=180s", timeout=200)
        ports = [str(operator.port(name)) for name in ("scim", "health", "metrics")]
        command = [str(client.programs["kubectl"]), "port-forward", deployment, "-n", NAMESPACE, *ports]
        process = Process.start(self.state, _FORWARD, command, environment=client.environment())
        wait_for("the port-forward", lambda: listens(operator.port("scim")), 30, watching=process)


def _ran(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _shown(*command: str) -> None:
    """With its output: these take minutes."""
    say(" ".join(command))
    if subprocess.run(command, check=False).returncode:
        raise ClusterError(f"`{' '.join(command)}` failed; its words are above")
