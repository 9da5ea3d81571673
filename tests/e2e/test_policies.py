"""What policies may and may not do, on the real API server."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from tests.e2e.policies import DIRECTORY, apply, bindings, conditions, hire, policy, raised
from tests.entra import EntraClient, Person
from tests.eventually import becomes, eventually
from tests.installation import Installation


def _notes(operator: Installation, policy_name: str) -> list[str]:
    """What Events say of a policy."""
    events = operator.cluster.kubectl("get", "events.events.k8s.io", "-n", "default", "-o", "json")
    return [item["note"] for item in json.loads(events)["items"] if item["regarding"]["name"] == policy_name]


def test_role_outside_the_list(operator: Installation, entra: EntraClient, name: str) -> None:
    operator.cluster.kubectl("create", "clusterrole", f"{name}-role", "--verb=get", "--resource=pods")
    forbidden = policy(name, DIRECTORY, f"{name}-*", role=f"{name}-role", namespace=name)
    forbidden["spec"]["grants"].append({"clusterRole": "view", "namespaces": {"name": name, "create": {}}})
    apply(operator.cluster, forbidden)
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])

    refused = raised(operator.cluster, name, "RoleNotAllowed")
    assert "grantableClusterRoles" in refused["message"]
    assert f"{name}-role" in refused["message"]
    ready = conditions(operator.cluster, "accesspolicy", name)["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "RoleNotAllowed")
    # Nothing else suffers: the policy's other grant is in place.
    becomes(lambda: bindings(operator.cluster, name), {(name, "view"): [person]})
    assert operator.cluster.can_list_pods(person, name) == 200


def test_group_named_after_a_protected_namespace(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    apply(operator.cluster, policy(name, DIRECTORY, "k8s-{team}-{role}", namespace="{team}"))
    person = hire(entra, name)
    for group in ("k8s-kube-system-admin", "k8s-default-admin", "k8s-scim-operator-admin"):
        entra.provision_group(group, [person])
    entra.provision_group("k8s-harmless-admin", [person])

    becomes(lambda: bindings(operator.cluster, name), {("harmless", "admin"): [person]})
    refused = raised(operator.cluster, name, "Conflict")
    assert "kube-system" in refused["message"]
    group = operator.cluster.kubectl(
        "get",
        "scimgroups",
        "-o",
        "jsonpath={.items[?(@.spec.displayName=='k8s-kube-system-admin')].metadata.name}",
    )
    becomes(lambda: conditions(operator.cluster, "scimgroup", group)["Ready"]["status"], "False")
    # The policy isn't at fault, and can't be turned red by whoever names groups.
    assert conditions(operator.cluster, "accesspolicy", name)["Ready"]["status"] == "True"
    assert operator.cluster.can_list_pods(person, "kube-system") == 403
    assert operator.cluster.can_list_pods(person, "default") == 403


def test_literal_name_of_a_protected_namespace(operator: Installation, entra: EntraClient, name: str) -> None:
    """Closed unless the chart's value says otherwise, and closed again: who is in goes."""
    cluster = operator.cluster
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    both = policy(name, DIRECTORY, f"{name}-*", role="view", namespace="kube-public", create=False)
    both["spec"]["grants"].append({"clusterRole": "view", "namespaces": {"name": name, "create": {}}})
    apply(cluster, both)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    refused = raised(cluster, name, "Conflict")
    assert (refused["reason"], "literalNamespaces" in refused["message"]) == ("ProtectedNamespace", True)
    # The author named it: it is the policy that isn't ready.
    assert conditions(cluster, "accesspolicy", name)["Ready"]["status"] == "False"

    operator.upgrade("literalNamespaces={kube-public}")
    operator.roll_out()
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person], ("kube-public", "view"): [person]})
    becomes(lambda: "Conflict" in conditions(cluster, "accesspolicy", name), False)
    assert cluster.can_list_pods(person, "kube-public") == 200

    operator.upgrade()
    operator.roll_out()
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    assert cluster.can_list_pods(person, "kube-public") == 403
    assert "literalNamespaces" in raised(cluster, name, "Conflict")["message"]


