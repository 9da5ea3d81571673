"""A provisioning story that makes the operator write everything it ever writes, told for any directory.

Every name in it begins with the directory's (`tag`), so that many runs have room in one cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.faults.system import RBAC, System

Object = dict[str, Any]
# (namespace, role) -> the people in the binding; no namespace is the whole cluster. All without the tag.
Access = dict[tuple[str, str], set[str]]
# A kill and a restart lie in between, on a machine that may be busy.
SECONDS = 40.0


@dataclass(frozen=True)
class Kept:
    """Who must be allowed something in a namespace from their first moment on, under any of the names."""

    names: frozenset[str]
    namespace: str


KEPT = (
    *(Kept(frozenset({"ann"}), namespace) for namespace in ("red", "hall", "")),
    *(Kept(frozenset({"eve"}), namespace) for namespace in ("red",)),
    *(Kept(frozenset({"cid", "cyd"}), namespace) for namespace in ("hall", "")),
)


class Scenario:
    """Two policies, five people and three groups come, change and go."""

    def __init__(self, system: System, entra: EntraClient, tag: str) -> None:
        self._system = system
        self._entra = entra
        self.tag = tag

    def run(self) -> None:
        """Each step when the one before has had its effect: no two changes are seen as one."""
        for step, access in self._steps():
            step()
            becomes(self.access, access, SECONDS)

    def _steps(self) -> Iterator[tuple[Callable[[], None], Access]]:
        staff = {"ann", "bob", "cid", "dan"}
        yield self._set_policies, {}
        yield (
            self._provision,
            {("red", "view"): {"ann", "bob"}, ("blue", "edit"): {"cid"}}
            | {("hall", "view"): staff, ("", "view"): staff},
        )
        yield (
            self._move,
            {("red", "edit"): {"ann", "bob", "eve"}, ("blue", "edit"): {"cid"}}
            | {("hall", "edit"): staff, ("", "view"): staff},
        )
        staff = {"ann", "cyd", "dan"}
        yield (
            self._change_people,
            {("red", "edit"): {"ann", "eve"}, ("blue", "edit"): {"cyd"}}
            | {("hall", "edit"): staff, ("", "view"): staff},
        )
        staff = {"ann", "cyd"}
        yield (
            self._leave,
            {("red", "edit"): {"ann", "eve"}, ("hall", "edit"): staff, ("", "view"): staff},
        )

    def _set_policies(self) -> None:
        self._set_policy(
            "teams",
            "{team}-{role}",
            {"where": {"role": ["view", "edit"]}, "onRename": "Follow"},
            _grant("{role}", f"{self.tag}-{{team}}"),
        )
        self._set_staff("view")

    def _set_staff(self, role: str) -> None:
        everywhere = {"clusterRole": "view", "cluster": True}
        self._set_policy("staff", "staff", {}, _grant(role, f"{self.tag}-hall"), everywhere)

    def _set_policy(self, name: str, pattern: str, more: Object, *grants: Object) -> None:
        groups = {"directory": self.tag, "displayName": f"{self.tag}-{pattern}", **more}
        spec = {"groups": groups, "grants": list(grants)}
        self._system.put("AccessPolicy", f"{self.tag}-{name}", spec=spec)

    def _provision(self) -> None:
        for number, name in enumerate(("ann", "bob", "cid", "dan", "eve")):
            identifier = f"00000000-0000-0000-0000-{number:012}"
            person = Person(self._called(name), name.title(), "Tester", external_id=identifier)
            self._entra.provision_user(person)
        for team, names in (("red-view", "ann bob"), ("blue-edit", "cid"), ("staff", "ann bob cid dan")):
            self._entra.provision_group(f"{self.tag}-{team}", (), external_id=f"id-{team}")
            self._entra.add_members(f"{self.tag}-{team}", [self._called(name) for name in names.split()])

    def _move(self) -> None:
        self._entra.add_members(f"{self.tag}-red-view", [self._called("eve")])
        self._entra.rename_group(f"{self.tag}-red-view", f"{self.tag}-red-edit")
        self._set_staff("edit")

    def _change_people(self) -> None:
        self._entra.set_active(self._called("bob"), False)
        self._entra.update_user(self._called("cid"), {"userName": self._called("cyd")})
        self._entra.ids[self._called("cyd")] = self._entra.ids.pop(self._called("cid"))

    def _leave(self) -> None:
        self._entra.delete("Users", self._called("dan"))
        self._entra.delete("Groups", f"{self.tag}-blue-edit")

    def _called(self, name: str) -> str:
        return f"{name}@{self.tag}.example.com"

    # --- what came of it -----------------------------------------------------------------------------------

    def access(self) -> Access:
        """Who has what now, bindings without people left out."""
        found: Access = {}
        for item in self.bindings():
            namespace = item["metadata"].get("namespace", "").removeprefix(f"{self.tag}-")
            names = {subject["name"].split("@")[0] for subject in item.get("subjects") or ()}
            found.setdefault((namespace, item["roleRef"]["name"]), set()).update(names)
        return found

    def bindings(self) -> list[Object]:
        """All of the operator's in this directory's name."""
        kinds = ("rolebindings", "clusterrolebindings")
        selector = f"scim-operator.io/directory={self.tag}"
        return [item for kind in kinds for item in self._system.list(f"{RBAC}/{kind}", selector)]

    def end(self) -> None:
        """Take the policies away, and with them all access."""
        for name in ("teams", "staff"):
            self._system.drop("AccessPolicy", f"{self.tag}-{name}")
        becomes(self.bindings, [], SECONDS)


def _grant(role: str, namespace: str) -> Object:
    return {"clusterRole": role, "namespaces": {"name": namespace, "create": {}}}
