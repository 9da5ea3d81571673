"""What the operator's own token can do to bindings: write those that it names and labels, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.chart.attacker import MANAGED, NAME, OURS, RBAC, TARGET, Attacker, attacking, refused
from tests.chart.release import Release

WRITTEN = {"scim-operator.io/written": "0123456789"}

Object = dict[str, Any]


@pytest.fixture(scope="module")
def attacker(release: Release) -> Iterator[Attacker]:
    """Somebody with the operator's token."""
    with attacking(release) as made:
        yield made


def subject(name: str, kind: str = "User") -> Object:
    """One of a binding's subjects."""
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def binding(
    *subjects: Object,
    name: str = NAME,
    labels: Mapping[str, str] = OURS,
    annotations: Mapping[str, str] = WRITTEN,
) -> Object:
    """A binding as the operator writes it."""
    return {
        "metadata": {"name": name, "labels": dict(labels), "annotations": dict(annotations)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": list(subjects or [subject("ada@example.com")]),
    }


def bindings_in(namespace: str) -> str:
    """Where a namespace's bindings are; empty for the whole cluster's."""
    return f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"


UNNAMED = "scim-operator writes no others"
RESERVED = 'begins with "system:"'
WRONG_BINDINGS = [
    (binding(labels={}), UNNAMED),
    (binding(labels={"app.kubernetes.io/managed-by": "Helm"}), UNNAMED),
    (binding(name="fence"), UNNAMED),
    (binding(name="scim-operator"), UNNAMED),
    (binding(name="my-scim-fence-0123456789"), UNNAMED),
    (binding(name="scim-fence-012345678x"), UNNAMED),
    (binding(subject("default", "ServiceAccount")), "name a ServiceAccount"),
    (binding(subject("ada@example.com"), subject("default", "ServiceAccount")), "name a ServiceAccount"),
    *(
        (binding(subject("ada@example.com"), subject(name, kind)), RESERVED)
        for kind in ("User", "Group")
        for name in (
            *("system:masters", "System:Masters", "SYSTEM:masters", "system:", " system:masters"),
            *("\t\n system:masters", "\u00a0system:masters", "\u200bsystem:masters", "\ufeffsystem:masters"),
            *("system:serviceaccount:kube-system:default", "system:authenticated", "\u017fystem:masters"),
        )
    ),
]


@pytest.mark.parametrize("namespace", [TARGET, ""])
@pytest.mark.parametrize(("body", "said"), WRONG_BINDINGS)
def test_a_binding_that_the_operator_never_writes(
    attacker: Attacker, namespace: str, body: Object, said: str
) -> None:
    refused(attacker.request("POST", f"{bindings_in(namespace)}?dryRun=All", body), said)


@pytest.mark.parametrize("namespace", [TARGET, ""])
def test_what_the_operator_writes(attacker: Attacker, namespace: str) -> None:
    names = ["ada@example.com", "my-system:a", "systems:a", "entra:system:masters"]
    fine = binding(*(subject(name, kind) for name in names for kind in ("User", "Group")))
    assert attacker.request("POST", f"{bindings_in(namespace)}?dryRun=All", fine).status == 201


@pytest.fixture(params=[TARGET, ""])
def path(request: pytest.FixtureRequest, release: Release) -> Iterator[str]:
    """Where bindings are made by a test; they go afterwards."""
    where = bindings_in(request.param)
    yield where
    for name in (NAME, "payroll-admins"):
        release.cluster.request("DELETE", f"{where}/{name}")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("payroll-admins", {}),
        ("payroll-admins", OURS),
        (NAME, {}),
        (NAME, {"scim-operator.io/policy": "fence"}),
    ],
)
def test_a_foreign_binding_stays_as_it_is(
    release: Release, attacker: Attacker, path: str, name: str, labels: Mapping[str, str]
) -> None:
    foreign = binding(name=name, labels=labels, annotations={})
    made = release.cluster.request("POST", path, body=foreign).body
    changed = {**made, "metadata": {**made["metadata"], "labels": OURS, "annotations": WRITTEN}}
    said = "bears no mark" if name == NAME else UNNAMED
    refused(attacker.request("PUT", f"{path}/{name}", changed), said)
    refused(attacker.request("DELETE", f"{path}/{name}"), said)