def test_author_may_grant_only_what_he_may_bind(operator: Installation, name: str) -> None:
    cluster = operator.cluster
    author = f"{name}@authors.example.com"
    cluster.kubectl(
        "create",
        "clusterrole",
        name,
        "--verb=get,create,patch,update",
        "--resource=accesspolicies.scim-operator.io",
    )
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={author}")
    token = cluster.person_token(author)
    wish = json.dumps(policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name, create=False))
    said = cluster.kubectl("apply", "-f", "-", input=wish, token=token, check=False)
    assert "forbidden" in said.lower()
    assert "bind" in said

    cluster.kubectl(
        "create",
        "clusterrole",
        f"{name}-bind",
        "--verb=bind",
        "--resource=clusterroles",
        "--resource-name=view",
    )
    cluster.kubectl(
        "create", "clusterrolebinding", f"{name}-b", f"--clusterrole={name}-bind", f"--user={author}"
    )
    eventually(
        lambda: cluster.kubectl("apply", "-f", "-", input=wish, token=token, check=False),
        lambda said: "created" in said,
    )
    more = json.dumps(policy(name, DIRECTORY, f"{name}-*", role="edit", namespace=name, create=False))
    said = cluster.kubectl("apply", "-f", "-", input=more, token=token, check=False)
    assert "may not grant" in said
    assert "edit" in said


def test_missing_role_is_picked_up_when_it_appears(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    # `edit` is among the roles of the list; it is there, so take it away for a moment.
    cluster = operator.cluster
    saved = json.loads(cluster.kubectl("get", "clusterrole", "edit", "-o", "json"))
    saved["metadata"] = {key: saved["metadata"][key] for key in ("name", "labels", "annotations")}
    cluster.kubectl("delete", "clusterrole", "edit")
    try:
        apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="edit", namespace=name))
        person = hire(entra, name)
        entra.provision_group(f"{name}-group", [person])
        assert "'edit'" in raised(operator.cluster, name, "RoleMissing")["message"]
        assert bindings(cluster, name) == {}
    finally:
        cluster.kubectl("apply", "-f", "-", input=json.dumps(saved))
    becomes(lambda: bindings(cluster, name), {(name, "edit"): [person]})
    becomes(lambda: "RoleMissing" in conditions(cluster, "accesspolicy", name), False)


def test_missing_namespace_is_picked_up_when_it_appears(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    apply(operator.cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name, create=False))
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    assert name in raised(operator.cluster, name, "NamespaceMissing")["message"]
    operator.cluster.kubectl("create", "namespace", name)
    becomes(lambda: bindings(operator.cluster, name), {(name, "view"): [person]})


