"""Namespaces from templates, taken over, unused, deleted: on the real API server, by the chart's rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, bindings, conditions, hire, policy, raised
from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.installation import Installation

ENFORCE = "pod-security.kubernetes.io/enforce"
SINCE = "scim-operator.io/unused-since"
TEMPLATE: dict[str, Any] = {
    "labels": {"tier": "team"},
    "annotations": {"example.com/note": "made for a team"},
    "podSecurity": {"enforce": "baseline"},
    "resourceQuota": {"hard": {"pods": 10, "requests.cpu": "4000m"}},
    "limitRange": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]},
    "networkPolicy": {},
}


def template(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "scim-operator.io/v1alpha1",
        "kind": "NamespaceTemplate",
        "metadata": {"name": name},
        "spec": spec,
    }


def making(name: str, **create: Any) -> dict[str, Any]:
    """A policy by which the group of that name gets view in the namespace of that name."""
    made = policy(name, DIRECTORY, name, role="view", namespace=name)
    made["spec"]["grants"][0]["namespaces"]["create"] = create
    return made


def namespace(cluster: Cluster, name: str) -> dict[str, Any]:
    """Its metadata; empty when it isn't there."""
    found = cluster.kubectl("get", "namespace", name, "-o", "json", "--ignore-not-found")
    metadata: dict[str, Any] = json.loads(found)["metadata"] if found else {}
    return metadata


def content(cluster: Cluster, name: str, kind: str) -> dict[str, Any]:
    """The spec of what a template brought; empty when it isn't there."""
    found = cluster.kubectl("get", kind, "scim-template", "-n", name, "-o", "json", "--ignore-not-found")
    spec: dict[str, Any] = json.loads(found)["spec"] if found else {}
    return spec


@pytest.fixture
def made(operator: Installation, entra: EntraClient, name: str) -> Iterator[str]:
    """A namespace made from a template for one person in one group, all of the test's name."""
    apply(operator.cluster, template(name, **TEMPLATE))
    apply(operator.cluster, making(name, template=name))
    person = hire(entra, name)
    entra.provision_group(name, [person])
    becomes(lambda: bindings(operator.cluster, name), {(name, "view"): [person]})
    becomes(lambda: bool(content(operator.cluster, name, "networkpolicy")), True)
    yield person
    operator.cluster.kubectl("delete", "nst", name, "--ignore-not-found")


def test_template_and_its_changes(operator: Installation, name: str, made: str) -> None:
    cluster = operator.cluster
    labels = namespace(cluster, name)["labels"]
    assert (labels["tier"], labels[ENFORCE]) == ("team", "baseline")
    assert content(cluster, name, "resourcequota")["hard"] == {"pods": "10", "requests.cpu": "4"}
    assert content(cluster, name, "limitrange")["limits"][0]["defaultRequest"] == {"cpu": "100m"}
    allowed = content(cluster, name, "networkpolicy")
    assert allowed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in allowed
    assert {port["port"] for rule in allowed["egress"] for port in rule["ports"]} == {53}
    # The API server holds people's pods to it from the first moment.
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "host", "namespace": name},
        "spec": {"hostNetwork": True, "containers": [{"name": "a", "image": "a"}]},
    }
    said = cluster.kubectl("apply", "-f", "-", input=json.dumps(pod), check=False)
    assert "violates PodSecurity" in said

    changed = {key: TEMPLATE[key] for key in ("limitRange", "networkPolicy")}
    changed["networkPolicy"] = {"ingress": "SameNamespace", "egress": "Allow"}
    changed["resourceQuota"] = {"hard": {"pods": 20}}
    apply(cluster, template(name, labels={"tier": "gold"}, **changed))
    becomes(lambda: namespace(cluster, name)["labels"].get("tier"), "gold")
    becomes(lambda: content(cluster, name, "resourcequota").get("hard"), {"pods": "20"})
    becomes(lambda: content(cluster, name, "networkpolicy").get("egress"), [{}])
    assert ENFORCE not in namespace(cluster, name)["labels"]
    assert "example.com/note" not in namespace(cluster, name).get("annotations", {})
    apply(cluster, template(name, labels={"tier": "gold"}))
    for kind in ("resourcequota", "limitrange", "networkpolicy"):
        becomes(lambda kind=kind: content(cluster, name, kind), {})  # type: ignore[misc]
    ready = eventually(
        lambda: conditions(cluster, "nst", name).get("Ready", {}), lambda seen: seen.get("status") == "True"
    )
    assert ready["message"] == "in force"
    counted = lambda: cluster.kubectl("get", "nst", name, "-o", "jsonpath={.status.namespaces}")  # noqa: E731
    becomes(counted, "1")


def test_drift_in_the_namespace(operator: Installation, name: str, made: str) -> None:
    cluster = operator.cluster
    cluster.kubectl("delete", "resourcequota", "scim-template", "-n", name)
    becomes(lambda: content(cluster, name, "resourcequota").get("hard", {}).get("pods"), "10")
    edit = json.dumps({"spec": {"hard": {"pods": "999", "secrets": "5"}}})
    cluster.kubectl("patch", "resourcequota", "scim-template", "-n", name, "--type=merge", "-p", edit)
    becomes(lambda: content(cluster, name, "resourcequota")["hard"]["pods"], "10")
    # What somebody else adds under a name of theirs is theirs, by the rules of server-side apply.
    assert content(cluster, name, "resourcequota")["hard"].get("secrets") == "5"
    stripped = ("app.kubernetes.io/managed-by-", "scim-operator.io/template-")
    cluster.kubectl("label", "networkpolicy", "scim-template", "-n", name, *stripped)
    seen = ("get", "networkpolicy", "-n", name, "-l", f"scim-operator.io/template={name}", "-o", "name")
    becomes(lambda: cluster.kubectl(*seen).strip(), "networkpolicy.networking.k8s.io/scim-template")
    cluster.kubectl("label", "namespace", name, f"{ENFORCE}=privileged", "--overwrite")
    becomes(lambda: namespace(cluster, name)["labels"][ENFORCE], "baseline")


