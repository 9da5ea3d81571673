"""The chart, installed as its defaults say, and its pods on the node."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.cluster.client import CommandError
from tests.cluster.cluster import Cluster
from tests.demo.cast import DIRECTORY
from tests.installation import CHART, NAMESPACE, Connection, scim_operator, set_values
from tests.replicas import comparing

_NAME = "scim-operator"
# What a user has to say; and a directory in which a load may take access from many at once.
_VALUES = (
    "externalURL=https://scim.example.com",
    f"directories[0].name={DIRECTORY}",
    f"directories[1].name={comparing.DIRECTORY}",
    "directories[1].guard.maxRemovals=1000000",
    "directories[1].guard.maxPercent=100",
)


@dataclass(frozen=True)
class Pod:
    """One replica."""

    name: str
    ip: str
    # As the API server has it.
    body: dict[str, Any]

    def url(self, port_name: str, scheme: str = "http") -> str:
        """Base URL of one of its ports."""
        (container,) = self.body["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        return f"{scheme}://{self.ip}:{ports[port_name]}"

    @property
    def is_ready(self) -> bool:
        """By its probes; one that is about to end doesn't count."""
        conditions = self.body["status"].get("conditions", [])
        ready = any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)
        return ready and "deletionTimestamp" not in self.body["metadata"]

    @property
    def restarts(self) -> int:
        """How often the kubelet had to start it again."""
        return sum(item["restartCount"] for item in self.body["status"].get("containerStatuses", []))


@dataclass(frozen=True)
class Release:
    """One release of the chart on a node."""

    cluster: Cluster

    @classmethod
    def install(cls, cluster: Cluster) -> Release:
        """`helm install --wait`."""
        release = cls(cluster)
        release.helm(
            "install", str(CHART), "--create-namespace", "--wait", "--timeout=120s", *set_values(_VALUES)
        )
        return release

    def upgrade(self, *values: str) -> None:
        """`helm upgrade --wait`, which returns when the pods are those of the new revision."""
        self.helm("upgrade", str(CHART), "--wait", "--timeout=180s", *set_values((*_VALUES, *values)))

    def helm(self, verb: str, *args: str) -> str:
        """A command about this release."""
        return self.cluster.helm(verb, _NAME, *args, "-n", NAMESPACE)

    def pods(self) -> list[Pod]:
        """Those that there are, in whatever state."""
        query = f"labelSelector=app.kubernetes.io/instance={_NAME},app.kubernetes.io/name=scim-operator"
        listed = self.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?{query}")
        assert listed.status == 200, listed.body
        return [
            Pod(item["metadata"]["name"], item["status"].get("podIP", ""), item)
            for item in listed.body["items"]
        ]

    def ready_pods(self) -> list[Pod]:
        """Those that the Service leads to."""
        return [pod for pod in self.pods() if pod.is_ready]

    def inside(self, pod: Pod, program: str) -> Any:
        """Run Python in a pod, as its user. -> what it printed, as JSON"""
        return json.loads(
            self.cluster.kubectl("exec", "-i", pod.name, "-n", NAMESPACE, "--", "python3", "-", input=program)
        )

    def evict(self, pod: Pod) -> int:
        """As a drain does. -> the API server's status"""
        about = {"name": pod.name, "namespace": NAMESPACE}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}/eviction"
        return self.cluster.request("POST", path, body=body).status

    def url(self, directory: str) -> str:
        """A directory behind the Service: this takes the part of scim.example.com's load balancer."""
        found = self.cluster.request("GET", f"/api/v1/namespaces/{NAMESPACE}/services/{_NAME}").body["spec"]
        (port,) = (item["port"] for item in found["ports"] if item["name"] == "scim")
        return f"http://{found['clusterIP']}:{port}/scim/v2/{directory}"

    def connection(self, directory: str) -> Connection:
        """A new token."""
        done = self.command("token", "create", directory, "-n", NAMESPACE, "-o", "json")
        if done.returncode:
            raise CommandError(done.stderr.strip())
        return Connection(self.url(directory), json.loads(done.stdout)["token"])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`scim-operator …` with the admin's kubeconfig."""
        return scim_operator(self.cluster, *arguments)