def test_foreign_namespace_needs_consent(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    cluster.kubectl("create", "namespace", "vault")
    apply(cluster, policy(name, DIRECTORY, "consent-{team}", role="view", namespace="{team}"))
    person = hire(entra, name)
    entra.provision_group("consent-vault", [person])
    refused = raised(operator.cluster, name, "Conflict")
    assert f"kubectl label ns vault scim-operator.io/allow-policy={name}" in refused["message"]
    assert cluster.can_list_pods(person, "vault") == 403
    cluster.kubectl("label", "namespace", "vault", f"scim-operator.io/allow-policy={name}")
    becomes(lambda: bindings(cluster, name), {("vault", "view"): [person]})
    cluster.kubectl("label", "namespace", "vault", "scim-operator.io/allow-policy-")
    becomes(lambda: bindings(cluster, name), {})


def test_foreign_binding_is_left_alone(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    made = json.loads(cluster.kubectl("get", "rolebinding", "-n", name, "-o", "json"))["items"][0]
    # The same object as somebody else's: our name, without what shows that we wrote it.
    entra.remove_members(f"{name}-group", [person])
    becomes(lambda: bindings(cluster, name), {})
    foreign = {
        **made,
        "metadata": {"name": made["metadata"]["name"], "namespace": name},
        "subjects": [{**made["subjects"][0], "name": "somebody@else.example.com"}],
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(foreign))
    entra.add_members(f"{name}-group", [person])
    assert made["metadata"]["name"] in raised(operator.cluster, name, "Conflict")["message"]
    kept = json.loads(cluster.kubectl("get", "rolebinding", "-n", name, "-o", "json"))["items"]
    assert [subject["name"] for item in kept for subject in item["subjects"]] == ["somebody@else.example.com"]


def test_group_that_can_be_read_in_two_ways(operator: Installation, entra: EntraClient, name: str) -> None:
    apply(operator.cluster, policy(name, DIRECTORY, "two-{a}-{b}", role="view", namespace="{a}-x-{b}"))
    person = hire(entra, name)
    entra.provision_group("two-one-two-three", [person])
    assert "two-one-two-three" in raised(operator.cluster, name, "Ambiguous")["message"]
    assert bindings(operator.cluster, name) == {}


def test_drift_is_put_right(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    wanted = {(name, "view"): [person]}
    becomes(lambda: bindings(cluster, name), wanted)
    binding = cluster.kubectl("get", "rolebinding", "-n", name, "-o", "name").strip()

    cluster.kubectl("delete", "-n", name, binding)
    becomes(lambda: bindings(cluster, name), wanted)
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "stranger@example.com"}
    stranger = json.dumps([{"op": "add", "path": "/subjects/-", "value": subject}])
    cluster.kubectl("patch", "-n", name, binding, "--type=json", "-p", stranger)
    becomes(lambda: bindings(cluster, name), wanted)
    cluster.kubectl("annotate", "-n", name, binding, "scim-operator.io/written-")
    entra.set_active(person, False)  # a leaver gains nothing by having his admin strip the annotation
    becomes(lambda: bindings(cluster, name), {})
    entra.set_active(person, True)
    becomes(lambda: bindings(cluster, name), wanted)
    cluster.kubectl("label", "-n", name, binding, "app.kubernetes.io/managed-by-", "scim-operator.io/policy-")
    becomes(lambda: bindings(cluster, name), wanted)


def test_renamed_group_moves(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    follows = policy(name, DIRECTORY, "mv-{team}-{role}", namespace="mv-{team}")
    follows["spec"]["groups"]["onRename"] = "Follow"
    apply(cluster, follows)
    person = hire(entra, name)
    entra.provision_group("mv-red-view", [person])
    becomes(lambda: bindings(cluster, name), {("mv-red", "view"): [person]})
    entra.rename_group("mv-red-view", "mv-blue-edit")
    becomes(lambda: bindings(cluster, name), {("mv-blue", "edit"): [person]})


def test_deleting_a_policy_takes_only_its_own(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    other = f"{name}-other"
    for policy_name in (name, other):
        apply(cluster, policy(policy_name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    for policy_name in (name, other):
        becomes(partial(bindings, cluster, policy_name), {(name, "view"): [person]})
    cluster.kubectl("delete", "accesspolicy", name)
    becomes(lambda: bindings(cluster, name), {})
    assert bindings(cluster, other) == {(name, "view"): [person]}
    assert cluster.can_list_pods(person, name) == 200
    cluster.kubectl("delete", "accesspolicy", other)


def test_reserved_subject_is_refused(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    entra.provision_user(Person("system:admin", "System", "Admin"))
    entra.provision_group(f"{name}-group", ["system:admin"])
    user = cluster.kubectl(
        "get", "scimusers", "-o", "jsonpath={.items[?(@.spec.userName=='system:admin')].metadata.name}"
    )
    refused = eventually(
        lambda: conditions(cluster, "scimuser", user).get("SubjectRefused", {}), lambda seen: bool(seen)
    )
    assert "system:" in refused["message"]
    assert bindings(cluster, name) == {}


def test_namespace_made_for_one_grant_serves_the_other(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    both = policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name)
    both["spec"]["grants"].append({"clusterRole": "edit", "namespaces": {"name": name}})
    apply(operator.cluster, both)
    person = hire(entra, name)
    entra.provision_group(f"{name}-group", [person])
    becomes(lambda: bindings(operator.cluster, name), {(name, "view"): [person], (name, "edit"): [person]})


def test_leaver_whose_role_left_the_list(operator: Installation, entra: EntraClient, name: str) -> None:
    """Taking one person out needs `bind`, deleting the binding doesn't: better that all lose it."""
    cluster = operator.cluster
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="edit", namespace=name))
    leaver, stays = hire(entra, f"{name}-leaver"), hire(entra, f"{name}-stays")
    entra.provision_group(f"{name}-group", [leaver, stays])
    becomes(lambda: bindings(cluster, name), {(name, "edit"): [leaver, stays]})

    operator.upgrade("grantableClusterRoles={view}")
    entra.set_active(leaver, False)
    becomes(lambda: bindings(cluster, name), {})
    assert cluster.can_list_pods(leaver, name) == 403
    assert "grantableClusterRoles" in raised(operator.cluster, name, "RoleNotAllowed")["message"]
    eventually(
        lambda: _notes(operator, name),
        lambda notes: any("the whole binding was deleted" in note for note in notes),
    )

    operator.upgrade()

    def looked_at_again() -> Any:
        """The fence knows the new value after a second or two; a refused place waits ever longer."""
        entra.update_user(stays, {"displayName": f"Looked at {time.monotonic()}"})
        return bindings(cluster, name)

    becomes(looked_at_again, {(name, "edit"): [stays]}, 20)
    becomes(lambda: "RoleNotAllowed" in conditions(cluster, "accesspolicy", name), False)


def test_policy_over_a_missing_directory_and_one_without_groups(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster = operator.cluster
    apply(cluster, policy(name, "acess", f"{name}-*", role="view", namespace=name))
    assert "'acess'" in raised(operator.cluster, name, "Stalled")["message"]
    apply(cluster, policy(name, DIRECTORY, f"{name}-*", role="view", namespace=name))
    becomes(lambda: "Stalled" in conditions(cluster, "accesspolicy", name), False)
    assert "no group matches" in conditions(cluster, "accesspolicy", name)["Ready"]["message"]
