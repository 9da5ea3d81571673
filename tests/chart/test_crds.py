"""The custom resources as helm installed them: what the API server accepts and what it refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.chart.release import Release
from tests.cluster.client import Answer
from tests.eventually import eventually

BASE = "/apis/scim-operator.io/v1alpha1"
META = {"created": "2026-01-01T00:00:00Z", "lastModified": "2026-01-01T00:00:00Z", "version": 1}
ID = "2819c223-7f76-453a-919d-413861904646"
SAMPLES: dict[str, dict[str, Any]] = {
    "scimdirectories": {"spec": {"provider": "Entra", "subjects": {"user": "entra:{externalId}"}}},
    "scimusers": {
        "spec": {
            "directory": "entra",
            "id": ID,
            "meta": META,
            "userName": "Ada@example.com",
            "active": True,
            "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"value": "ada@example.com", "type": "work", "primary": True}],
            "extensions": {
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
                    "department": "Data",
                    "manager": {"value": "42"},
                }
            },
        }
    },
    "scimgroups": {
        "spec": {
            "directory": "entra",
            "id": ID,
            "meta": META,
            "displayName": "k8s-red-edit",
            "members": [ID],
        }
    },
    "scimgroupshards": {
        "spec": {
            "directory": "entra",
            "group": ID,
            "generation": 1,
            "number": 0,
            "count": 1,
            "members": [ID],
            "meta": {"lastModified": "2026-01-01T00:00:00Z", "version": 0},
        }
    },
    "accesspolicies": {
        "spec": {
            "groups": {
                "directory": "entra",
                "displayName": "k8s-{team}-{role}",
                "where": {"role": ["view", "edit"]},
            },
            "grants": [
                {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}},
                {"clusterRole": "view", "namespaces": {"name": "shared"}},
                {
                    "clusterRole": "edit",
                    "namespaces": {
                        "name": "box-{team}",
                        "create": {
                            "template": "team",
                            "adopt": True,
                            "whenUnused": "Delete",
                            "after": "720h",
                        },
                    },
                },
            ],
        }
    },
    "namespacetemplates": {
        "spec": {
            "labels": {"tier": "team", "example.com/cost-center": "42"},
            "annotations": {"example.com/note": "made for a team"},
            "podSecurity": {"enforce": "baseline", "warn": "restricted", "version": "v1.30"},
            "resourceQuota": {
                "hard": {"requests.cpu": 4, "pods": "50"},
                "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]},
            },
            "limitRange": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]},
            "networkPolicy": {"ingress": "SameNamespace"},
            "objects": [
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "NetworkPolicy",
                    "metadata": {"name": "from-ingress", "labels": {"a": "b"}},
                    "spec": {"podSelector": {}, "ingress": [{}]},
                }
            ],
        }
    },
    "accesslocks": {
        "spec": {
            "directory": "entra",
            "userName": "Ada@example.com",
            "reason": "lost laptop, INC-4711",
            "until": "2026-11-27T18:00:00+01:00",
        }
    },
    "accessgrants": {
        "spec": {
            "directory": "entra",
            "userName": "Ada@example.com",
            "clusterRole": "view",
            "namespace": "infra",
            "until": "2026-11-27T18:00:00+01:00",
            "reason": "INC-4711",
            "requestedBy": "admin",
        }
    },
}
KINDS = {
    "scimdirectories": "ScimDirectory",
    "scimusers": "ScimUser",
    "scimgroups": "ScimGroup",
    "scimgroupshards": "ScimGroupShard",
    "accesspolicies": "AccessPolicy",
    "namespacetemplates": "NamespaceTemplate",
    "accesslocks": "AccessLock",
    "accessgrants": "AccessGrant",
}


def sample(resource: str, name: str = "chart-tests-sample", **spec: Any) -> dict[str, Any]:
    """An object that is fine but for what the test puts into it."""
    body = copy.deepcopy(SAMPLES[resource])
    body.update(apiVersion="scim-operator.io/v1alpha1", kind=KINDS[resource], metadata={"name": name})
    body["spec"].update(spec)
    return body


def create(release: Release, resource: str, body: dict[str, Any], *, keep: bool = False) -> Answer:
    """Create as the admin, by default only to see whether it would be accepted."""
    query = "" if keep else "?dryRun=All"
    return release.cluster.request("POST", f"{BASE}/{resource}{query}", body=body)


def holds(kept: Any, sent: Any) -> bool:
    """Nothing of what was sent is missing; defaults may have been added."""
    if isinstance(sent, dict):
        return all(key in kept and holds(kept[key], value) for key, value in sent.items())
    if isinstance(sent, list):
        return len(kept) == len(sent) and all(map(holds, kept, sent))
    return bool(kept == sent)


@pytest.mark.parametrize("resource", SAMPLES)
def test_established(release: Release, resource: str) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{resource}.scim-operator.io"

    def conditions() -> dict[str, str]:
        status = release.cluster.request("GET", path).body["status"]
        return {entry["type"]: entry["status"] for entry in status["conditions"]}

    found = eventually(conditions, lambda found: found.get("Established") == "True", 10)
    assert found["Established"] == "True"
    # Present only when the schema isn't structural.
    assert "NonStructuralSchema" not in found


@pytest.mark.parametrize("resource", SAMPLES)
def test_accepts_a_sample_whole(release: Release, resource: str) -> None:
    body = sample(resource)
    answer = create(release, resource, body)
    assert answer.status == 201, answer.body
    assert holds(answer.body["spec"], body["spec"]), answer.body["spec"]


@pytest.mark.parametrize("resource", ["scimusers", "scimgroups"])
@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "00000000-7f76-453a-919d-413861904646"), ("directory", "okta")],
)
def test_identity_is_immutable(release: Release, resource: str, field: str, value: str) -> None:
    created = create(release, resource, sample(resource), keep=True)
    assert created.status == 201, created.body
    path = f"{BASE}/{resource}/chart-tests-sample"
    try:
        changed = copy.deepcopy(created.body)
        changed["spec"][field] = value
        answer = release.cluster.request("PUT", path, body=changed)
    finally:
        release.cluster.request("DELETE", path)
    assert answer.status == 422
    assert f"{field} is immutable" in answer.body["message"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"userName": "bob@example.com"}, "userName is immutable"),
        ({"directory": "okta"}, "directory is immutable"),
        ({"subject": "ada@example.com", "directory": None, "userName": None}, "subject is immutable"),
        ({"until": None, "reason": "found behind the sofa"}, ""),
    ],
)
def test_whom_a_lock_means_is_immutable(release: Release, spec: dict[str, Any], said: str) -> None:
    assert create(release, "accesslocks", sample("accesslocks"), keep=True).status == 201
    try:
        answer = _patched(release, "accesslocks", {"spec": spec})
    finally:
        release.cluster.request("DELETE", f"{BASE}/accesslocks/chart-tests-sample")
    assert (said or " patched") in answer


@pytest.mark.parametrize(("resource", "field"), [("accesslocks", "subject"), ("accessgrants", "id")])
def test_whom_it_has_found_stays(release: Release, resource: str, field: str) -> None:
    assert create(release, resource, sample(resource), keep=True).status == 201
    try:
        for name, said in (("ada", " patched"), ("bob", "is found once"), (None, "is found once")):
            assert said in _patched(release, resource, {"status": {field: name}}, "--subresource=status")
    finally:
        release.cluster.request("DELETE", f"{BASE}/{resource}/chart-tests-sample")


def _patched(release: Release, resource: str, patch: dict[str, Any], *more: str) -> str:
    """What kubectl says to a merge patch of the sample."""
    options = ("--type=merge", "-p", json.dumps(patch), *more)
    return release.cluster.kubectl("patch", resource, "chart-tests-sample", *options, check=False)


@pytest.mark.parametrize("resource", ["scimdirectories", "accesspolicies", "namespacetemplates"])
@pytest.mark.parametrize("name", ["a" * 64, "with.dot"])
def test_names_must_be_labels(release: Release, resource: str, name: str) -> None:
    answer = create(release, resource, sample(resource, name))
    assert answer.status == 422
    assert "at most 63 characters" in answer.body["message"] or "no dots" in answer.body["message"]


@pytest.mark.parametrize(
    "user", ["", "plain", "{userName}{externalId}", "{username}", "{emails}", "{userName", "{userName}{"]
)
def test_a_subject_has_one_placeholder(release: Release, user: str) -> None:
    answer = create(release, "scimdirectories", sample("scimdirectories", subjects={"user": user}))
    assert answer.status == 422
    assert "spec.subjects.user" in answer.body["message"]


@pytest.mark.parametrize(
    "role", ["", "{a}{b}", "pre-{role}", "{role}-post", "{Role}", "{role", "role}", "{}"]
)
def test_a_role_is_a_name_or_one_capture(release: Release, role: str) -> None:
    grants = [{"clusterRole": role, "namespaces": {"name": "x"}}]
    answer = create(release, "accesspolicies", sample("accesspolicies", grants=grants))
    assert answer.status == 422
    assert "spec.grants[0].clusterRole" in answer.body["message"]


@pytest.mark.parametrize(
    ("resource", "spec"),
    [
        ("scimdirectories", {"provider": "Okto"}),
        ("scimusers", {"id": "1"}),
        ("scimusers", {"active": "True"}),
        ("scimgroups", {"directory": "En.tra"}),
        ("accesspolicies", {"grants": []}),
        ("accesspolicies", {"groups": {"directory": "entra"}}),
        ("accesspolicies", {"groups": {"directory": "entra", "displayName": "{r}", "where": {"r": []}}}),
        ("accesspolicies", {"groups": {"directory": "entra", "displayName": "{r}", "where": {"r": ["A b"]}}}),
        *(
            (
                "accesspolicies",
                {"grants": [{"clusterRole": "v", "namespaces": {"name": "x", "create": create}}]},
            )
            for create in (
                {"whenUnused": "Delete"},
                {"after": "1h"},
                {"whenUnused": "Retain", "after": "1h"},
                {"whenUnused": "Delete", "after": "30d"},
                {"whenUnused": "Delete", "after": ""},
                {"whenUnused": "Orphan"},
                {"template": "A"},
            )
        ),
        ("namespacetemplates", {"labels": {"scim-operator.io/policy": "x"}}),
        ("namespacetemplates", {"labels": {"kubernetes.io/metadata.name": "x"}}),
        ("namespacetemplates", {"labels": {"app.kubernetes.io/managed-by": "x"}}),
        ("namespacetemplates", {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}),
        ("namespacetemplates", {"labels": {"a b": "x"}}),
        ("namespacetemplates", {"labels": {"a": "x y"}}),
        ("namespacetemplates", {"annotations": {"scim-operator.io/made": "true"}}),
        ("namespacetemplates", {"podSecurity": {}}),
        ("namespacetemplates", {"podSecurity": {"enforce": "strict"}}),
        ("namespacetemplates", {"resourceQuota": {}}),
        ("namespacetemplates", {"limitRange": {"limits": []}}),
        ("namespacetemplates", {"networkPolicy": {"egress": "All"}}),
        *(
            (
                "namespacetemplates",
                {"objects": [{"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}]},
            )
            for version, kind in (
                ("rbac.authorization.k8s.io/v1", "Role"),
                ("rbac.authorization.k8s.io/v1beta1", "RoleBinding"),
                ("apps/v1", "Deployment"),
                ("batch/v1", "Job"),
                ("v1", "Secret"),
                ("v1", "ServiceAccount"),
                ("v1", "Pod"),
                ("scim-operator.io/v1alpha1", "ScimUser"),
            )
        ),
        ("namespacetemplates", {"objects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}]}),
        *(
            ("accesslocks", spec)
            for spec in (
                {"subject": "ada@example.com"},
                {"directory": None},
                {"directory": None, "userName": None},
                {"subject": "", "directory": None, "userName": None},
                {"reason": None},
                {"reason": "   "},
                {"until": "tomorrow"},
                {"until": "2026-11-27"},
                {"until": "2026-11-27T18:00:00"},
                {"until": "2026-13-27T18:00:00Z"},
            )
        ),
        ("namespacetemplates", {"objects": [{"apiVersion": "v1", "kind": "ConfigMap"}]}),
    ],
)
def test_refuses_nonsense(release: Release, resource: str, spec: dict[str, Any]) -> None:
    answer = create(release, resource, sample(resource, **spec))
    assert answer.status == 422, answer.body
