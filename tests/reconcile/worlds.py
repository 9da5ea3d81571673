"""A small universe of users, groups, policies, directories, namespaces, roles: all that planning depends on.

`Universe` is the truth (an API server's content); `Observer` is what the operator makes of its events.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterable
from typing import Any

from scim_operator.access.namespaces import NamespacePlan, plan_namespace
from scim_operator.access.places import Place, Settings
from scim_operator.access.plan import Plan, plan
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import Listing
from scim_operator.kube.resources import CLUSTER_ROLES, Resource
from scim_operator.reconcile.claims import namespace_facts
from scim_operator.reconcile.concerned import Concerned
from scim_operator.reconcile.inputs import Inputs
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.world import World

Object = dict[str, Any]
Event = tuple[Resource, str, Object]
META = {"created": "2026-01-01T00:00:00Z", "lastModified": "2026-01-01T00:00:00Z", "version": 1}
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
TEMPLATE_KINDS = (CONFIG_MAPS,)
SETTINGS = Settings(
    frozenset({"scim-operator"}),
    deletion=True,
    template_kinds=frozenset({("v1", "ConfigMap")}),
    longest_grant=7 * 86400.0,
)
NOW = "2026-01-01T00:00:00Z"
# A directory whose people may leave by the hundred: what is tested there isn't the guard.
UNGUARDED: Object = {"guard": {"maxRemovals": None, "maxPercent": None}}


class Universe:
    """The objects that exist, each change of them an event."""

    def __init__(self) -> None:
        self._objects: dict[tuple[Resource, str, str], Object] = {}
        self._version = 0

    def put(self, resource: Resource, name: str, namespace: str = "", **fields: Any) -> list[Event]:
        """Make or change an object; `labels`, `annotations` and `deletionTimestamp` are metadata.

        A group's access goes by its displayName, unless annotations are given.
        """
        if resource is GROUPS and "displayName" in fields.get("spec", {}):
            fields.setdefault("annotations", granted_as(fields["spec"]["displayName"]))
        key = (resource, namespace, name)
        before = self._objects.get(key)
        known = before["metadata"] if before else {}
        metadata = {field: fields.pop(field) for field in _METADATA if field in fields}
        if before is not None and _content(before) == ({**fields}, metadata):
            return []
        self._version += 1
        changed = before is None or before.get("spec") != fields.get("spec")
        made: Object = {
            "kind": resource.kind,
            "metadata": {
                "name": name,
                **({"namespace": namespace} if namespace else {}),
                "uid": known.get("uid", f"uid-{self._version}"),
                "generation": known.get("generation", 0) + changed,
                "resourceVersion": str(self._version),
                **metadata,
            },
            **copy.deepcopy(fields),
        }
        self._objects[key] = made
        return [(resource, "MODIFIED" if before else "ADDED", copy.deepcopy(made))]

    def drop(self, resource: Resource, name: str, namespace: str = "") -> list[Event]:
        """Delete an object, if it is there."""
        gone = self._objects.pop((resource, namespace, name), None)
        if gone is None:
            return []
        self._version += 1
        gone["metadata"]["resourceVersion"] = str(self._version)
        return [(resource, "DELETED", gone)]

    def replace(self, resource: Resource, name: str, namespace: str = "", **fields: Any) -> list[Event]:
        """Delete and make again at once: another uid, generation 1."""
        return self.drop(resource, name, namespace) + self.put(resource, name, namespace, **fields)

    def events(self) -> list[Event]:
        """What a fresh start would see."""
        return [(key[0], "ADDED", copy.deepcopy(obj)) for key, obj in self._objects.items()]

    def spec(self, resource: Resource, name: str) -> Object:
        """The spec of an object; empty when there is none."""
        found = self._objects.get((resource, "", name))
        return dict(found["spec"]) if found else {}

    def annotations(self, resource: Resource, name: str) -> Object:
        """Those of an object."""
        found = self._objects.get((resource, "", name))
        return dict(found["metadata"].get("annotations") or {}) if found else {}

    async def list(self, resource: Resource, **_: Any) -> Listing:
        """All objects of a kind, as `KubeClient.list` gives them."""
        found = [copy.deepcopy(obj) for key, obj in self._objects.items() if key[0] is resource]
        return Listing(found, str(self._version))

    async def pages(self, resource: Resource, **_: Any) -> AsyncIterator[Listing]:
        """The same in pages: one."""
        yield await self.list(resource)


class Observer:
    """An operator that only watches."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.world = World(Index(lambda: 0.0), Directories(), settings, TEMPLATE_KINDS)
        self.inputs = Inputs(self.world)

    def see(self, events: Iterable[Event]) -> Concerned:
        """Take in events; what they concern."""
        whole = Concerned()
        for resource, kind, obj in events:
            whole = whole | self.inputs.observe(resource, kind, copy.deepcopy(obj))
        return whole

    def plans(self, places: Iterable[Place]) -> dict[Place, Plan]:
        """What would be done at these places, if anything."""
        found = {place: plan(place, self.world.facts(place)) for place in places}
        return {place: planned for place, planned in found.items() if planned != Plan()}

    def all_plans(self) -> dict[Place, Plan]:
        """What would be done anywhere."""
        return self.plans(self.inputs.everything().places)

    def namespace_plans(self) -> dict[str, NamespacePlan]:
        """What would be done to any namespace."""
        everything = self.inputs.everything()
        names = everything.namespaces | everything.unhurried
        found = {name: plan_namespace(name, namespace_facts(self.world, name, NOW)) for name in names}
        return {name: planned for name, planned in found.items() if planned != NamespacePlan()}


