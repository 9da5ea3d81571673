"""Kubeconfig files: one cluster, one user, one context."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.pki import Pair, write_private


def write_kubeconfig(
    path: Path,
    endpoint: Mapping[str, Any],
    *,
    client: Pair | None = None,
    token: str | None = None,
    namespace: str = "default",
) -> Path:
    """Write a kubeconfig that identifies itself by a client certificate or by a token, never by both.

    endpoint: where the API server is and whom to believe that it is it, as kubeconfigs say it.
    (An API server that gets both takes the certificate, which would turn every person into the admin.)
    """
    if (client is None) == (token is None):
        raise ValueError("a kubeconfig needs a client certificate or a token, and not both")
    user: dict[str, Any]
    if client is not None:
        user = {"client-certificate": str(client.certificate), "client-key": str(client.key)}
    else:
        user = {"token": token}
    name = "scim-operator-test"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": dict(endpoint)}],
        "users": [{"name": name, "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}},
        ],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    write_private(path, json.dumps(content, indent=2).encode() + b"\n")
    return path