@pytest.mark.parametrize(
    ("labels", "annotations"),
    [(MANAGED, {}), ({}, WRITTEN), (OURS, WRITTEN)],
    ids=["label", "written", "both"],
)
def test_one_of_ours_is_put_right_whatever_was_stripped(
    release: Release, attacker: Attacker, path: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> None:
    stripped = binding(labels=labels, annotations=annotations)
    made = release.cluster.request("POST", path, body=stripped).body
    whole = {**made, "metadata": {**made["metadata"], "labels": OURS, "annotations": WRITTEN}}
    made = attacker.request("PUT", f"{path}/{NAME}", whole)
    assert made.status == 200, made.body
    for wrong in (subject("system:masters", "Group"), subject("default", "ServiceAccount")):
        changed = {**made.body, "subjects": [wrong]}
        assert attacker.request("PUT", f"{path}/{NAME}", changed).status == 403
    assert attacker.request("DELETE", f"{path}/{NAME}").status == 200


def test_the_chart_s_own_bindings_are_foreign(release: Release, attacker: Attacker) -> None:
    for where in ("", release.name):
        own = f"{bindings_in(where)}/{release.fullname}"
        body = release.cluster.request("GET", own).body
        refused(attacker.request("PUT", own, {**body, "subjects": [subject("mallory@example.com")]}), UNNAMED)
        refused(attacker.request("DELETE", own), UNNAMED)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "default", "chart-tests", "infra"])
def test_nobody_gets_into_a_protected_namespace(release: Release, attacker: Attacker, namespace: str) -> None:
    said = "once it is in the chart's value literalNamespaces"
    where = bindings_in(namespace)
    refused(attacker.request("POST", f"{where}?dryRun=All", binding()), said)

    # From before it was protected: people can go, and nobody else comes.
    two = binding(subject("ada@example.com"), subject("bob@example.com"))
    made = release.cluster.request("POST", where, body=two)
    assert made.status == 201, made.body
    try:
        more = [*two["subjects"], subject("mallory@example.com")]
        refused(attacker.request("PUT", f"{where}/{NAME}", {**made.body, "subjects": more}), said)
        fewer = attacker.request("PUT", f"{where}/{NAME}", {**made.body, "subjects": two["subjects"][:1]})
        assert fewer.status == 200, fewer.body
        assert attacker.request("DELETE", f"{where}/{NAME}").status == 200
    finally:
        release.cluster.request("DELETE", f"{where}/{NAME}")


def test_a_role_in_the_whole_cluster(release: Release, attacker: Attacker) -> None:
    """`edit` may be granted in namespaces; everywhere it would reach the protected ones and all Secrets."""
    said = 'ClusterRole "edit" in the whole cluster'
    everywhere = bindings_in("")
    wide = {**binding(), "roleRef": {**binding()["roleRef"], "name": "edit"}}
    refused(attacker.request("POST", f"{everywhere}?dryRun=All", wide), said)

    # From before its role left the value: people can go, and nobody else comes.
    two = [subject("ada@example.com"), subject("bob@example.com")]
    made = release.cluster.request("POST", everywhere, body={**wide, "subjects": two})
    assert made.status == 201, made.body
    try:
        more = [*two, subject("mallory@example.com")]
        refused(attacker.request("PUT", f"{everywhere}/{NAME}", {**made.body, "subjects": more}), said)
        fewer = attacker.request("PUT", f"{everywhere}/{NAME}", {**made.body, "subjects": two[:1]})
        assert fewer.status == 200, fewer.body
        assert attacker.request("DELETE", f"{everywhere}/{NAME}").status == 200
    finally:
        release.cluster.request("DELETE", f"{everywhere}/{NAME}")


def test_a_literal_namespace_is_open(attacker: Attacker) -> None:
    answer = attacker.request("POST", f"{bindings_in('kube-node-lease')}?dryRun=All", binding())
    assert answer.status == 201, answer.body
