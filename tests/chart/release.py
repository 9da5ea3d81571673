"""One installation of the chart, in a namespace named as the release."""

from __future__ import annotations

from tests.cluster.cluster import Cluster
from tests.installation import CHART, set_values


class Release:
    """Installs, upgrades and uninstalls; never waits for pods, as there is no node to run them."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.fullname = f"{name}-scim-operator"

    def install(self, *values: str) -> str:
        """Install into a namespace that admits only pods of the strictest security level."""
        namespace = {
            "metadata": {
                "name": self.name,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            }
        }
        assert self.cluster.request("POST", "/api/v1/namespaces", body=namespace).status in (201, 409)
        return self.cluster.helm("install", self.name, str(CHART), "-n", self.name, *set_values(values))

    def upgrade(self, *values: str) -> str:
        """Upgrade with these values alone."""
        return self.cluster.helm("upgrade", self.name, str(CHART), "-n", self.name, *set_values(values))

    def uninstall(self) -> str:
        """Uninstall, failing if there is nothing to."""
        return self.cluster.helm("uninstall", self.name, "-n", self.name)

    def remove(self, *directories: str) -> None:
        """Leave the cluster as it was, with what helm keeps on purpose; the CRDs are for everybody."""
        self.cluster.helm("uninstall", self.name, "-n", self.name, "--ignore-not-found")
        for directory in directories:
            self.cluster.request("DELETE", f"/apis/scim-operator.io/v1alpha1/scimdirectories/{directory}")
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            for name in ("policy-authors", "template-authors", "grant-authors"):
                path = f"/apis/admissionregistration.k8s.io/v1/{kind}/{self.fullname}-{name}"
                self.cluster.request("DELETE", path)
        self.cluster.request("DELETE", f"/api/v1/namespaces/{self.name}")

    def operator_token(self) -> str:
        """A token of the operator's ServiceAccount."""
        return self.cluster.service_account_token(self.fullname, self.name)
