"""What the operator's own token can do to namespaces, and what RBAC never let it do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.chart.attacker import MANAGED, NAMESPACES, OURS, RBAC, TARGET, Attacker, attacking, refused
from tests.chart.release import Release
from tests.eventually import eventually

MADE = {"scim-operator.io/made": "true"}

Object = dict[str, Any]


@pytest.fixture(scope="module")
def attacker(release: Release) -> Iterator[Attacker]:
    """Somebody with the operator's token."""
    with attacking(release) as made:
        yield made


def namespace(name: str, labels: Mapping[str, str] = OURS, annotations: Mapping[str, str] = MADE) -> Object:
    """A namespace as the operator makes it."""
    return {"metadata": {"name": name, "labels": dict(labels), "annotations": dict(annotations)}}


UNMARKED = "would lack scim-operator's marks"
PROTECTED = "is protected: scim-operator neither makes, changes nor deletes it"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (namespace("fence-new", labels={}), UNMARKED),
        (namespace("fence-new", labels=MANAGED), UNMARKED),
        (namespace("fence-new", labels={**OURS, "app.kubernetes.io/managed-by": "Helm"}), UNMARKED),
        (namespace("fence-new", annotations={}), UNMARKED),
        (namespace("fence-new", {**OURS, "scim-operator.io/allow-policy": "any"}), "by which people consent"),
        (namespace("kube-new"), PROTECTED),
        (namespace("prod"), PROTECTED),
    ],
)
def test_a_namespace_that_the_operator_never_makes(attacker: Attacker, body: Object, said: str) -> None:
    refused(attacker.request("POST", f"{NAMESPACES}?dryRun=All", body), said)


def test_a_namespace_as_the_operator_makes_it(attacker: Attacker) -> None:
    assert attacker.request("POST", f"{NAMESPACES}?dryRun=All", namespace("fence-new")).status == 201
    owned = namespace("fence-new")
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "0"}
    owned["metadata"]["ownerReferences"] = [owner]
    refused(attacker.request("POST", f"{NAMESPACES}?dryRun=All", owned), "neither owners nor finalizers")


FOREIGN = {"team": "payroll", "pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def spaces(release: Release, attacker: Attacker) -> Iterator[dict[str, str]]:
    """Namespaces by whose they are."""
    kinds: dict[str, Object] = {
        "foreign": namespace("fence-foreign", FOREIGN, {"owner": "payroll"}),
        "made": namespace("fence-made"),
        "adopted": namespace(
            "fence-adopted", FOREIGN, {"owner": "payroll", "scim-operator.io/adopted": "true"}
        ),
        "both": namespace("fence-both", annotations={**MADE, "scim-operator.io/adopted": "true"}),
    }
    for body in kinds.values():
        assert release.cluster.request("POST", NAMESPACES, body=body).status == 201
    yield {kind: body["metadata"]["name"] for kind, body in kinds.items()}
    for body in kinds.values():
        release.cluster.request("DELETE", f"{NAMESPACES}/{body['metadata']['name']}")


FOREIGN_CHANGES = [
    ({"labels": {"team": "mallory"}}, "changes no label"),
    ({"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}, "changes no label"),
    ({"labels": {"pod-security.kubernetes.io/enforce": None}}, "changes no label"),
    ({"annotations": {"owner": None}}, "changes no label"),
    ({"annotations": MADE, "labels": OURS}, "nor claims to have made it"),
    ({"labels": {"tier": "front"}}, "adds nothing but its labels"),
    ({"labels": {"scim-operator.io/allow-policy": "any"}}, "by which people consent"),
    ({"labels": {"pod-security.kubernetes.io/warn": "privileged"}}, "loosens no pod security"),
    ({"annotations": {"note": "x"}}, "adds nothing but its labels"),
    ({"finalizers": ["example.com/stuck"]}, "neither owners nor finalizers"),
    (
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "0"}]},
        "neither owners nor finalizers",
    ),
]


@pytest.mark.parametrize(("metadata", "said"), FOREIGN_CHANGES)
def test_a_foreign_namespace_stays_as_it_is(
    attacker: Attacker, spaces: dict[str, str], metadata: Object, said: str
) -> None:
    assert said in attacker.patch_namespace(spaces["foreign"], metadata)


def test_a_protected_namespace_is_not_even_marked(attacker: Attacker) -> None:
    for name in ("kube-system", "default", "chart-tests"):
        assert PROTECTED in attacker.patch_namespace(name, {"labels": OURS})