def fresh(universe: Universe, settings: Settings = SETTINGS) -> Observer:
    """An operator started now."""
    observer = Observer(settings)
    observer.see(universe.events())
    return observer


def begun(settings: Settings = SETTINGS) -> tuple[Universe, Observer]:
    """Something to change, seen by an operator: without it most random steps concern nobody."""
    universe, observer = Universe(), Observer(settings)
    for resource, name, spec in (
        (DIRECTORIES, "entra", {}),
        (POLICIES, "teams", policy()),
        (USERS, "u0-entra", user(0)),
        (USERS, "u1-entra", user(1)),
        (GROUPS, "g0-entra", group("k8s-red-edit", [0, 1])),
    ):
        observer.see(universe.put(resource, name, spec=spec))
    observer.see(universe.put(CLUSTER_ROLES, "edit"))
    assert Place("teams", "edit", "team-red") in observer.all_plans()
    return universe, observer


def user(number: int, *, active: bool = True, directory: str = "entra", name: str = "") -> Object:
    """The spec of a user."""
    return {
        "directory": directory,
        "id": f"user-{number}",
        "userName": name or f"person{number}",
        "externalId": f"oid-{number}",
        "active": active,
        "meta": META,
    }


def group(
    name: str,
    members: Iterable[int | str] = (),
    *,
    identifier: str = "group-0",
    directory: str = "entra",
) -> Object:
    """The spec of a group. Members: numbers of users, ids of groups."""
    return {
        "directory": directory,
        "id": identifier,
        "displayName": name,
        "externalId": f"oid-{identifier}",
        "members": [member if isinstance(member, str) else f"user-{member}" for member in members],
        "meta": META,
    }


def granted_as(name: str | None) -> Object:
    """The annotations of a group whose access goes by that name; None: nobody has written it."""
    return {GRANTED_AS_ANNOTATION: name} if name is not None else {}


def over_people(*grants: Object, text: str, directory: str = "entra", **more: Any) -> Object:
    """The spec of a policy over the people that a filter finds."""
    return {"people": {"directory": directory, "filter": text}, "grants": list(grants), **more}


def by_id(*grants: Object, ids: Iterable[str], directory: str = "entra", **more: Any) -> Object:
    """The spec of a policy over groups by their externalId."""
    return {"groups": {"directory": directory, "externalIds": list(ids)}, "grants": list(grants), **more}


def policy(
    *grants: Object,
    pattern: str = "k8s-{team}-{role}",
    directory: str = "entra",
    subjects: str = "Users",
) -> Object:
    """The spec of a policy; by default {role} in team-{team}, which it makes."""
    return {
        "subjects": subjects,
        "groups": {
            "directory": directory,
            "displayName": pattern,
            **({"where": {"role": ["edit", "view"]}} if "{role}" in pattern else {}),
        },
        "grants": list(grants)
        or [{"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}}],
    }


def following(spec: Object) -> Object:
    """The same policy, following groups that are renamed."""
    return {**spec, "groups": {**spec["groups"], "onRename": "Follow"}}


def _content(obj: Object) -> tuple[Object, Object]:
    metadata = {field: obj["metadata"][field] for field in _METADATA if field in obj["metadata"]}
    return {key: value for key, value in obj.items() if key not in ("kind", "metadata")}, metadata


_METADATA = ("labels", "annotations", "deletionTimestamp")
