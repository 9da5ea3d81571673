"""Cluster-wide grants, groups as subjects, several grants in one place, and who is foreign, for real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, bindings, conditions, hire, policy, raised
from tests.e2e.replay import Replay
from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.installation import Installation

BINDING = "clusterrolebinding"


def _everywhere(name: str, group: str, role: str = "view", **spec: Any) -> dict[str, Any]:
    made = policy(name, DIRECTORY, group)
    made["spec"] |= {"grants": [{"clusterRole": role, "cluster": True}], **spec}
    return made


def _only_binding(cluster: Cluster, name: str, kind: str = BINDING) -> str:
    """The name of the one binding that a policy has."""
    found = cluster.kubectl("get", kind, "-A", "-l", f"scim-operator.io/policy={name}", "-o", "name").split()
    assert len(found) == 1, found
    return found[0].partition("/")[2]


def test_cluster_wide_grant(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(name, [person])
    assert cluster.can_list_pods(person, "kube-system") == 403
    apply(cluster, _everywhere(name, name))
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})
    assert cluster.can_list_pods(person, "kube-system") == 200
    ready = eventually(
        lambda: conditions(cluster, "accesspolicy", name).get("Ready", {}), lambda seen: bool(seen)
    )
    assert ready["status"] == "True"

    # Drift: deleted, edited, stripped.
    binding = _only_binding(cluster, name)
    cluster.kubectl("delete", BINDING, binding)
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})
    stranger = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "stranger@example.com"}
    add = json.dumps([{"op": "add", "path": "/subjects/-", "value": stranger}])
    cluster.kubectl("patch", BINDING, binding, "--type=json", "-p", add)
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})
    cluster.kubectl("label", BINDING, binding, "app.kubernetes.io/managed-by-", "scim-operator.io/policy-")
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})

    # A leaver is out at once; the policy takes its binding along.
    entra.set_active(person, False)
    becomes(lambda: cluster.can_list_pods(person, "kube-system"), 403)
    entra.set_active(person, True)
    becomes(lambda: cluster.can_list_pods(person, "kube-system"), 200)
    cluster.kubectl("delete", "accesspolicy", name)
    becomes(lambda: bindings(cluster, name), {})
    assert cluster.can_list_pods(person, "kube-system") == 403


def test_cluster_wide_role_outside_the_list(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(name, [person])
    apply(cluster, _everywhere(name, name, role="cluster-admin"))
    assert "grantableClusterRoles" in raised(cluster, name, "RoleNotAllowed")["message"]
    assert bindings(cluster, name) == {}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"groups": {"directory": DIRECTORY, "displayName": "k8s-*"}}, "exact name"),
        ({"groups": {"directory": DIRECTORY, "displayName": "k8s-{team}"}}, "exact name"),
        ({"grants": [{"clusterRole": "view"}]}, "exactly one of namespaces and cluster"),
        (
            {"grants": [{"clusterRole": "view", "cluster": True, "namespaces": {"name": "a"}}]},
            "exactly one of namespaces and cluster",
        ),
        ({"subjects": "Everybody"}, "Users"),
    ],
)
def test_what_the_api_server_refuses(
    operator: Installation, name: str, spec: dict[str, Any], said: str
) -> None:
    wrong = _everywhere(name, "exact", **spec)
    answer = operator.cluster.kubectl("create", "-f", "-", input=json.dumps(wrong), check=False)
    assert said in answer


def test_group_as_subject(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(f"{name}-a", [person], external_id=f"oid-of-{name}")
    by_group = policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name)
    by_group["spec"]["subjects"] = "Group"
    apply(cluster, by_group)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [f"oid-of-{name}"]})

    # The person's token says in which groups they are; without that claim the binding gives nothing.
    assert cluster.can_list_pods(person, name, groups=[f"oid-of-{name}"]) == 200
    assert cluster.can_list_pods(person, name) == 403
    assert "Users" in raised(cluster, name, "RevocationDelayed")["message"]
    becomes(lambda: conditions(cluster, "accesspolicy", name)["Ready"]["status"], "True")
    shown = json.loads(cluster.kubectl("get", "accesspolicy", name, "-o", "json"))["status"]
    assert (shown["groups"], shown["people"], shown["bindings"]) == (1, 1, 1)

    # And back to people by name.
    by_group["spec"]["subjects"] = "Users"
    apply(cluster, by_group)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    becomes(lambda: "RevocationDelayed" in conditions(cluster, "accesspolicy", name), False)
    entra.delete("Groups", f"{name}-a")
    becomes(lambda: bindings(cluster, name), {})


def test_several_grants_and_policies_in_one_place(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster, other = operator.cluster, f"{name[:36]}-b"
    ada, bob = hire(entra, f"{name}-ada"), hire(entra, f"{name}-bob")
    entra.provision_group(f"{name}-dev", [ada])
    entra.provision_group(f"{name}-ops", [ada, bob])
    # Two grants of one policy in one place count once; a second policy has a binding of its own there.
    twice = policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name)
    twice["spec"]["grants"].append({"clusterRole": "view", "namespaces": {"name": name}})
    apply(cluster, twice)
    apply(cluster, policy(other, DIRECTORY, f"{name}-ops", role="view", namespace=name))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [ada, bob]})
    becomes(lambda: bindings(cluster, other), {(name, "view"): [ada, bob]})

    # Each policy takes away its own alone.
    apply(cluster, policy(name, DIRECTORY, f"{name}-dev", role="view", namespace=name))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [ada]})
    assert cluster.can_list_pods(bob, name) == 200
    cluster.kubectl("delete", "accesspolicy", other)
    becomes(lambda: bindings(cluster, other), {})
    assert cluster.can_list_pods(bob, name) == 403
    assert cluster.can_list_pods(ada, name) == 200


def test_foreign_cluster_wide_binding_is_left_alone(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(name, [person])
    apply(cluster, _everywhere(name, name))
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})
    binding = _only_binding(cluster, name)
    entra.set_active(person, False)
    becomes(lambda: bindings(cluster, name), {})
    cluster.kubectl("create", BINDING, binding, "--clusterrole=view", "--user=somebody@else.example.com")
    entra.set_active(person, True)
    assert f"ClusterRoleBinding {binding}" in raised(cluster, name, "Conflict")["message"]
    assert cluster.can_list_pods(person, "kube-system") == 403
    assert cluster.can_list_pods("somebody@else.example.com", "kube-system") == 200
    cluster.kubectl("delete", BINDING, binding)
    # Nothing tells of what isn't ours; it is looked at again every 30 s, and with every change.
    entra.update_user(person, {"displayName": "Looked at again"})
    becomes(lambda: bindings(cluster, name), {("", "view"): [person]})


def test_labels_stripped_from_our_namespace_come_back(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(f"strip-{name}-view", [person])
    apply(cluster, policy(name, DIRECTORY, "strip-{team}-{role}"))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})

    def labels() -> dict[str, str]:
        found = json.loads(cluster.kubectl("get", "namespace", name, "-o", "json"))["metadata"]["labels"]
        return {key: value for key, value in found.items() if key != "kubernetes.io/metadata.name"}

    whole = labels()
    replay = Replay(cluster)
    for stripped in (*([label] for label in whole), list(whole)):
        cluster.kubectl("label", "namespace", name, *(f"{label}-" for label in stripped))
        becomes(labels, whole)
    assert all((person, "view", name) in moment for moment in replay.moments())
    assert cluster.can_list_pods(person, name) == 200


_GUARD = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: labels-of-namespaces-are-ours}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: ["*"], resources: [namespaces], operations: [UPDATE]}
  validations:
  - expression: "!request.userInfo.username.startsWith('system:serviceaccount:scim-operator:')"
    message: labels of namespaces are the platform team's
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: labels-of-namespaces-are-ours}
spec: {policyName: labels-of-namespaces-are-ours, validationActions: [Deny]}
"""


