"""Who may write AccessGrants, for how long, and under whose name: the author's own rights decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chart.person import Person
from tests.chart.release import Release
from tests.eventually import eventually

GRANTS = "/apis/scim-operator.io/v1alpha1/accessgrants"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NAME, SPACE = "chart-tests-grants", "chart-tests-grants"


def at(**hence: float) -> str:
    """A moment to come."""
    return (datetime.now(UTC) + timedelta(**hence)).strftime("%Y-%m-%dT%H:%M:%SZ")


def grant(who: Person, **spec: Any) -> dict[str, Any]:
    body = {
        "directory": "entra",
        "userName": "ada@example.com",
        "clusterRole": "view",
        "namespace": SPACE,
        "until": at(hours=1),
        "reason": "INC-4711",
        "requestedBy": who.name,
        **spec,
    }
    return {
        "apiVersion": "scim-operator.io/v1alpha1",
        "kind": "AccessGrant",
        "metadata": {"name": NAME},
        "spec": {key: value for key, value in body.items() if value is not None},
    }


@pytest.fixture(autouse=True)
def in_force(release: Release, people: dict[str, Person]) -> None:
    """Admission policies take a moment to act; so do the rights to write what they check."""
    nobody = people["nobody"]
    status, answer = eventually(
        lambda: nobody.request("POST", f"{GRANTS}?dryRun=All", grant(nobody, clusterRole="edit")),
        lambda answer: "may not grant" in answer[1].get("message", ""),
        10,
    )
    assert status == 403, answer


@pytest.fixture(scope="module")
def local(release: Release, people: dict[str, Person]) -> Iterator[Person]:
    """Somebody who may bind `view` and the Role `deployer` in one namespace alone."""
    cluster, nobody = release.cluster, people["nobody"]
    cluster.request("POST", "/api/v1/namespaces", body={"metadata": {"name": SPACE}})
    rule = {"apiGroups": ["rbac.authorization.k8s.io"], "verbs": ["bind"]}
    role = {
        "metadata": {"name": NAME},
        "rules": [
            {**rule, "resources": ["clusterroles"], "resourceNames": ["view"]},
            {**rule, "resources": ["roles"], "resourceNames": ["deployer"]},
        ],
    }
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": NAME},
        "subjects": [{"apiGroup": group, "kind": "User", "name": nobody.name}],
    }
    for kind, body in (("roles", role), ("rolebindings", binding)):
        cluster.request("POST", f"{RBAC}/namespaces/{SPACE}/{kind}", body=body)
    eventually(
        lambda: nobody.request("POST", f"{GRANTS}?dryRun=All", grant(nobody))[0], lambda status: status == 201
    )
    yield nobody
    cluster.request("DELETE", f"/api/v1/namespaces/{SPACE}")
    cluster.request("DELETE", f"{RBAC}/namespaces/{SPACE}/rolebindings/{NAME}")
    eventually(
        lambda: nobody.request("POST", f"{GRANTS}?dryRun=All", grant(nobody))[0], lambda status: status == 403
    )


@pytest.mark.parametrize(
    ("who", "spec", "said"),
    [
        ("viewer", {}, ""),
        ("viewer", {"namespace": None, "cluster": True}, ""),
        ("viewer", {"clusterRole": "edit"}, 'may not grant ClusterRole "edit" in namespace'),
        ("viewer", {"clusterRole": None, "role": "view"}, 'may not grant Role "view" in namespace'),
        ("admin", {"clusterRole": "edit"}, ""),
        ("admin", {"clusterRole": None, "role": "deployer"}, ""),
        ("viewer", {"requestedBy": "system:admin"}, "must be who makes the grant"),
        ("viewer", {"until": at(hours=167)}, ""),
        ("viewer", {"until": at(hours=169)}, "maxGrantDuration"),
    ],
)
def test_making(people: dict[str, Person], who: str, spec: dict[str, Any], said: str) -> None:
    author = people[who]
    status, answer = author.request("POST", f"{GRANTS}?dryRun=All", grant(author, **spec))
    assert (status == 201) is not bool(said), answer
    assert said in answer.get("message", "")


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({}, 201),
        ({"clusterRole": None, "role": "deployer"}, 201),
        ({"clusterRole": "edit"}, 403),
        ({"namespace": "default"}, 403),
        ({"namespace": None, "cluster": True}, 403),
    ],
)
def test_the_right_is_asked_for_in_the_target_namespace(
    local: Person, spec: dict[str, Any], status: int
) -> None:
    assert local.request("POST", f"{GRANTS}?dryRun=All", grant(local, **spec))[0] == status


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"until": at(minutes=30)}, ""),
        ({"until": at(hours=2)}, "until can only come sooner"),
        ({"clusterRole": "edit"}, "clusterRole is immutable"),
        ({"clusterRole": None, "role": "view"}, "immutable"),
        ({"namespace": "prod"}, "namespace is immutable"),
        ({"userName": "bob@example.com"}, "userName is immutable"),
        ({"userName": None, "group": {"displayName": "ops"}}, "immutable"),
        ({"directory": "okta"}, "directory is immutable"),
        ({"reason": "another one"}, "reason is immutable"),
        ({"requestedBy": "system:admin"}, "requestedBy is immutable"),
    ],
)
def test_changing(release: Release, people: dict[str, Person], spec: dict[str, Any], said: str) -> None:
    admin = people["admin"]
    status, made = admin.request("POST", GRANTS, grant(admin))
    assert status == 201, made
    try:
        changed = {**made["spec"], **spec}
        made["spec"] = {key: value for key, value in changed.items() if value is not None}
        status, answer = admin.request("PUT", f"{GRANTS}/{NAME}", made)
    finally:
        release.cluster.request("DELETE", f"{GRANTS}/{NAME}")
    assert (status == 200) is not bool(said), answer
    assert said in answer.get("message", "")


@pytest.mark.parametrize(
    "spec",
    [
        {"userName": None},
        {"group": {"displayName": "ops"}},
        {"userName": None, "group": {}},
        {"userName": None, "group": {"displayName": "ops", "externalId": "1"}},
        {"role": "view"},
        {"clusterRole": None},
        {"namespace": None},
        {"cluster": True},
        {"namespace": None, "cluster": False},
        {"clusterRole": None, "role": "view", "namespace": None, "cluster": True},
        {"until": None},
        {"until": "tomorrow"},
        {"reason": None},
        {"reason": "  "},
        {"requestedBy": None},
        {"namespace": "No"},
    ],
)
def test_nonsense_is_refused(people: dict[str, Person], spec: dict[str, Any]) -> None:
    admin = people["admin"]
    status, answer = admin.request("POST", f"{GRANTS}?dryRun=All", grant(admin, **spec))
    assert status in (403, 422), answer
