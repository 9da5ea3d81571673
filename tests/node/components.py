"""Command lines of what makes a control plane's cluster run pods, and the files that they read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.kubeconfig import write_kubeconfig
from tests.cluster.pki import Authority, Pair
from tests.node.network import ADDRESS, PODS

NAME = "node-1"


@dataclass(frozen=True)
class Identities:
    """Who the components are: the kubelet's pair, kubeconfigs by component."""

    kubelet: Pair
    kubeconfigs: dict[str, Path]


def api_server_args(state: Path) -> list[str]:
    """Besides a bare control plane's: nodes' rights, an address that pods reach, the way to the kubelet."""
    folder = state / "pki"
    return [
        "--authorization-mode=Node",
        "--enable-admission-plugins=NodeRestriction",
        "--bind-address=0.0.0.0",
        f"--advertise-address={ADDRESS}",
        "--endpoint-reconciler-type=lease",
        f"--kubelet-client-certificate={folder / 'admin.crt'}",
        f"--kubelet-client-key={folder / 'admin.key'}",
        f"--kubelet-certificate-authority={folder / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def identify(cluster: Cluster) -> Identities:
    """Certificates of the cluster's own authority."""
    authority = Authority(cluster.state / "pki", "ca")
    pairs = {
        "kubelet": authority.issue("kubelet", f"system:node:{NAME}", "system:nodes", hosts=[ADDRESS, NAME]),
        "kube-proxy": authority.issue("kube-proxy", "system:kube-proxy"),
        "kube-scheduler": authority.issue("kube-scheduler", "system:kube-scheduler"),
    }
    folder = cluster.state / "kubeconfigs"
    written = {
        name: write_kubeconfig(folder / f"{name}.yaml", cluster.endpoint, client=pair)
        for name, pair in pairs.items()
    }
    return Identities(pairs["kubelet"], written)


def scheduler(program: Path, who: Identities) -> list[str]:
    """One, so it leads."""
    config = who.kubeconfigs["kube-scheduler"]
    return [
        str(program),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    ]


def kube_proxy(program: Path, state: Path, who: Identities) -> list[str]:
    """Services, by nftables."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(who.kubeconfigs["kube-proxy"])},
        "hostnameOverride": NAME,
        "clusterCIDR": PODS,
        "bindAddress": ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{ADDRESS}/32"],
        # These belong to the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "oomScoreAdj": 0,
    }
    return [str(program), f"--config={_written(state / 'kube-proxy.json', config)}"]


def kubelet(program: Path, state: Path, who: Identities, *, runtime: Path, cgroup: str) -> list[str]:
    """The kubelet; all its files are in the state folder, all its pods in the control group."""
    resolv = state / "resolv.conf"
    # There is no cluster DNS, and no other.
    resolv.touch()
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(state / "pki" / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(who.kubelet.certificate),
        "tlsPrivateKeyFile": str(who.kubelet.key),
        "containerRuntimeEndpoint": f"unix://{runtime}",
        "podLogsDir": str(state / "logs" / "pods"),
        "resolvConf": str(resolv),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        # However full this machine is: pods are few and small.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    }
    return [
        str(program),
        f"--config={_written(state / 'kubelet.json', config)}",
        f"--kubeconfig={who.kubeconfigs['kubelet']}",
        f"--root-dir={state / 'kubelet'}",
        f"--hostname-override={NAME}",
        f"--node-ip={ADDRESS}",
    ]


def _written(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(json.dumps(config, indent=1))
    return path
