"""The wider language of policies, for real: ids, people, selectors, Roles, limits, groups in groups."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, bindings, hire, policy, raised
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.installation import Installation


def _over(name: str, whom: dict[str, Any], *grants: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {**whom, "grants": list(grants), **more}
    api = {"apiVersion": "scim-operator.io/v1alpha1", "kind": "AccessPolicy"}
    return {**api, "metadata": {"name": name}, "spec": spec}


def _groups(**selector: Any) -> dict[str, Any]:
    return {"groups": {"directory": DIRECTORY, **selector}}


def _view(**namespaces: Any) -> dict[str, Any]:
    return {"clusterRole": "view", "namespaces": namespaces}


def test_groups_by_id_keep_their_access_whatever_they_are_called(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster, oid = operator.cluster, f"oid-{name}"
    person = hire(entra, name)
    entra.provision_group(f"{name}-a", [person], external_id=oid)
    everywhere = {"clusterRole": "view", "cluster": True}
    apply(cluster, _over(name, _groups(externalIds=[oid]), _view(name=name, create={}), everywhere))
    wanted = {(name, "view"): [person], ("", "view"): [person]}
    becomes(lambda: bindings(cluster, name), wanted)
    entra.rename_group(f"{name}-a", "k8s-kube-system-admin-2")
    entra.provision_group(f"{name}-a", [hire(entra, f"{name[:30]}-other")])
    becomes(lambda: bindings(cluster, name), wanted)
    assert cluster.can_list_pods(person, "kube-system") == 200


def test_people_by_a_filter(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster, person = operator.cluster, f"{name}@access.example.com"
    entra.provision_user(Person(person, "Data", "Tester", department="Data Science"))
    people = {"people": {"directory": DIRECTORY, "filter": 'department eq "Data Science"'}}
    apply(cluster, _over(name, people, _view(name=name, create={})))
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    entra.set_active(person, False)
    becomes(lambda: cluster.can_list_pods(person, name), 403)
    entra.set_active(person, True)
    becomes(lambda: cluster.can_list_pods(person, name), 200)
    department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
    entra.update_user(person, {department: "Sales"})
    becomes(lambda: bindings(cluster, name), {})
    entra.update_user(person, {department: "data science"})
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})

    apply(
        cluster,
        _over(name, {"people": {"directory": DIRECTORY, "filter": "department eq ("}}, _view(name=name)),
    )
    assert "people.filter" in raised(cluster, name, "Stalled")["message"]
    becomes(lambda: bindings(cluster, name), {})


def test_several_namespaces_by_name(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster, person = operator.cluster, hire(entra, name)
    entra.provision_group(name, [person])
    one, two = f"{name[:40]}-1", f"{name[:40]}-2"
    cluster.kubectl("create", "namespace", one)
    apply(cluster, _over(name, _groups(displayName=name), _view(names=[one, two])))
    becomes(lambda: bindings(cluster, name), {(one, "view"): [person]})
    assert two in raised(cluster, name, "NamespaceMissing")["message"]
    cluster.kubectl("create", "namespace", two)
    becomes(lambda: bindings(cluster, name), {(one, "view"): [person], (two, "view"): [person]})


def test_selector_follows_namespaces(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster, person, label = operator.cluster, hire(entra, name), f"tier={name}"
    entra.provision_group(name, [person])
    apply(cluster, _over(name, _groups(displayName=name), _view(selector={"matchLabels": {"tier": name}})))
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, label)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    cluster.kubectl("label", "namespace", name, "tier=other", "--overwrite")
    becomes(lambda: bindings(cluster, name), {})
    assert cluster.can_list_pods(person, name) == 403
    # Whoever may label namespaces opens none that is protected.
    cluster.kubectl("label", "namespace", "kube-public", label)
    cluster.kubectl("label", "namespace", name, label, "--overwrite")
    becomes(lambda: bindings(cluster, name), {(name, "view"): [person]})
    cluster.kubectl("label", "namespace", "kube-public", "tier-")


def _role(cluster: Cluster, name: str, namespace: str) -> None:
    cluster.kubectl("create", "role", name, "-n", namespace, "--verb=list", "--resource=pods")


def test_role_of_the_namespace(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster, person, role = operator.cluster, hire(entra, name), f"{name[:40]}-r"
    entra.provision_group(name, [person])
    cluster.kubectl("create", "namespace", name)
    apply(cluster, _over(name, _groups(displayName=name), {"role": role, "namespaces": {"name": name}}))
    missing = raised(cluster, name, "RoleMissing")["message"]
    assert f"Role '{role}' doesn't exist in namespace '{name}'" in missing
    _role(cluster, role, name)
    entra.update_user(person, {"displayName": "Looked at again"})
    assert "`grantableRoles`" in raised(cluster, name, "RoleNotAllowed")["message"]
    operator.upgrade(f"grantableRoles={{{role}}}")
    try:

        def looked_at_again() -> Any:
            """The fence knows the new value after a second or two; a refused place waits ever longer."""
            entra.update_user(person, {"displayName": f"Looked at {time.monotonic()}"})
            return bindings(cluster, name)

        becomes(looked_at_again, {(name, role): [person]}, 20)
        assert cluster.can_list_pods(person, name) == 200
        # A ClusterRole of that name is something else.
        kind = ("get", "rolebinding", "-n", name, "-o", "jsonpath={.items[0].roleRef.kind}")
        assert cluster.kubectl(*kind) == "Role"
        # Nothing tells of Roles: who waits for one asks, from time to time.
        entra.set_active(person, False)
        becomes(lambda: cluster.can_list_pods(person, name), 403)
        cluster.kubectl("delete", "role", role, "-n", name)
        entra.set_active(person, True)
        raised(cluster, name, "RoleMissing")
        _role(cluster, role, name)
        becomes(lambda: bindings(cluster, name), {(name, role): [person]}, 40)
    finally:
        operator.upgrade()


def test_further_namespaces_than_the_policy_may_reach(
    operator: Installation, entra: EntraClient, name: str
) -> None:
    cluster, person, prefix = operator.cluster, hire(entra, name), name[:40]
    apply(
        cluster,
        {
            **(
                made := policy(
                    name, DIRECTORY, f"{prefix}:{{team}}", role="view", namespace=f"{prefix}-{{team}}"
                )
            ),
            "spec": {**made["spec"], "maxNamespaces": 1},
        },
    )
    entra.provision_group(f"{prefix}:b", [person])
    becomes(lambda: bindings(cluster, name), {(f"{prefix}-b", "view"): [person]})
    entra.provision_group(f"{prefix}:a", [person])
    said = raised(cluster, name, "Stalled")["message"]
    assert f"'{prefix}-a'" in said
    assert "spec.maxNamespaces" in said
    assert bindings(cluster, name) == {(f"{prefix}-b", "view"): [person]}, "who has access keeps it"
    entra.delete("Groups", f"{prefix}:b")
    becomes(lambda: bindings(cluster, name), {(f"{prefix}-a", "view"): [person]})


def test_groups_in_groups(operator: Installation, entra: EntraClient, name: str) -> None:
    cluster = operator.cluster
    ada, bob = sorted((hire(entra, f"{name}-ada"), hire(entra, f"{name}-bob")))
    apply(cluster, policy(name, DIRECTORY, f"{name}-outer", role="view", namespace=name))
    entra.provision_group(f"{name}-inner", [ada])
    entra.provision_group(f"{name}-outer", [bob, f"{name}-inner"])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [ada, bob]})
    entra.add_members(f"{name}-inner", [f"{name}-outer"])  # in a circle
    entra.set_active(ada, False)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [bob]})
    entra.set_active(ada, True)
    becomes(lambda: bindings(cluster, name), {(name, "view"): [ada, bob]})
    entra.remove_members(f"{name}-outer", [f"{name}-inner"])
    becomes(lambda: bindings(cluster, name), {(name, "view"): [bob]})


@pytest.mark.parametrize(
    ("whom", "grant", "said"),
    [
        ({}, _view(name="a"), "exactly one of groups and people"),
        (_groups(), _view(name="a"), "exactly one of displayName and externalIds"),
        (
            _groups(displayName="a", externalIds=["b"]),
            _view(name="a"),
            "exactly one of displayName and externalIds",
        ),
        (_groups(externalIds=["b"]), _view(name="{team}"), "uses a capture"),
        (_groups(displayName="a"), _view(), "exactly one of name, names and selector"),
        (_groups(displayName="a"), _view(selector={}), "an empty selector would mean every namespace"),
        (_groups(displayName="a"), _view(names=["b"], create={}), "create needs a name"),
        (_groups(displayName="a"), {"namespaces": {"name": "a"}}, "exactly one of clusterRole and role"),
        (_groups(displayName="a"), {"role": "r", "cluster": True}, "a Role lives in a namespace"),
        (
            {"people": {"directory": DIRECTORY, "filter": "active eq true"}},
            {"clusterRole": "view", "cluster": True},
            "needs groups.externalIds, or one group's exact name",
        ),
        (
            {"people": {"directory": DIRECTORY, "filter": "active eq true"}, "subjects": "Group"},
            _view(name="a"),
            "subjects must be Users",
        ),
    ],
)
def test_what_the_api_server_refuses(
    operator: Installation, name: str, whom: dict[str, Any], grant: dict[str, Any], said: str
) -> None:
    wrong = json.dumps(_over(name, whom, grant))
    assert said in operator.cluster.kubectl("create", "-f", "-", input=wrong, check=False)
