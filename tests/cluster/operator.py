"""Runs the operator as its live Deployment says, with the rights of its ServiceAccount and nothing else.

There is no kubelet, so this takes its part: command, arguments and environment come from the Deployment as
the API server has it, so that a mistake in the chart fails a test. The operator never sees the admin's
kubeconfig, the checkout or this process's environment.
"""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.client import Client
from tests.cluster.deployment import PodPlan, plan_pod
from tests.cluster.mount import mount
from tests.cluster.process import Process, processes
from tests.cluster.waiting import ClusterError, wait_for

# Longer than anybody leaves a playground running, since nobody renews it here as a kubelet would.
_TOKEN_SECONDS = 90 * 24 * 3600


class OperatorProcess:
    """One pod's worth of operator."""

    def __init__(self, cluster: Client, plan: PodPlan, name: str, ip: str, extra: Mapping[str, str]) -> None:
        self.cluster = cluster
        self.plan = plan
        self.name = name
        self._ip = ip
        self._extra = dict(extra)
        # What it takes for the API server: the cluster's own, unless a test puts something in front of that.
        self.endpoint: Mapping[str, Any] = cluster.endpoint
        # One that an earlier command started is found again.
        self._process = processes(cluster.state).get(name)

    @classmethod
    def from_deployment(
        cls,
        cluster: Client,
        namespace: str,
        name: str,
        extra_env: Mapping[str, str] | None = None,
        *,
        pod_name: str = "operator",
        pod_ip: str = "127.0.0.1",
    ) -> OperatorProcess:
        """Read the Deployment; replicas side by side need pod names and pod IPs (127.0.0.2) of their own."""
        deployment = json.loads(cluster.kubectl("get", "deployment", name, "-n", namespace, "-o", "json"))
        return cls(cluster, plan_pod(deployment, pod_name, pod_ip), pod_name, pod_ip, extra_env or {})

    @property
    def process(self) -> Process:
        """The running process, also found as ``cluster.processes[pod_name]``."""
        if self._process is None:
            raise ClusterError(f"operator {self.name} was not started; call start() first")
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive

    @property
    def log(self) -> Path:
        """Where its log goes, over all starts."""
        return self.cluster.state / "logs" / f"{self.name}.log"

    @property
    def audit(self) -> Path:
        """Where its standard output goes, which the audit stream has to itself."""
        return self.cluster.state / "logs" / f"{self.name}.audit.log"

    def port(self, name: str) -> int:
        """A container port by the name that the Deployment gives it."""
        if name not in self.plan.ports:
            raise ClusterError(f"the Deployment has no port {name!r}; it has {', '.join(self.plan.ports)}")
        return self.plan.ports[name]

    def url(self, port_name: str, scheme: str = "http") -> str:
        """Base URL of one of its ports."""
        return f"{scheme}://{self._ip}:{self.port(port_name)}"

    def start(self) -> None:
        """Start it, with a fresh token of its ServiceAccount; again after it ended."""
        if self.is_alive:
            raise ClusterError(f"operator {self.name} already runs (pid {self.pid})")
        folder = self.cluster.state / "pods" / self.name
        for part in ("home", "tmp", "cwd"):
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).mkdir(parents=True)
        token = self.cluster.service_account_token(
            self.plan.service_account, self.plan.namespace, _TOKEN_SECONDS
        )
        kubeconfig = self.cluster.kubeconfig_for(
            token, folder / "kubeconfig", self.plan.namespace, self.endpoint
        )
        environment = {
            # The kubelet's and the image's part first, so that the Deployment may override it.
            "PATH": f"{_environment_bin()}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "HOSTNAME": self.name,
            "LANG": "C.UTF-8",
            **self.plan.environment,
            "KUBECONFIG": str(kubeconfig),
            **self._extra,
        }
        # A Secret is a folder of this pod's own, whatever path the container would see it at.
        folders = {path: self._mount(path, secret) for path, secret in self.plan.secrets.items()}

        def here(text: str) -> str:
            for path, written in folders.items():
                text = text.replace(path, str(written))
            return text

        environment = {name: here(value) for name, value in environment.items()}
        command = [_find(self.plan.command[0]), *map(here, self.plan.command[1:])]
        self._process = Process.start(
            self.cluster.state,
            self.name,
            command,
            environment=environment,
            folder=folder / "cwd",
            out=self.audit,
        )

    def _mount(self, path: str, name: str) -> Path:
        found = json.loads(
            self.cluster.kubectl("get", "secret", name, "-n", self.plan.namespace, "-o", "json")
        )
        folder = self.cluster.state / "pods" / self.name / "mounts" / path.strip("/").replace("/", "-")
        return mount(folder, {key: base64.b64decode(value) for key, value in found["data"].items()})

    def wait_ready(self, timeout: float = 60) -> None:
        """Ask the Deployment's readiness probe until it says yes."""
        if self.plan.readiness is None:
            raise ClusterError("the Deployment has no readiness probe to wait for")
        wait_for("the operator's readiness probe", self.is_ready, timeout, watching=self.process)

    def is_ready(self) -> bool:
        """One readiness probe, judged as the kubelet does; a refused connection is an OSError."""
        probe = self.plan.readiness
        if probe is None:
            return self.is_alive
        # Like the kubelet: certificates aren't verified, proxies not used.
        context = ssl._create_unverified_context()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(f"{probe.scheme}://{self._ip}:{probe.port}{probe.path}", timeout=3):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False

    def terminate(self) -> bool:
        """SIGTERM, and SIGKILL after the Deployment's grace period; True when it ended by itself."""
        self.process.terminate()
        by_itself = self.process.wait(self.plan.grace)
        if not by_itself:
            self.process.kill()
        return by_itself

    def kill(self) -> None:
        """SIGKILL, as a node's crash."""
        self.process.kill()


def _environment_bin() -> Path:
    return Path(sys.prefix) / "bin"


def _find(command: str) -> str:
    """The command of the image, as this Python environment has it."""
    found = shutil.which(Path(command).name, path=str(_environment_bin()))
    if found is None:
        raise ClusterError(
            f"the Deployment runs {command!r}, and {_environment_bin()} has no such command; "
            "install the project into this environment: pip install -e ."
        )
    return found
