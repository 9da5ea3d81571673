"""Pods that helm waits for to end: what a kubelet does for them, where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.cluster.client import Client
from tests.cluster.deployment import expand, plan_pod
from tests.eventually import eventually

Object = dict[str, Any]
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def helm_while(
    cluster: Client, arguments: Sequence[str], selector: str, play: Callable[[Object], None]
) -> str:
    """What helm says, while `play` does what it waits for with the pod that the selector finds."""
    namespace = arguments[arguments.index("-n") + 1]

    def pods() -> list[Object]:
        said = cluster.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json")
        items: list[Object] = json.loads(said)["items"]
        return [pod for pod in items if pod["status"]["phase"] == "Pending"]

    with ThreadPoolExecutor(1) as beside:
        helm = beside.submit(cluster.helm, *arguments, "--timeout=40s", check=False)
        (pod,) = eventually(pods, lambda found: len(found) == 1 or helm.done(), 40)
        play(pod)
        return helm.result()


def run_to_its_end(
    cluster: Client, pod: Object, given: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run its container's command with its ServiceAccount's token, and tell the API server how it ended.

    given: the environment variables that the kubelet adds, of Services.
    """
    metadata = pod["metadata"]
    container = pod["spec"]["containers"][0]
    # Its token comes to it by the kubeconfig.
    mounts = [one for one in container["volumeMounts"] if one["mountPath"] != _TOKEN]
    spec = {**pod["spec"], "containers": [{**container, "volumeMounts": mounts}]}
    owner = {"metadata": metadata, "spec": {"template": {"spec": spec}}}
    plan = plan_pod(owner, metadata["name"], "127.0.0.1")
    token = cluster.service_account_token(plan.service_account, plan.namespace)
    words = [expand(word, given) for word in plan.command]
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / words[0]), *words[1:]],
        env={
            "PATH": os.defpath,
            **given,
            **plan.environment,
            "KUBECONFIG": str(cluster.kubeconfig_for(token, namespace=plan.namespace)),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    phase = "Failed" if done.returncode else "Succeeded"
    patch = json.dumps({"status": {"phase": phase}})
    place = ("pod", metadata["name"], "-n", plan.namespace)
    cluster.kubectl("patch", *place, "--subresource=status", "--type=merge", "-p", patch)
    return done
