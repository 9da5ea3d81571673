"""The product on a control plane of its own, for tests that disturb it all the time.

Objects are written by plain requests as the admin: hundreds of kubectl processes would be most of the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.entra import EntraClient
from tests.eventually import becomes
from tests.faults.admin import Admin
from tests.installation import NAMESPACE, ROOMY, Installation

Object = dict[str, Any]
OURS = "/apis/scim-operator.io/v1alpha1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PATHS = {
    "ScimDirectory": f"{OURS}/scimdirectories",
    "AccessPolicy": f"{OURS}/accesspolicies",
    "RemovalHold": f"{OURS}/removalholds",
    "NamespaceTemplate": f"{OURS}/namespacetemplates",
    "Namespace": "/api/v1/namespaces",
    "ClusterRole": f"{RBAC}/clusterroles",
}
_VERSIONS = {
    "Namespace": "v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
}


@dataclass
class System:
    """A cluster with the chart installed."""

    cluster: Cluster
    installation: Installation
    admin: Admin

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, values: Sequence[str] = ()) -> Iterator[System]:
        """From nothing; the operator isn't started yet."""
        cluster = Cluster.start(folder / "state", tied=True, progress=lambda _: None)
        try:
            installation = Installation.install(cluster, (), values=values)
            yield cls(cluster, installation, Admin(cluster))
            installation.end()
        finally:
            cluster.stop()

    def connect(self, directory: str, spec: Object | None = None) -> EntraClient:
        """Make a directory and a token for it. -> Entra, connected; the operator must run."""
        self.put("ScimDirectory", directory, spec={"provider": "Entra", "guard": ROOMY, **(spec or {})})
        token = f"scimop_{directory}_{secrets.token_urlsafe(32)}"
        secret = {
            "metadata": {
                "name": f"token-{directory}",
                "labels": {"scim-operator.io/directory": directory},
            },
            "type": "scim-operator.io/token",
            "stringData": {"token": token},
        }
        made = self.admin.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)
        assert made.status == 201, made.body
        entra = EntraClient(f"{self.installation.process.url('scim')}/scim/v2/{directory}", token)
        becomes(lambda: entra.test_connection().status, 200, 15)
        return entra

    def disconnect(self, directory: str) -> None:
        """Delete a directory and its token; those in it stay."""
        self.drop("ScimDirectory", directory)
        self.drop("RemovalHold", directory)
        secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/token-{directory}"
        assert self.admin.request("DELETE", secret).status == 200

    def put(self, kind: str, name: str, *, labels: Object | None = None, **fields: Any) -> None:
        """Make an object, or change it to this."""
        path, metadata = _PATHS[kind], {"name": name, "labels": labels or {}}
        body = {"apiVersion": _VERSIONS.get(kind, "scim-operator.io/v1alpha1"), "kind": kind, **fields}
        answer = self.admin.request("POST", path, {**body, "metadata": metadata})
        while answer.status == 409:
            known = self.admin.request("GET", f"{path}/{name}").body["metadata"]
            version = {"resourceVersion": known["resourceVersion"]}
            changed = {**body, "metadata": {**metadata, **version, "annotations": known.get("annotations")}}
            answer = self.admin.request("PUT", f"{path}/{name}", changed)
        assert answer.status in (200, 201), answer.body

    def drop(self, kind: str, name: str) -> None:
        """Delete an object, if it is there."""
        answer = self.admin.request("DELETE", f"{_PATHS[kind]}/{name}")
        assert answer.status in (200, 202, 404), answer.body

    def approve(self, directory: str) -> None:
        """Let go whom the guard holds there, if it holds anybody."""

        def approved(hold: Object) -> Object | None:
            text = (hold.get("status") or {}).get("hash")
            return {"approve": text} if text else None

        self.specify("RemovalHold", directory, approved)

    def specify(self, kind: str, name: str, wanted: Callable[[Object], Object | None]) -> None:
        """Give an object another spec, told by what it is at that moment; None: it stays."""
        path = f"{_PATHS[kind]}/{name}"
        while (spec := wanted(known := self.admin.request("GET", path).body)) is not None:
            answer = self.admin.request("PUT", path, {**known, "spec": spec})
            if answer.status != 409:  # the operator writes it, too
                assert answer.status == 200, answer.body
                return

    def list(self, path: str, selector: str = "") -> list[Object]:
        """The objects under a path of the API, those with these labels."""
        query = f"?labelSelector={selector}" if selector else ""
        answer = self.admin.request("GET", f"{path}{query}")
        assert answer.status == 200, answer.body
        items: list[Object] = answer.body["items"]
        return items