def test_leaver_goes_although_labels_of_namespaces_are_guarded(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    ada, bob = hire(entra, f"{name[:30]}-ada"), hire(entra, f"{name[:30]}-bob")
    entra.provision_group(f"guard-{name}-view", [ada, bob])
    apply(cluster, policy(name, DIRECTORY, "guard-{team}-{role}"))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [ada, bob]})
    cluster.kubectl("apply", "-f", "-", input=_GUARD)
    try:
        # Until the guard acts the label comes back; then the refusal is a condition.
        def stripped() -> bool:
            cluster.kubectl("label", "namespace", name, "scim-operator.io/directory-")
            return "platform team" in conditions(cluster, "accesspolicy", name).get("Stalled", {}).get(
                "message", ""
            )

        eventually(stripped, lambda refused: refused, 15)
        entra.set_active(ada, False)
        becomes(lambda: cluster.can_list_pods(ada, name), 403)
        assert cluster.can_list_pods(bob, name) == 200
    finally:
        cluster.kubectl("delete", "-f", "-", input=_GUARD)


def test_user_and_group_of_one_name(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(name, [person], external_id=person)
    by_name = policy(name, DIRECTORY, name, role="view", namespace=name)

    def kinds() -> list[str]:
        items = json.loads(cluster.kubectl("get", "rolebinding", "-n", name, "-o", "json"))["items"]
        return [subject["kind"] for item in items for subject in item["subjects"]]

    apply(cluster, by_name)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    for subjects, kind in (("Group", "Group"), ("Users", "User"), ("Group", "Group")):
        by_name["spec"]["subjects"] = subjects
        apply(cluster, by_name)
        becomes(kinds, [kind])
    cluster.kubectl("delete", "accesspolicy", name)
    becomes(kinds, [])


def test_twin_of_a_group_after_a_rename_that_entra_forgot(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    """Entra looks up the new name, finds nothing, posts the same objectId: refused, it would never go on."""
    entra.provision_group(f"{name}-old", [], external_id=f"oid-{name}")
    made = entra.call("POST", "/Groups", {"externalId": f"oid-{name}", "displayName": f"{name}-new"})
    assert made.status == 201, made.answer


def test_who_may_bind_in_one_namespace_grants_nothing_cluster_wide(operator: Installation, name: str) -> None:
    cluster, eve = operator.cluster, "eve@example.com"
    writer = f"{name[:30]}-writer"
    verbs = "--verb=create,update,patch,get"
    cluster.kubectl("create", "clusterrole", writer, verbs, "--resource=accesspolicies.scim-operator.io")
    cluster.kubectl("create", "clusterrolebinding", writer, f"--clusterrole={writer}", f"--user={eve}")
    cluster.kubectl("create", "namespace", name)
    binds = "--resource=clusterroles.rbac.authorization.k8s.io"
    cluster.kubectl("create", "role", "binds", "-n", name, "--verb=bind", binds)
    cluster.kubectl("create", "rolebinding", "binds", "-n", name, "--role=binds", f"--user={eve}")
    wide = json.dumps(_everywhere(name, name))
    assert "may not grant" in cluster.kubectl("create", "-f", "-", f"--as={eve}", input=wide, check=False)
    # Nor by switching what an admin wrote.
    apply(cluster, policy(name, DIRECTORY, name, role="view", namespace=name))
    switch = [
        {"op": "remove", "path": "/spec/grants/0/namespaces"},
        {"op": "add", "path": "/spec/grants/0/cluster", "value": True},
    ]
    patch = ("patch", "accesspolicy", name, f"--as={eve}", "--type=json", "-p", json.dumps(switch))
    assert "may not grant" in cluster.kubectl(*patch, check=False)


def test_strangers_group_in_a_binding_of_ours_goes(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(f"{name}-g", [person])
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    everybody = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Group",
        "name": "system:authenticated",
    }
    binding = _only_binding(cluster, name, "rolebinding")
    add = json.dumps([{"op": "add", "path": "/subjects/-", "value": everybody}])
    cluster.kubectl("patch", "rolebinding", binding, "-n", name, "--type=json", "-p", add)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    becomes(lambda: cluster.can_list_pods("anybody@example.com", name), 403)
