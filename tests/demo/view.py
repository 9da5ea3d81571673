"""What the cluster holds and allows, asked of the API server."""

from __future__ import annotations

from typing import Any

from tests.cluster.cluster import Cluster
from tests.entra import ENTERPRISE, Person

_SCIM = "/apis/scim-operator.io/v1alpha1"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/rolebindings"
OURS = "app.kubernetes.io/managed-by=scim-operator"


class View:
    """A cluster seen by its admin, and by people with tokens that they keep for the whole demo."""

    def __init__(self, cluster: Cluster, people: tuple[Person, ...]) -> None:
        self._cluster = cluster
        self.tokens = {person.user_name: cluster.person_token(person.user_name) for person in people}

    def lists_pods(self, person: Person, namespace: str) -> int:
        """HTTP status of listing pods with the person's own token."""
        # resourceVersion=0: from the watch cache, so that the time to the answer is RBAC's own.
        path = f"/api/v1/namespaces/{namespace}/pods?resourceVersion=0&limit=1"
        return self._cluster.request("GET", path, token=self.tokens[person.user_name]).status

    def has_namespace(self, name: str) -> bool:
        """Whether it exists."""
        return self._cluster.request("GET", f"/api/v1/namespaces/{name}").status == 200

    def name_of(self, plural: str, scim_id: str) -> str:
        """The object that holds this SCIM id."""
        names = [
            str(item["metadata"]["name"]) for item in self._items(plural) if item["spec"]["id"] == scim_id
        ]
        return names[0] if names else "(none)"

    def group_status(self, display_name: str) -> dict[str, Any]:
        """A ScimGroup's status, conditions by type."""
        found = [item for item in self._items("scimgroups") if item["spec"]["displayName"] == display_name]
        return _readable(found[0]) if found else {}

    def groups_of_people(self) -> dict[str, Any]:
        """How many groups each person's status counts."""
        return {
            item["spec"]["userName"]: (item.get("status") or {}).get("groups")
            for item in self._items("scimusers")
        }

    def policy_status(self, name: str) -> dict[str, Any]:
        """An AccessPolicy's status, conditions by type."""
        return _readable(self._cluster.request("GET", f"{_SCIM}/accesspolicies/{name}").body)

    def department(self, scim_id: str) -> str | None:
        """What the ScimUser holds."""
        for item in self._items("scimusers"):
            if item["spec"]["id"] == scim_id:
                department: str | None = item["spec"]["extensions"].get(ENTERPRISE, {}).get("department")
                return department
        return None

    def binding(self, namespace: str, role: str) -> str:
        """Our RoleBinding of a role in a namespace: its name, and what it gives to whom."""
        for item in self._bindings():
            place = (item["metadata"]["namespace"], item["roleRef"]["name"])
            if place == (namespace, role):
                names = ", ".join(subject["name"] for subject in item.get("subjects", []))
                return f"{item['metadata']['name']}: {role} for {names}"
        return f"(none): {role}"

    def bound(self, namespace: str, role: str) -> list[str]:
        """Who has a role in a namespace by our doing."""
        return [
            str(subject["name"])
            for item in self._bindings()
            if (item["metadata"]["namespace"], item["roleRef"]["name"]) == (namespace, role)
            for subject in item.get("subjects", [])
        ]

    def places_of(self, person: Person) -> list[str]:
        """Namespaces with any RoleBinding, whoever made it, that names the person."""
        return [
            str(item["metadata"]["namespace"])
            for item in self._cluster.request("GET", _BINDINGS).body["items"]
            if any(subject["name"] == person.user_name for subject in item.get("subjects", []))
        ]

    def bindings_in(self, namespace: str) -> int:
        """How many RoleBindings of ours are in a namespace."""
        return sum(item["metadata"]["namespace"] == namespace for item in self._bindings())

    def _bindings(self) -> list[dict[str, Any]]:
        return list(self._cluster.request("GET", f"{_BINDINGS}?labelSelector={OURS}").body["items"])

    def _items(self, plural: str) -> list[dict[str, Any]]:
        return list(self._cluster.request("GET", f"{_SCIM}/{plural}").body["items"])


def _readable(obj: dict[str, Any]) -> dict[str, Any]:
    status = obj.get("status") or {}
    return {**status, "conditions": {item["type"]: item for item in status.get("conditions", [])}}
