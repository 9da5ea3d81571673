"""Who may write policies that make namespaces, and templates: the author's own rights decide."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.person import Person
from tests.chart.release import Release
from tests.chart.test_admission import POLICIES, policy
from tests.eventually import eventually

TEMPLATES = "/apis/scim-operator.io/v1alpha1/namespacetemplates"
NAME = "chart-tests-authors"
DELETE = {"whenUnused": "Delete", "after": "720h"}


def making(create: dict[str, Any]) -> dict[str, Any]:
    """A policy that grants view, and makes a namespace so."""
    body = policy(["view"])
    body["metadata"]["name"] = NAME
    body["spec"]["grants"][0]["namespaces"]["create"] = create
    return body


def template(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scim-operator.io/v1alpha1",
        "kind": "NamespaceTemplate",
        "metadata": {"name": NAME},
        "spec": spec,
    }


@pytest.fixture(autouse=True)
def in_force(release: Release, people: dict[str, Person]) -> None:
    """Admission policies take a moment to act; so do the rights to write what they check."""
    for body, path in ((making({}), POLICIES), (template(), TEMPLATES)):
        status, answer = eventually(
            lambda path=path, body=body: people["nobody"].request("POST", f"{path}?dryRun=All", body),  # type: ignore[misc]
            lambda answer: "may not" in answer[1].get("message", ""),
            10,
        )
        assert status == 403, answer


@pytest.mark.parametrize(
    ("who", "create", "missing"),
    [
        ("viewer", None, ""),
        ("viewer", {}, "create"),
        ("maker", {}, ""),
        ("maker", {"template": "team"}, ""),
        ("maker", {"adopt": False}, ""),
        ("maker", {"adopt": True}, "patch"),
        ("maker", DELETE, "delete"),
        ("adopter", {"adopt": True}, ""),
        ("adopter", {"adopt": True, **DELETE}, "delete"),
        ("deleter", DELETE, ""),
        ("deleter", {"adopt": True, **DELETE}, "patch"),
    ],
)
def test_rights_on_namespaces(
    people: dict[str, Person], who: str, create: dict[str, Any] | None, missing: str
) -> None:
    body = policy(["view"]) if create is None else making(create)
    status, answer = people[who].request("POST", f"{POLICIES}?dryRun=All", body)
    assert status == (403 if missing else 201), answer
    if missing:
        assert f'needs the verb "{missing}" on them' in answer["message"]
        assert f"resources [namespaces], verbs [{missing}]" in answer["message"]


@pytest.mark.parametrize(
    ("who", "spec", "said"),
    [
        ("nobody", {}, 'the verb "patch" on namespaces'),
        ("templates", {"labels": {"tier": "team"}, "podSecurity": {"enforce": "baseline"}}, ""),
        ("templates", {"resourceQuota": {"hard": {"pods": 5}}}, "may not put ResourceQuota objects"),
        ("quotas", {"resourceQuota": {"hard": {"pods": 5}}}, ""),
        ("quotas", {"limitRange": {"limits": [{"type": "Pod"}]}}, "may not put LimitRange objects"),
        ("quotas", {"networkPolicy": {}}, "may not put NetworkPolicy objects"),
        (
            "quotas",
            {"objects": [{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "x"}}]},
            "",
        ),
        (
            "quotas",
            {"objects": [{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "x"}}]},
            "may not put LimitRange objects",
        ),
        (
            "quotas",
            {"objects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}]},
            "templates may not hold v1/ConfigMap: to allow it, add it to the value templateKinds",
        ),
    ],
)
def test_rights_on_what_a_template_holds(
    people: dict[str, Person], who: str, spec: dict[str, Any], said: str
) -> None:
    status, answer = people[who].request("POST", f"{TEMPLATES}?dryRun=All", template(**spec))
    if said:
        assert status in (403, 422), answer
        assert said in answer["message"]
    else:
        assert status == 201, answer


def test_what_leaves_the_template_alone_is_free(release: Release, people: dict[str, Person]) -> None:
    made = release.cluster.request("POST", TEMPLATES, body=template(networkPolicy={})).body
    try:
        made["metadata"]["labels"] = {"team": "platform"}
        status, made = people["nobody"].request("PUT", f"{TEMPLATES}/{NAME}", made)
        assert status == 200, made
        made["spec"]["labels"] = {"tier": "other"}
        assert people["nobody"].request("PUT", f"{TEMPLATES}/{NAME}", made)[0] == 403
    finally:
        release.cluster.request("DELETE", f"{TEMPLATES}/{NAME}")


def test_types_check(release: Release) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"

    def status() -> dict[str, Any]:
        answer = release.cluster.request("GET", f"{path}/{release.fullname}-template-authors")
        found: dict[str, Any] = answer.body.get("status", {})
        return found

    assert eventually(status, lambda found: "typeChecking" in found, 10)["typeChecking"] == {}
