"""The CRDs of other projects that the chart makes objects of, from the Go modules that these ship them in."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.tool import MODULES, go

# Module -> the files in it. Versions and checksums are in tests/cluster/tools/crds.
_FILES = {
    "github.com/prometheus-operator/prometheus-operator": [
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
}


def install_foreign_crds(cluster: Cluster) -> None:
    """As whoever runs those projects has done; nothing watches the objects here."""
    for path in _paths():
        cluster.kubectl("apply", "--server-side", "-f", str(path))
        cluster.kubectl("wait", "--for=condition=Established", "-f", str(path))


def _paths() -> list[Path]:
    found = []
    for module, files in _FILES.items():
        folder = Path(json.loads(go(MODULES / "crds", "mod", "download", "-json", module))["Dir"])
        found += [folder / name for name in files]
    return found
