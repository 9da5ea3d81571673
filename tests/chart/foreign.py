"""The CRDs of other projects that the chart makes objects of, from the Go modules that these ship them in."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.served import until_served
from tests.cluster.tool import MODULES, go

# Module -> the files in it. Versions and checksums are in tests/cluster/tools/crds.
_FILES = {
    "github.com/prometheus-operator/prometheus-operator": [
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
    "sigs.k8s.io/gateway-api": ["config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"],
}


def install_foreign_crds(cluster: Cluster) -> None:
    """As whoever runs those projects has done; nothing watches the objects here."""
    paths = [str(path) for path in _paths()]
    for path in paths:
        cluster.kubectl("apply", "--server-side", "-f", path)
    for path in paths:
        until_served(cluster, "-f", path)


def _paths() -> list[Path]:
    found = []
    for module, files in _FILES.items():
        folder = Path(json.loads(go(MODULES / "crds", "mod", "download", "-json", module))["Dir"])
        found += [folder / name for name in files]
    return found
