"""AccessPolicies for tests, applied as an admin of the cluster would."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.cluster import Cluster
from tests.entra import EntraClient, Person
from tests.eventually import becomes, eventually

Object = dict[str, Any]
# The directory of the tests about access; each has a prefix of its own for its groups.
DIRECTORY = "access"


def policy(
    name: str,
    directory: str,
    display_name: str,
    *,
    role: str = "{role}",
    namespace: str = "{team}",
    where: Object | None = None,
    create: bool = True,
) -> Object:
    """One policy with one grant."""
    target: Object = {"name": namespace, **({"create": {}} if create else {})}
    groups: Object = {"directory": directory, "displayName": display_name}
    if where is None and "{role}" in display_name:
        where = {"role": ["view", "edit", "admin"]}
    if where:
        groups["where"] = where
    return {
        "apiVersion": "scim-operator.io/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name},
        "spec": {"groups": groups, "grants": [{"clusterRole": role, "namespaces": target}]},
    }


def apply(cluster: Cluster, obj: Object) -> None:
    """`kubectl apply`."""
    cluster.kubectl("apply", "-f", "-", input=json.dumps(obj))


def conditions(cluster: Cluster, kind: str, name: str) -> dict[str, Object]:
    """Type -> condition."""
    return {item["type"]: item for item in _get(cluster, kind, name).get("status", {}).get("conditions", [])}


def raised(cluster: Cluster, policy_name: str, kind: str) -> Object:
    """A condition of a policy, once it is True."""
    return eventually(
        lambda: conditions(cluster, "accesspolicy", policy_name).get(kind, {}),
        lambda seen: seen.get("status") == "True",
    )


def rename_everybody(cluster: Cluster, directory: str, template: str) -> None:
    """Change how a directory names people, and let the old names go as an approver does, until none waits."""
    patch = json.dumps({"spec": {"subjects": {"user": template}}})
    cluster.kubectl("patch", "scimdirectory", directory, "--type=merge", "-p", patch)

    def over() -> bool:
        status = _get(cluster, "removalhold", directory).get("status", {})
        if text := status.get("hash"):
            approval = json.dumps({"spec": {"approve": text}})
            cluster.kubectl("patch", "removalhold", directory, "--type=merge", "-p", approval)
        return "keys" not in status and bool(status.get("subjects", {}).get("user") == template)

    becomes(over, True, 20)


def hire(entra: EntraClient, name: str) -> str:
    """A new user. -> the userName"""
    user_name = f"{name}@access.example.com"
    entra.provision_user(Person(user_name, name.title(), "Tester"))
    return user_name


def bindings(cluster: Cluster, policy_name: str) -> dict[tuple[str, str], list[str]]:
    """(namespace, role) -> subject names, of one policy's bindings; no namespace is the whole cluster."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind in ("rolebindings", "clusterrolebindings"):
        # Tests ask this over and over, and a kubectl takes ten times as long.
        query = f"labelSelector=scim-operator.io/policy={policy_name}"
        listed = cluster.request("GET", f"/apis/rbac.authorization.k8s.io/v1/{kind}?{query}")
        assert listed.status == 200, listed.body
        for item in listed.body["items"]:  # a place may be spread over several
            place = item["metadata"].get("namespace", ""), item["roleRef"]["name"]
            names = [subject["name"] for subject in item.get("subjects", [])]
            found[place] = sorted([*found.get(place, []), *names])
    return found


def _get(cluster: Cluster, kind: str, name: str) -> Object:
    found: Object = json.loads(cluster.kubectl("get", kind, name, "-o", "json"))
    return found
