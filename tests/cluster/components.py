"""Command lines of etcd, the API server and the controller manager, and the files that they read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests.cluster import issuer
from tests.cluster.kubeconfig import write_kubeconfig
from tests.cluster.pki import Authority, Pair, new_key

HOST = "127.0.0.1"
_SERVICES = "10.96.0.0/16"
# Service `kubernetes`, by whose address pods know the API server.
_KUBERNETES = "10.96.0.1"


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one cluster."""

    api: int
    etcd: int
    etcd_peer: int
    issuer: int


@dataclass(frozen=True)
class Files:
    """What the components and the admin identify themselves with."""

    authority: Path
    etcd: Pair
    api: Pair
    admin: Pair
    controller_manager: Path
    service_account_key: Path
    service_account_public: Path
    authentication: Path


def write_files(state: Path, ports: Ports) -> Files:
    """Make all keys, certificates and configuration files of a new cluster."""
    folder = state / "pki"
    authority = Authority(folder, "ca")
    endpoint = {"server": f"https://{HOST}:{ports.api}", "certificate-authority": str(authority.path)}
    signing, public = folder / "service-accounts.key", folder / "service-accounts.pub"
    public.write_bytes(
        new_key(signing)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    admin = authority.issue("admin", "admin", "system:masters")
    write_kubeconfig(state / "kubeconfig", endpoint, client=admin)
    manager = authority.issue("controller-manager", "system:kube-controller-manager")
    manager_config = folder / "controller-manager.kubeconfig"
    write_kubeconfig(manager_config, endpoint, client=manager)
    authentication: dict[str, Any] = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [issuer.prepare(state, ports.issuer)],
    }
    authentication_path = state / "authentication.json"
    authentication_path.write_text(json.dumps(authentication, indent=1))
    return Files(
        authority=authority.path,
        etcd=authority.issue("etcd", "etcd", hosts=[HOST]),
        api=authority.issue(
            "api", "kube-apiserver", hosts=[HOST, _KUBERNETES, "localhost", "kubernetes.default.svc"]
        ),
        admin=admin,
        controller_manager=manager_config,
        service_account_key=signing,
        service_account_public=public,
        authentication=authentication_path,
    )


def etcd(program: Path, state: Path, ports: Ports, files: Files, *, durable: bool) -> list[str]:
    """etcd with mutual TLS: loopback alone wouldn't keep the machine's other users out."""
    client, peer = f"https://{HOST}:{ports.etcd}", f"https://{HOST}:{ports.etcd_peer}"
    command = [
        str(program),
        "--name=test",
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--log-level=warn",
    ]
    for prefix in ("", "peer-"):
        command += [
            f"--{prefix}cert-file={files.etcd.certificate}",
            f"--{prefix}key-file={files.etcd.key}",
            f"--{prefix}trusted-ca-file={files.authority}",
            f"--{prefix}client-cert-auth",
        ]
    if not durable:
        command.append("--unsafe-no-fsync")
    return command


def api_server(
    program: Path, state: Path, ports: Ports, files: Files, extra: Sequence[str] = ()
) -> list[str]:
    """The API server: RBAC, certificates for the admin, tokens of our issuer for people."""
    return [
        str(program),
        f"--etcd-servers=https://{HOST}:{ports.etcd}",
        f"--etcd-cafile={files.authority}",
        f"--etcd-certfile={files.etcd.certificate}",
        f"--etcd-keyfile={files.etcd.key}",
        f"--bind-address={HOST}",
        f"--secure-port={ports.api}",
        # A loopback address is refused as the endpoint of Service `kubernetes`, so nobody maintains that.
        f"--advertise-address={HOST}",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={state / 'pki'}",
        f"--tls-cert-file={files.api.certificate}",
        f"--tls-private-key-file={files.api.key}",
        f"--client-ca-file={files.authority}",
        f"--authentication-config={files.authentication}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.service_account_public}",
        f"--service-account-signing-key-file={files.service_account_key}",
        f"--service-cluster-ip-range={_SERVICES}",
        "--profiling=false",
        *extra,
    ]


def controller_manager(program: Path, files: Files) -> list[str]:
    """The controller manager: aggregated roles, the end of namespaces, garbage, default service accounts."""
    return [
        str(program),
        f"--kubeconfig={files.controller_manager}",
        f"--root-ca-file={files.authority}",
        f"--service-account-private-key-file={files.service_account_key}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        # Each of its 40 controllers asks for a token first; at the default of 20 a second that takes 5 s.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        # Nobody asks it for metrics, so it needs no port and no certificate.
        "--secure-port=0",
        "--profiling=false",
    ]