def test_namespace_waits_for_its_template(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, making(name, template=name))
    person = hire(entra, name)
    entra.provision_group(name, [person])
    assert f"kubectl get nst {name}" in raised(cluster, name, "TemplateMissing")["message"]
    assert namespace(cluster, name) == {}
    apply(cluster, template(name, labels={"tier": "team"}))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    becomes(lambda: "TemplateMissing" in conditions(cluster, "accesspolicy", name), False)
    cluster.kubectl("delete", "nst", name)
    raised(cluster, name, "TemplateMissing")
    assert namespace(cluster, name)["labels"]["tier"] == "team"
    assert bindings(cluster, name) == {(name, "view"): [person]}


def test_adoption(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, f"{ENFORCE}=restricted", "tier=gold")
    cluster.kubectl("create", "quota", "own", "-n", name, "--hard=pods=1")
    captured = policy(name, DIRECTORY, f"{name}-{{x}}", role="view", namespace=f"{name[:-2]}{{x}}")
    captured["spec"]["grants"][0]["namespaces"]["create"] = {"template": name}
    apply(cluster, template(name, **TEMPLATE))
    apply(cluster, captured)
    person = hire(entra, name)
    entra.provision_group(f"{name}-{name[-2:]}", [person])
    raised(cluster, name, "Conflict")
    assert bindings(cluster, name) == {}

    captured["spec"]["grants"][0]["namespaces"]["create"]["adopt"] = True
    apply(cluster, captured)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    becomes(lambda: content(cluster, name, "resourcequota").get("hard", {}).get("pods"), "10")
    found = namespace(cluster, name)
    assert (found["labels"]["tier"], found["labels"][ENFORCE]) == ("gold", "restricted")
    assert found["labels"]["scim-operator.io/policy"] == name
    assert found["annotations"]["scim-operator.io/adopted"] == "true"
    assert "scim-operator.io/made" not in found["annotations"]
    assert found["annotations"]["example.com/note"] == "made for a team"
    becomes(lambda: "Conflict" in conditions(cluster, "accesspolicy", name), False)
    # A change of the template reaches what it brought, and nothing else.
    apply(cluster, template(name, labels={"tier": "iron"}, annotations={"example.com/note": "changed"}))
    becomes(lambda: namespace(cluster, name)["annotations"].get("example.com/note"), "changed")
    apply(cluster, template(name, labels={"tier": "iron"}))
    becomes(lambda: "example.com/note" in namespace(cluster, name)["annotations"], False)
    assert namespace(cluster, name)["labels"]["tier"] == "gold"
    cluster.kubectl("delete", "nst", name)


def test_unused_since_and_back(operator: Installation, entra: EntraClient, name: str, made: str) -> None:
    cluster = operator.cluster
    entra.set_active(made, False)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)
    assert namespace(cluster, name)["annotations"][SINCE].endswith("Z")
    entra.set_active(made, True)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), False)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [made]})
    entra.delete("Groups", name)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)


def test_deletion_that_the_values_dont_allow(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, making(name, whenUnused="Delete", after="1s"))
    assert "`namespaceDeletion`" in raised(cluster, name, "Stalled")["message"]
    person = hire(entra, name)
    entra.provision_group(name, [person])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    entra.set_active(person, False)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)
    with pytest.raises(AssertionError):
        becomes(lambda: namespace(cluster, name), {}, 3)


@pytest.fixture(scope="module")
def deleting(operator: Installation) -> Iterator[Installation]:
    """The operator where the chart's values allow it to delete namespaces."""
    operator.upgrade("namespaceDeletion=true")
    operator.roll_out()
    yield operator
    operator.upgrade()
    operator.roll_out()


def test_deletion_and_its_undoing(deleting: Installation, entra: EntraClient, name: str) -> None:
    cluster = deleting.cluster
    apply(cluster, making(name, whenUnused="Delete", after="3s"))
    person = hire(entra, name)
    entra.provision_group(name, [person])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    made = namespace(cluster, name)["uid"]
    entra.remove_members(name, [person])
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)
    entra.add_members(name, [person])
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), False)
    with pytest.raises(AssertionError):
        becomes(lambda: namespace(cluster, name).get("uid"), None, 4)
    # A restart forgets nothing: the mark is the memory.
    entra.delete("Groups", name)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)
    deleting.process.terminate()
    deleting.start()
    becomes(lambda: namespace(cluster, name), {}, 15)
    entra.provision_group(name, [person])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    assert namespace(cluster, name)["uid"] != made


def test_policy_that_is_gone_deletes_nothing(deleting: Installation, entra: EntraClient, name: str) -> None:
    cluster = deleting.cluster
    apply(cluster, making(name, whenUnused="Delete", after="1s"))
    person = hire(entra, name)
    entra.provision_group(name, [person])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    cluster.kubectl("delete", "accesspolicy", name)
    becomes(lambda: SINCE in namespace(cluster, name).get("annotations", {}), True)
    with pytest.raises(AssertionError):
        becomes(lambda: namespace(cluster, name), {}, 3)
