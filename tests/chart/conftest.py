"""The chart rendered, and installed by the real helm on the real API server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.chart.foreign import install_foreign_crds
from tests.chart.person import Person
from tests.chart.release import Release
from tests.chart.renderer import Renderer
from tests.cluster.cluster import Cluster
from tests.installation import CHART

Object = dict[str, Any]


@pytest.fixture(scope="package")
def cluster(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for the chart's tests: the one of the others holds a release, and helm refuses a second."""
    cluster = Cluster.start(tmp_path_factory.mktemp("chart") / "state", tied=True)
    install_foreign_crds(cluster)
    yield cluster
    cluster.stop()


@pytest.fixture
def chart(cluster: Cluster) -> Renderer:
    """The chart, rendered without touching the cluster."""
    return Renderer(cluster)


@pytest.fixture(scope="package")
def release(cluster: Cluster) -> Iterator[Release]:
    """The chart as it is, installed once for the tests that only look at what the API server makes of it."""
    release = Release(cluster, "chart-tests")
    try:
        release.install(
            "directories[0].name=chart-tests",
            "directories[0].provider=Entra",
            "identityEditors={admin}",
            "protectedNamespaces={infra,prod}",
            "literalNamespaces={kube-node-lease}",
        )
        yield release
    finally:
        release.remove("chart-tests")


@pytest.fixture(scope="module")
def fresh(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that nothing of ours was installed in, for tests of what is there once for all: the CRDs."""
    cluster = Cluster.start(tmp_path_factory.mktemp("fresh") / "state", tied=True)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="package")
def people(cluster: Cluster) -> Iterator[dict[str, Person]]:
    """Authors of policies and templates, by the rights that they hold on roles and namespaces."""
    write = {
        "apiGroups": ["scim-operator.io"],
        "resources": ["accesspolicies", "namespacetemplates", "accessgrants"],
        "verbs": ["get", "create", "update", "delete"],
    }

    def bind(names: Sequence[str], kinds: Sequence[str] = ("clusterroles",)) -> Object:
        rule: Object = {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": list(kinds),
            "verbs": ["bind"],
        }
        return {**rule, "resourceNames": list(names)} if names else rule

    def namespaces(verbs: Sequence[str]) -> Object:
        return {"apiGroups": [""], "resources": ["namespaces"], "verbs": list(verbs)}

    rules: dict[str, list[Object]] = {
        "nobody": [write],
        "viewer": [write, bind(["view"])],
        "admin": [write, bind([], ["clusterroles", "roles"])],
        "maker": [write, bind(["view"]), namespaces(["create"])],
        "adopter": [write, bind(["view"]), namespaces(["create", "patch"])],
        "deleter": [write, bind(["view"]), namespaces(["create", "delete"])],
        "templates": [write, namespaces(["patch"])],
        "quotas": [
            write,
            namespaces(["patch"]),
            {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["create"]},
        ],
    }
    path = "/apis/rbac.authorization.k8s.io/v1"
    for name, granted in rules.items():
        role = {"metadata": {"name": f"chart-tests-{name}"}, "rules": granted}
        binding = {
            "metadata": role["metadata"],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"chart-tests-{name}",
            },
            "subjects": [
                {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "User",
                    "name": f"{name}@chart.example.com",
                }
            ],
        }
        for resource, body in (("clusterroles", role), ("clusterrolebindings", binding)):
            assert cluster.request("POST", f"{path}/{resource}", body=body).status == 201
    yield {name: Person(cluster, f"{name}@chart.example.com") for name in rules}
    for name in rules:
        for resource in ("clusterrolebindings", "clusterroles"):
            cluster.request("DELETE", f"{path}/{resource}/chart-tests-{name}")


@pytest.fixture
def root() -> Path:
    """The repository."""
    return CHART.parents[1]
