"""Rule 8: what events lead to, in any order and however often, is what the final state alone would give.

Random changes are fed as a watch would bring them, some twice, some late. After each one, every place whose
plan changed must have been said to be concerned, or a worker would never look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.access.bindings import desired_binding
from scim_operator.access.places import Place, Settings
from scim_operator.access.plan import Plan, plan
from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS, Meta, object_of, spec_of
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS, Resource
from scim_operator.reconcile.inputs import Inputs
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.world import World

Object = dict[str, Any]
Event = tuple[Resource, str, Object]

PEOPLE = range(4)
GROUP_NAMES = (
    "k8s-red-view",
    "k8s-red-edit",
    "k8s-blue-view",
    "k8s-kube-system-view",
    "k8s-a-b-view",
    "other",
)
NAMESPACE_NAMES = ("red", "blue", "fixed")
ROLES = ("view", "edit")
PATTERNS: tuple[tuple[str, Mapping[str, list[str]], str, str], ...] = (
    ("k8s-{team}-{role}", {"role": ["view", "edit"]}, "{role}", "{team}"),
    ("k8s-{a}-{b}", {}, "view", "{a}"),
    ("*", {}, "edit", "fixed"),
    ("k8s-red-*", {}, "view", "red"),
)


@dataclass
class Cluster:
    """The API server in the small: objects by kind and name, a version for all, a log of events."""

    version: int = 0
    uids: int = 0
    objects: dict[tuple[Resource, str, str], Object] = field(default_factory=dict)

    def put(self, resource: Resource, name: str, body: Object, namespace: str = "") -> Event:
        """Make or change an object."""
        self.version += 1
        key = (resource, namespace, name)
        before = self.objects.get(key)
        metadata = {**body.get("metadata", {}), "name": name, "resourceVersion": str(self.version)}
        if namespace:
            metadata["namespace"] = namespace
        if before is None:
            self.uids += 1
            metadata |= {"uid": f"uid-{self.uids}", "generation": 1}
        else:
            same = before.get("spec") == body.get("spec")
            generation = before["metadata"]["generation"] + (0 if same else 1)
            metadata |= {"uid": before["metadata"]["uid"], "generation": generation}
        self.objects[key] = {**body, "kind": resource.kind, "metadata": metadata}
        return resource, "MODIFIED" if before else "ADDED", self.objects[key]

    def delete(self, resource: Resource, name: str, namespace: str = "") -> Event | None:
        """Take an object away."""
        gone = self.objects.pop((resource, namespace, name), None)
        if gone is None:
            return None
        self.version += 1
        metadata = {**gone["metadata"], "resourceVersion": str(self.version)}
        return resource, "DELETED", {**gone, "metadata": metadata}


def _id(number: int) -> str:
    return str(UUID(int=number))


_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)


def _user(cluster: Cluster, number: int, active: bool, name: str) -> Event:
    document = {"userName": name, "active": active}
    body = object_of(f"u{number}", spec_of("d", _id(number), document, {}, _META))
    return cluster.put(USERS, f"u{number}", body)


def _group(cluster: Cluster, number: int, name: str, members: frozenset[int]) -> Event:
    ids = dict.fromkeys(_id(member) for member in sorted(members))
    known = cluster.objects.get((GROUPS, "", f"g{number}"))
    identifier = known["spec"]["id"] if known else _id(100 + cluster.uids)
    body = object_of(f"g{number}", spec_of("d", identifier, {"displayName": name}, ids, _META))
    return cluster.put(GROUPS, f"g{number}", body)


def _group_again(cluster: Cluster, number: int, name: str) -> Event:
    """Deleted and made again under another id, the deletion lost in a gap of the watch."""
    cluster.delete(GROUPS, f"g{number}")
    document = {"displayName": name}
    members = {_id(0): None}
    body = object_of(f"g{number}", spec_of("d", _id(1000 + cluster.uids), document, members, _META))
    return cluster.put(GROUPS, f"g{number}", body)


def _policy(cluster: Cluster, number: int, pattern: int, create: bool) -> Event:
    display_name, where, role, namespace = PATTERNS[pattern]
    target: Object = {"name": namespace, **({"create": {}} if create else {})}
    groups = {"directory": "d", "displayName": display_name, "where": dict(where)}
    spec = {"groups": groups, "grants": [{"clusterRole": role, "namespaces": target}]}
    return cluster.put(POLICIES, f"p{number}", {"spec": spec})


def _namespace(cluster: Cluster, name: str, labels: Mapping[str, str]) -> Event:
    return cluster.put(NAMESPACES, name, {"metadata": {"labels": dict(labels)}})


def _directory(cluster: Cluster, template: str) -> Event:
    return cluster.put(DIRECTORIES, "d", {"spec": {"subjects": {"user": template}}})


def _binding(cluster: Cluster, place: Place, people: frozenset[int]) -> Event:
    body = desired_binding(place, "d", [f"p{number}" for number in people])
    return cluster.put(ROLE_BINDINGS, body["metadata"]["name"], body, place.namespace)


def _relabelled(cluster: Cluster, place: Place) -> Event | None:
    """Somebody wrote another policy's name on our binding."""
    name = desired_binding(place, "d", [])["metadata"]["name"]
    found = cluster.objects.get((ROLE_BINDINGS, place.namespace, name))
    if found is None:
        return None
    labels = {**found["metadata"]["labels"], "scim-operator.io/policy": "other"}
    body = {**found, "metadata": {**found["metadata"], "labels": labels}}
    return cluster.put(ROLE_BINDINGS, name, body, place.namespace)