def test_what_the_operator_may_change(attacker: Attacker, spaces: dict[str, str]) -> None:
    """Its labels come back where they were stripped; its own namespaces follow their template."""
    assert "patched" in attacker.patch_namespace(spaces["foreign"], {"labels": OURS})
    for labels in ({"tier": "front"}, {"tier": "back"}, {"tier": None, "scim-operator.io/policy": "other"}):
        assert "patched" in attacker.patch_namespace(spaces["made"], {"labels": labels})
    # Nor does it consent in the name of others, even there.
    consent = {"labels": {"scim-operator.io/allow-policy": "any"}}
    assert "by which people consent" in attacker.patch_namespace(spaces["made"], consent)


def _record(**kinds: Object) -> Object:
    record = {f"{kind}/{key}": digest for kind, keys in kinds.items() for key, digest in keys.items()}
    return {"scim-operator.io/from-template": json.dumps(record, sort_keys=True, separators=(",", ":"))}


def test_an_adopted_namespace_keeps_what_others_wrote(attacker: Attacker, spaces: dict[str, str]) -> None:
    def patch(**metadata: Object) -> str:
        return attacker.patch_namespace(spaces["adopted"], metadata)

    digest = "0123456789"
    # What a template brings fills gaps; recorded as such it may change and go again.
    first = _record(labels={"tier": digest}, annotations={"note": digest})
    assert "patched" in patch(labels={**OURS, "tier": "front"}, annotations={**first, "note": "a"})
    assert "patched" in patch(labels={"tier": "back"}, annotations={"note": "b"})
    assert "changes no label" in patch(labels={"team": "x"})
    assert "changes no label" in patch(labels={"team": "x"}, annotations=_record(labels={"team": digest}))
    # What is there can't be claimed first and changed then.
    for claim in ({"labels": {"team": digest}}, {"annotations": {"owner": digest}}):
        assert "changes no label" in patch(annotations=_record(**claim))
    assert "patched" in patch(
        labels={"tier": None},
        annotations={"note": None, **dict.fromkeys(first), "scim-operator.io/unused-since": "x"},
    )
    assert "loosens no pod security" in patch(labels={"pod-security.kubernetes.io/audit": "privileged"})
    assert "patched" in patch(labels={"pod-security.kubernetes.io/audit": "restricted"})


def test_only_its_own_namespaces_are_deleted(attacker: Attacker, spaces: dict[str, str]) -> None:
    said = "which deletes no others"
    for kind in ("foreign", "adopted", "both"):
        refused(attacker.request("DELETE", f"{NAMESPACES}/{spaces[kind]}"), said)
    # Marks that were put on afterwards give no right to delete.
    attacker.patch_namespace(spaces["foreign"], {"labels": OURS})
    refused(attacker.request("DELETE", f"{NAMESPACES}/{spaces['foreign']}"), said)
    refused(attacker.request("DELETE", f"{NAMESPACES}/infra"), PROTECTED)
    assert attacker.request("DELETE", f"{NAMESPACES}/{spaces['made']}?dryRun=All").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/secrets"),
        ("GET", f"{NAMESPACES}/kube-system/secrets"),
        ("GET", f"{NAMESPACES}/{TARGET}/secrets"),
        ("GET", f"{NAMESPACES}/{TARGET}/secrets/token"),
        ("POST", f"{NAMESPACES}/{TARGET}/secrets"),
        ("POST", f"{NAMESPACES}/chart-tests/secrets"),
        ("POST", f"{RBAC}/clusterroles"),
        ("POST", f"{NAMESPACES}/chart-tests/serviceaccounts/chart-tests-scim-operator/token"),
        (
            "DELETE",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/chart-tests-scim-operator-bindings",
        ),
    ],
)
def test_what_rbac_never_let_it_do(attacker: Attacker, method: str, path: str) -> None:
    assert attacker.request(method, path, {} if method == "POST" else None).status == 403


@pytest.mark.parametrize("fence", ["identities", "bindings", "marks", "namespaces", "contents"])
def test_types_check(release: Release, fence: str) -> None:
    path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{release.fullname}-{fence}"

    def status() -> Object:
        found: Object = release.cluster.request("GET", path).body.get("status", {})
        return found

    assert eventually(status, lambda found: "typeChecking" in found, 10)["typeChecking"] == {}
