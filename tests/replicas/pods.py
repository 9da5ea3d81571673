"""Pods of one Deployment side by side, each on a loopback address of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Protocol, TypeVar

from tests.cluster.operator import OperatorProcess
from tests.eventually import eventually
from tests.installation import NAMESPACE, Installation


class Reachable(Protocol):
    """A pod, wherever it runs."""

    def url(self, port_name: str, scheme: str = "http") -> str:
        """Base URL of one of its ports."""


P = TypeVar("P", bound=Reachable)


def another_pod(installation: Installation, name: str, ip: str) -> OperatorProcess:
    """One more pod of the installation's Deployment, not started yet."""
    return OperatorProcess.from_deployment(
        installation.cluster, NAMESPACE, "scim-operator", pod_name=name, pod_ip=ip
    )


def role(pod: Reachable) -> str:
    """What /readyz says: `leader`, `standby`, or nothing."""
    try:
        with urllib.request.urlopen(f"{pod.url('health')}/readyz", timeout=3) as answer:
            said: str = answer.read().decode()
    except (OSError, urllib.error.URLError):
        return ""
    return said.removeprefix("ok").strip()


def leader(pods: list[P], seconds: float = 20) -> P:
    """The one of them that leads, once one does."""
    found = eventually(
        lambda: [pod for pod in pods if role(pod) == "leader"], lambda seen: len(seen) == 1, seconds
    )
    return found[0]


def lease(installation: Installation) -> dict[str, Any]:
    """The Lease's spec as it is now."""
    said = installation.cluster.kubectl("get", "lease", "scim-operator", "-n", NAMESPACE, "-o", "json")
    spec: dict[str, Any] = json.loads(said)["spec"]
    return spec


def lines(pod: OperatorProcess, message: str, since: int = 0) -> list[dict[str, Any]]:
    """Those of its log that say this, from a position in the file on."""
    text = pod.log.read_text(errors="replace")[since:]
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if line.get("message") == message]
