"""What a Deployment tells the kubelet about its first container, for running that without a kubelet.

Only what can be done faithfully outside of a pod is accepted; the rest is an error, so that no test passes on
a setting that was silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.waiting import ClusterError

# Our image's ENTRYPOINT, for a Deployment that names arguments alone.
_ENTRYPOINT = ["scim-operator"]


@dataclass(frozen=True)
class Probe:
    """Where the kubelet asks whether the container is ready."""

    scheme: str
    port: int
    path: str


@dataclass(frozen=True)
class PodPlan:
    """One pod of a Deployment, all references resolved."""

    namespace: str
    service_account: str
    command: list[str]
    environment: dict[str, str]
    # Where a Secret is mounted -> its name.
    secrets: dict[str, str]
    ports: dict[str, int]
    readiness: Probe | None
    grace: float


def plan_pod(deployment: Mapping[str, Any], pod_name: str, pod_ip: str) -> PodPlan:
    """Read a live Deployment object as the kubelet reads a pod of it."""
    namespace = deployment["metadata"]["namespace"]
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    where = f"Deployment {namespace}/{deployment['metadata']['name']}, container {container['name']}"
    account = pod.get("serviceAccountName", "default")
    fields = {
        "metadata.namespace": namespace,
        "metadata.name": pod_name,
        "spec.serviceAccountName": account,
        "status.podIP": pod_ip,
        "status.hostIP": pod_ip,
    }
    environment: dict[str, str] = {}
    if container.get("envFrom"):
        raise ClusterError(f"{where}: envFrom can't be resolved without a kubelet; use env with plain values")
    for entry in container.get("env") or []:
        environment[entry["name"]] = _value(entry, fields, environment, where)
    secrets = _secrets(pod, container, where)
    words = [*(container.get("command") or _ENTRYPOINT), *(container.get("args") or [])]
    ports = {port["name"]: port["containerPort"] for port in container.get("ports") or [] if "name" in port}
    return PodPlan(
        namespace=namespace,
        service_account=account,
        command=[expand(word, environment) for word in words],
        environment=environment,
        secrets=secrets,
        ports=ports,
        readiness=_probe(container.get("readinessProbe"), ports, where),
        grace=float(pod.get("terminationGracePeriodSeconds", 30)),
    )


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Expand $(NAME) as Kubernetes does: unknown names stay as they are, $$ is a dollar."""

    def replacement(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else environment.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replacement, text)


def _value(
    entry: Mapping[str, Any], fields: Mapping[str, str], environment: Mapping[str, str], where: str
) -> str:
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value", ""), environment)
    field: str = (source.get("fieldRef") or {}).get("fieldPath", "")
    if field in fields:
        return fields[field]
    raise ClusterError(
        f"{where}: env {entry['name']} takes its value from {field or '/'.join(source)}, which can't be "
        f"resolved without a kubelet; known are {', '.join(fields)}"
    )


def _secrets(pod: Mapping[str, Any], container: Mapping[str, Any], where: str) -> dict[str, str]:
    """A scratch folder needs nothing; anything else with content would be missing."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or []}
    mounted: dict[str, str] = {}
    for mount in container.get("volumeMounts") or []:
        volume = volumes[mount["name"]]
        if "secret" in volume and not volume["secret"].get("items"):
            mounted[mount["mountPath"]] = volume["secret"]["secretName"]
        elif "emptyDir" not in volume:
            raise ClusterError(
                f"{where}: volume {mount['name']} at {mount['mountPath']} is no emptyDir nor a whole Secret; "
                "its content can't be there without a kubelet: teach tests/cluster/deployment.py to write it"
            )
    return mounted


def _probe(probe: Mapping[str, Any] | None, ports: Mapping[str, int], where: str) -> Probe | None:
    if probe is None:
        return None
    get = probe.get("httpGet")
    if get is None:
        raise ClusterError(f"{where}: the readiness probe is no httpGet, and nothing else is understood here")
    port = get["port"]
    if isinstance(port, str) and port not in ports:
        raise ClusterError(f"{where}: the readiness probe's port {port!r} is none of {', '.join(ports)}")
    return Probe(get.get("scheme", "HTTP").lower(), ports.get(port, port), get.get("path", "/"))
