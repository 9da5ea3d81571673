"""The API server's audit log: what operators asked for, and what came of it.

Written where the environment variable AUDIT_LOGS names a folder, as it does in a run of the tests: one file
for each cluster, and what was rotated. It holds nothing of anybody but the ServiceAccounts of the operator's
namespace.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "AUDIT_LOGS"
_OPERATORS = {"userGroups": ["system:serviceaccounts:scim-operator"]}
_BINDINGS = {"group": "rbac.authorization.k8s.io", "resources": ["rolebindings", "clusterrolebindings"]}
# https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # A watch is told of when it starts: it may never end in an orderly way.
    "omitStages": ["RequestReceived"],
    "omitManagedFields": True,
    "rules": [
        # With its content, which names the role: `bind` is asked for within this request and has no event.
        {"level": "Request", **_OPERATORS, "verbs": ["create"], "resources": [_BINDINGS]},
        {"level": "Metadata", **_OPERATORS},
        {"level": "None"},
    ],
}


def arguments(state: Path, port: int) -> list[str]:
    """Of the API server, for a log that outlives its cluster; none where nobody asked for one."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return []
    policy = state / "audit-policy.json"
    policy.write_text(json.dumps(_POLICY, indent=1))
    # State folders may have the same name, and ports may come again: both together tell clusters apart.
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={Path(folder) / f'{state.parent.name}-{port}.log'}",
    ]


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """All events of all clusters. One that was cut off, by the end of its API server, is left out."""
    for path in sorted(folder.glob("*.log")):
        with path.open() as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue
