"""The real helm on the real API server: install, what the operator's account may do, upgrade, uninstall."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chart.pasting import heredocs, paste
from tests.chart.release import Release
from tests.cluster.cluster import Cluster
from tests.eventually import becomes, eventually
from tests.installation import CHART

RBAC = "/apis/rbac.authorization.k8s.io/v1"
DIRECTORIES = "/apis/scim-operator.io/v1alpha1/scimdirectories"


@pytest.fixture
def mine(fresh: Cluster, request: pytest.FixtureRequest) -> Iterator[Release]:
    """A release for one test that changes it, in a cluster without another.

    A namespace on its way out can't be used by the next.
    """
    name = f"chart-{request.function.__name__.split('_')[1]}"
    release = Release(fresh, name)
    try:
        yield release
    finally:
        release.remove(name, f"{name}-2")


def bind(release: Release, role: str, where: str = "clusterrolebindings") -> tuple[int, str]:
    """Try to grant a role as the operator, in a binding named and labelled as it does."""
    labels = {"app.kubernetes.io/managed-by": "scim-operator"}
    body = {
        "metadata": {"name": "scim-tests-0123456789", "labels": labels},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada@example.com"}],
    }
    answer = release.cluster.request(
        "POST", f"{RBAC}/{where}?dryRun=All", body=body, token=release.operator_token()
    )
    return answer.status, str(answer.body)


def served(release: Release, path: str) -> int:
    """The status of a GET."""
    return release.cluster.request("GET", path).status


def review(release: Release, **attributes: str) -> bool:
    """Ask the API server whether the operator may do something."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{release.name}:{release.fullname}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{release.name}"],
            "resourceAttributes": attributes,
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    allowed: bool = release.cluster.request("POST", path, body=body).body["status"]["allowed"]
    return allowed


def test_its_pods_are_admitted_where_the_strictest_rules_hold(release: Release) -> None:
    """The namespace enforces the Pod Security level `restricted`; there is no node to run a pod."""

    def pods() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = release.cluster.request(
            "GET", f"/api/v1/namespaces/{release.name}/pods"
        ).body["items"]
        return items

    made = eventually(pods, lambda found: len(found) == 2, 20)
    assert {pod["spec"]["serviceAccountName"] for pod in made} == {release.fullname}


@pytest.mark.parametrize(
    ("where", "role"), [("namespaces/kube-node-lease/rolebindings", "edit"), ("clusterrolebindings", "view")]
)
def test_the_operator_grants_what_is_listed_and_nothing_else(release: Release, where: str, role: str) -> None:
    assert bind(release, role, where)[0] == 201
    assert bind(release, "cluster-admin", where)[0] == 403


@pytest.mark.parametrize(
    "attributes",
    [
        {"verb": "create", "resource": "secrets", "namespace": "chart-tests"},
        {"verb": "list", "resource": "secrets"},
        {"verb": "get", "resource": "secrets", "namespace": "kube-system"},
        {"verb": "delete", "resource": "namespaces"},
        {"verb": "list", "resource": "pods"},
        {"verb": "escalate", "resource": "clusterroles", "group": "rbac.authorization.k8s.io"},
        {"verb": "bind", "resource": "clusterroles", "group": "rbac.authorization.k8s.io"},
        {"verb": "update", "resource": "clusterroles", "group": "rbac.authorization.k8s.io"},
        {"verb": "patch", "resource": "clusterrolebindings", "group": "rbac.authorization.k8s.io"},
        {"verb": "patch", "resource": "rolebindings", "group": "rbac.authorization.k8s.io"},
        {"verb": "impersonate", "resource": "users"},
        {"verb": "create", "resource": "accesspolicies", "group": "scim-operator.io"},
        {"verb": "update", "resource": "scimdirectories", "group": "scim-operator.io"},
    ],
    ids=lambda found: " ".join(found.values()),
)
def test_the_operator_may_not(release: Release, attributes: dict[str, str]) -> None:
    assert not review(release, **attributes)


def test_the_operator_may_read_its_tokens(release: Release) -> None:
    assert review(release, verb="list", resource="secrets", namespace=release.name)


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_people_with_the_usual_roles_read_no_identities(release: Release, role: str) -> None:
    """Identities are personal data, and nothing of ours is aggregated into the roles that everybody has."""
    rules = release.cluster.request("GET", f"{RBAC}/clusterroles/{role}").body["rules"]
    assert not any("scim-operator.io" in rule.get("apiGroups", []) for rule in rules)


def test_upgrade_changes_what_may_be_granted(mine: Release) -> None:
    wide = "clusterWideRoles={view,edit}"
    mine.install("grantableClusterRoles={view}", wide)
    assert bind(mine, "view")[0] == 201
    assert bind(mine, "edit")[0] == 403
    mine.upgrade("grantableClusterRoles={edit}", wide)
    status, _ = eventually(lambda: bind(mine, "edit"), lambda answer: answer[0] == 201, 10)
    assert status == 201
    assert bind(mine, "view")[0] == 403


def test_directories_outlive_their_value_and_the_release(mine: Release) -> None:
    cluster = mine.cluster
    first, second = mine.name, f"{mine.name}-2"
    both = (f"directories[0].name={first}", f"directories[1].name={second}")
    mine.install(*both)
    before = cluster.request("GET", f"{DIRECTORIES}/{first}").body["metadata"]["uid"]

    mine.upgrade(both[0])
    assert cluster.request("GET", f"{DIRECTORIES}/{second}").status == 200

    mine.uninstall()
    assert cluster.request("GET", f"/apis/apps/v1/namespaces/{mine.name}/deployments").body["items"] == []
    assert cluster.request("GET", f"{RBAC}/clusterroles/{mine.fullname}").status == 404
    # The CRDs are still served, and with them all identities.
    for resource in ("scimusers", "scimgroups", "accesspolicies"):
        path = f"/apis/scim-operator.io/v1alpha1/{resource}"
        # Just after they were made, the API server asks to come again: 429.
        becomes(partial(served, mine, path), 200)

    # The CRDs are brought up to date as the chart's README says; that must not stand in helm's way.
    crds = Path(__file__).parents[2] / "crds"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", str(crds))

    # Installing again takes up the same directories, identities and all.
    mine.install(*both)
    after = cluster.request("GET", f"{DIRECTORIES}/{first}").body["metadata"]["uid"]
    assert after == before


def test_second_release_is_refused(mine: Release) -> None:
    """Two operators would take turns in undoing each other's work."""
    mine.install()
    refusal = f'this cluster has release "{mine.name}" of scim-operator in namespace "{mine.name}" already'
    for name, namespace in ((f"{mine.name}-2", f"{mine.name}-2"), (f"{mine.name}-2", mine.name)):
        command = ("install", name, str(CHART), "-n", namespace, "--create-namespace")
        said = mine.cluster.helm(*command, check=False)
        assert refusal in said
        assert f"helm uninstall {mine.name} -n {mine.name}" in said
    assert mine.cluster.helm("list", "-A", "-q").split() == [mine.name]

    mine.upgrade("logLevel=debug")
    mine.cluster.helm("rollback", mine.name, "1", "-n", mine.name)
    mine.uninstall()
    mine.install()


def test_notes_are_pasted_into_a_shell(mine: Release, root: Path) -> None:
    """Lines as the terminal shows them: an indented EOF would never end its command."""
    cluster = mine.cluster
    mine.install()
    notes = cluster.helm("get", "notes", mine.name, "-n", mine.name)
    assert notes.count("<<") == len(heredocs(notes)) == 2
    made = "".join(paste(cluster, block) for block in heredocs(notes))
    assert made.split() == [
        *("scimdirectory.scim-operator.io/entra", "created"),
        *("accesspolicy.scim-operator.io/teams", "created"),
    ]
    for path in (*root.glob("*.md"), *root.glob("docs/*.md"), CHART / "README.md"):
        text = path.read_text()
        assert text.count("<<") == len(heredocs(text))
        for block in heredocs(text):
            assert "accesspolicy.scim-operator.io/" in paste(cluster, block)