def _stripped(cluster: Cluster, place: Place) -> Event | None:
    """Somebody took our labels off: the watch says DELETED, the object lives on."""
    name = desired_binding(place, "d", [])["metadata"]["name"]
    return cluster.delete(ROLE_BINDINGS, name, place.namespace)


Step = Callable[[Cluster], Event | None]
_LABELS = st.sampled_from(
    ({}, {"app.kubernetes.io/managed-by": "scim-operator"}, {"scim-operator.io/allow-policy": "p0"})
)
_PLACES = st.builds(
    Place, st.sampled_from(("p0", "p1")), st.sampled_from(ROLES), st.sampled_from(NAMESPACE_NAMES)
)
_NUMBERS = st.integers(0, len(PEOPLE) - 1)

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda n, active, name: lambda c: _user(c, n, active, name),
        _NUMBERS,
        st.booleans(),
        st.sampled_from(("ann", "bob", "system:x", "")),
    ),
    st.builds(lambda n: lambda c: c.delete(USERS, f"u{n}"), _NUMBERS),
    st.builds(
        lambda n, name, members: lambda c: _group(c, n, name, members),
        _NUMBERS,
        st.sampled_from(GROUP_NAMES),
        st.frozensets(_NUMBERS),
    ),
    st.builds(lambda n: lambda c: c.delete(GROUPS, f"g{n}"), _NUMBERS),
    st.builds(lambda n, name: lambda c: _group_again(c, n, name), _NUMBERS, st.sampled_from(GROUP_NAMES)),
    st.builds(
        lambda n, pattern, create: lambda c: _policy(c, n, pattern, create),
        st.integers(0, 1),
        st.integers(0, len(PATTERNS) - 1),
        st.booleans(),
    ),
    st.builds(lambda n: lambda c: c.delete(POLICIES, f"p{n}"), st.integers(0, 1)),
    st.builds(
        lambda name, labels: lambda c: _namespace(c, name, labels), st.sampled_from(NAMESPACE_NAMES), _LABELS
    ),
    st.builds(lambda name: lambda c: c.delete(NAMESPACES, name), st.sampled_from(NAMESPACE_NAMES)),
    st.builds(lambda role: lambda c: c.put(CLUSTER_ROLES, role, {}), st.sampled_from(ROLES)),
    st.builds(lambda role: lambda c: c.delete(CLUSTER_ROLES, role), st.sampled_from(ROLES)),
    st.builds(
        lambda template: lambda c: _directory(c, template), st.sampled_from(("{userName}", "x:{userName}"))
    ),
    st.just(lambda c: c.delete(DIRECTORIES, "d")),
    st.builds(lambda place, people: lambda c: _binding(c, place, people), _PLACES, st.frozensets(_NUMBERS)),
    st.builds(lambda place: lambda c: _stripped(c, place), _PLACES),
    st.builds(lambda place: lambda c: _relabelled(c, place), _PLACES),
)


def _world() -> tuple[World, Inputs]:
    world = World(Index(lambda: 0.0), Directories(), Settings(frozenset({"scim-operator"})))
    return world, Inputs(world)


def _plans(world: World, inputs: Inputs) -> dict[Place, tuple[Plan, Any]]:
    """The plan of every place that is wanted or exists, beside the binding it would meet."""
    plans = {}
    for place in inputs.everything().places:
        facts = world.facts(place)
        plans[place] = (plan(place, facts), facts.binding)
    return plans


def _start() -> tuple[Cluster, list[Event]]:
    """Something to change: two policies, groups, people, the roles."""
    cluster = Cluster()
    events = [_directory(cluster, "{userName}")]
    events += [cluster.put(CLUSTER_ROLES, role, {}) for role in ROLES]
    events += [_user(cluster, number, True, f"p{number}") for number in PEOPLE]
    events += [_group(cluster, 0, "k8s-red-view", frozenset({0, 1})), _policy(cluster, 0, 0, True)]
    return cluster, events


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.tuples(STEPS, st.booleans(), st.integers(0, 20)), max_size=25))
def test_events_lead_where_the_final_state_leads(steps: list[tuple[Step, bool, int]]) -> None:
    cluster, events = _start()
    world, inputs = _world()
    for resource, kind, obj in events:
        inputs.observe(resource, kind, obj)
    for step, twice, old in steps:
        event = step(cluster)
        if event is None:
            continue
        before = _plans(world, inputs)
        concerned = inputs.observe(*event).places
        if twice:
            concerned |= inputs.observe(*event).places
        # An event of long ago, delivered again, changes nothing.
        late = events[old % len(events)]
        if late[1] != "DELETED":
            concerned |= inputs.observe(*late).places
        events.append(event)
        after = _plans(world, inputs)
        changed = {
            place
            for place in before.keys() | after.keys()
            if (before.get(place) or _NONE) != (after.get(place) or _NONE)
        }
        assert changed <= concerned

    fresh, fresh_inputs = _world()
    for (resource, _, _), obj in cluster.objects.items():
        fresh_inputs.observe(resource, None, obj)
    assert _plans(world, inputs) == _plans(fresh, fresh_inputs)


_NONE: tuple[Plan, Any] = (Plan(), None)
