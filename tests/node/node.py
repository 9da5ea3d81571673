"""One node: control plane, runtime, kubelet, kube-proxy and scheduler, in namespaces of their own."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.build import build
from tests.cluster.cluster import Cluster
from tests.cluster.process import Process
from tests.cluster.tool import NODE
from tests.cluster.waiting import wait_for
from tests.node import components, network
from tests.node.containerd import Containerd
from tests.node.images import OPERATOR, PAUSE, archive
from tests.node.isolation import cgroup


def start(folder: Path) -> Cluster:
    """Bring it up, with its images, in a run's folder; return when it is Ready.

    Nothing takes it down but the end of the namespaces (isolation.py).
    """
    network.set_up()
    state = folder / "state"
    cluster = Cluster.start(state, api_server_args=components.api_server_args(state))
    programs = build(names=NODE)
    environment = {**cluster.environment(), "PATH": os.defpath + ":/usr/sbin:/sbin"}
    runtime = Containerd(cluster.state)
    runtime.start(environment)
    for image in (PAUSE, OPERATOR):
        runtime.load(archive(folder, image))
    who = components.identify(cluster)
    commands = (
        components.scheduler(programs["kube-scheduler"], who),
        components.kube_proxy(programs["kube-proxy"], cluster.state, who),
        components.kubelet(
            programs["kubelet"], cluster.state, who, runtime=runtime.socket, cgroup=cgroup(folder)
        ),
    )
    for command in commands:
        process = Process.start(cluster.state, Path(command[0]).name, command, environment=environment)
    wait_for("the node to be Ready", lambda: _is_ready(cluster), 60, watching=process)
    return cluster


def _is_ready(cluster: Cluster) -> bool:
    found = cluster.request("GET", f"/api/v1/nodes/{components.NAME}")
    conditions = found.body.get("status", {}).get("conditions", []) if found.status == 200 else []
    return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)
