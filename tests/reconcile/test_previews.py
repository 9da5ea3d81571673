"""What a policy in Preview does, which is next to nothing, and what it tells: just what Enforce then does."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from scim_operator.access.bindings import Who
from scim_operator.access.foreseen import Foreseen, Spot
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.cli import preview
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES
from scim_operator.reconcile.inputs import Inputs
from scim_operator.reconcile.outlook import held_names
from scim_operator.reconcile.previews import foresee
from scim_operator.reconcile.rehearsal import Rehearsal
from scim_operator.reconcile.resources import BINDINGS, HOLDS, LOCKS, POLICIES, TEMPLATES
from tests.reconcile.plant import Plant
from tests.reconcile.test_incremental import (
    DIRECTORY_NAMES,
    GROUP_CHANGES,
    GROUP_NUMBERS,
    OTHERS,
    PEOPLE,
    POLICY_CHANGES,
    POLICY_SPECS,
    TEAMS,
    Step,
    changed,
    put,
)
from tests.reconcile.worlds import NOW, UNGUARDED, Event, Universe, begun, group, over_people, policy, user

Object = dict[str, Any]
_IDLE_CHECKS, _CHECK_SECONDS, _SOON_SECONDS = 6, 0.01, 1.0


def put_in(plant: Plant, events: list[Any]) -> None:
    """An admin, or SCIM, did this."""
    for resource, kind, obj in events:
        metadata = obj["metadata"]
        fields = dict(obj)
        if resource == DIRECTORIES:
            # Neither a limit nor another way to name people holds anybody: that is the guard's business.
            if (resource.plural, "", metadata["name"]) in plant.api.objects:
                continue
            fields["spec"] = {**obj["spec"], **UNGUARDED}
        if kind == "DELETED":
            plant.api.drop(resource, metadata["name"], metadata.get("namespace", ""))
            continue
        kept = {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}
        known = plant.api.objects.get((resource.plural, "", metadata["name"]))
        if resource == GROUPS and "annotations" not in metadata and known is not None:
            kept["annotations"] = known["metadata"].get("annotations") or {}
        plant.api.put(resource, {**fields, "metadata": kept}, metadata.get("namespace", ""))


async def settled(plant: Plant) -> None:
    """Nothing is due any more, nor comes due in a moment, but for ledgers to be tidied: a place may look now
    and again whether somebody has moved, or try again.
    """
    quiet = 0
    names = ("places", "namespaces", "namespace_upkeep", "renames", "ledger")
    async with asyncio.timeout(10):
        while quiet < _IDLE_CHECKS:
            await asyncio.sleep(_CHECK_SECONDS)
            soon = asyncio.get_running_loop().time() + _SOON_SECONDS
            queues = [plant.reconciler.queues[name] for name in names]
            later = [it.when for queue in queues[:-1] for it in queue._later.values()]
            busy = any(map(len, queues)) or any(when < soon for when in later)
            quiet = 0 if busy else quiet + 1


def goes_by(plant: Plant) -> object:
    """The name that the usual group's access goes by."""
    return plant.api.objects["scimgroups", "", "g"]["metadata"]["annotations"].get(GRANTED_AS_ANNOTATION)


def access(plant: Plant) -> dict[Spot, frozenset[Who]]:
    """Who has which role where."""
    found: dict[Spot, set[Who]] = {}
    for resource in BINDINGS:
        for binding in plant.api.all(resource):
            role = binding["roleRef"]
            spot = Spot(binding["metadata"].get("namespace", ""), role["name"], role["kind"])
            found.setdefault(spot, set()).update((item["kind"], item["name"]) for item in binding["subjects"])
    return {spot: frozenset(names) for spot, names in found.items()}


def held_by(plant: Plant, policy: str) -> set[tuple[Any, str, str, Spot]]:
    """Who stands in a policy's bindings, with the directory that these are labelled with."""
    found = set()
    for resource in BINDINGS:
        for binding in plant.api.all(resource):
            labels, role = binding["metadata"]["labels"], binding["roleRef"]
            spot = Spot(binding["metadata"].get("namespace", ""), role["name"], role["kind"])
            if labels["scim-operator.io/policy"] == policy:
                directory = labels["scim-operator.io/directory"]
                found |= {(item["kind"], item["name"], directory, spot) for item in binding["subjects"]}
    return found


def subjects_by_binding(plant: Plant) -> dict[tuple[str, str], list[Object]]:
    """Binding -> its subjects."""
    return {
        (binding["metadata"].get("namespace", ""), binding["metadata"]["name"]): binding["subjects"]
        for resource in BINDINGS
        for binding in plant.api.all(resource)
    }


def spaces(plant: Plant) -> dict[str, Object]:
    """Namespace -> its labels and annotations, but for the mark of time."""
    found = {}
    for item in plant.api.all(NAMESPACES):
        metadata = item["metadata"]
        marks = dict(metadata.get("annotations") or {})
        marks.pop("scim-operator.io/unused-since", None)
        found[metadata["name"]] = {"labels": metadata.get("labels") or {}, "annotations": marks}
    return found


def lacking(
    here: dict[Spot, frozenset[Who]], there: dict[Spot, frozenset[Who]]
) -> dict[Spot, frozenset[Who]]:
    found = {spot: names - there.get(spot, frozenset()) for spot, names in here.items()}
    return {spot: names for spot, names in found.items() if names}


def renamed(name: str, display: str) -> Step:
    """By SCIM: the name that the group's access goes by is left to the operator."""

    def change(universe: Universe) -> list[Event]:
        spec, kept = universe.spec(GROUPS, name), universe.annotations(GROUPS, name)
        events = (
            universe.put(GROUPS, name, spec={**spec, "displayName": display}, annotations=kept)
            if spec
            else []
        )
        for _, _, obj in events:
            obj["metadata"].pop("annotations")
        return events

    return f"{name} is renamed to {display}", change


RENAMES = st.builds(
    renamed,
    st.builds(lambda number, directory: f"g{number}-{directory}", GROUP_NUMBERS, DIRECTORY_NAMES),
    TEAMS,
)
STEPS = PEOPLE | GROUP_CHANGES | OTHERS | POLICY_CHANGES | RENAMES
# Most of what random policies can mean is there, so that most of them would do something.
USUAL = (
    put(CLUSTER_ROLES, "view"),
    put(USERS, "u2-entra", spec=user(2)),
    put(GROUPS, "g1-entra", spec=group("k8s-blue-edit", [1, 2], identifier="group-1")),
    put(GROUPS, "g2-entra", spec=group("k8s-red-view", [2, "group-1"], identifier="group-2")),
    put(TEMPLATES, "small", spec={"labels": {"tier": "front"}}),
    put(NAMESPACES, "shared", labels={"tier": "front"}),
)


async def preview_and_enforce(steps: list[Step], spec: Object, later: list[Step]) -> Foreseen:
    """-> what was foreseen, which is what came of it."""
    universe, _ = begun()
    for _, change in (*USUAL, *steps):
        change(universe)
    plant = Plant()
    put_in(plant, universe.events())
    async with plant.running():
        await settled(plant)
        # It was in force with another spec; then it only looks on, and other things happen.
        once = held_by(plant, "teams")
        plant.put(POLICIES, "teams", spec={**spec, "enforcement": "Preview"})
        for _, change in later:
            put_in(plant, change(universe))
        await settled(plant)
        before, bindings, namespaces = access(plant), subjects_by_binding(plant), spaces(plant)
        assert not held_by(plant, "teams") - once
        for kind, name, directory, _ in once - held_by(plant, "teams"):
            called = plant.world.naming.called(name, kind)
            assert plant.world.locks.denies(name) or not any(who.directory == directory for who in called)
        held = dict(plant.outcomes.renames())
        foreseen = await foresee(cast(KubeClient, plant.api), plant.world, "teams", NOW, held)
        plant.put(POLICIES, "teams", spec={**spec, "enforcement": "Enforce"})
        await settled(plant)
        after, written, kept = access(plant), subjects_by_binding(plant), spaces(plant)
    assert foreseen.added == lacking(after, before)
    assert foreseen.removed == lacking(before, after)
    both = bindings.keys() & written.keys()
    assert foreseen.counts["bindings"] == {
        "create": len(written.keys() - both),
        "change": sum(bindings[key] != written[key] for key in both),
        "delete": len(bindings.keys() - both),
    }
    changed = {name for name in namespaces.keys() | kept.keys() if namespaces.get(name) != kept.get(name)}
    assert foreseen.namespaces.keys() == changed
    done = Counter(foreseen.namespaces.values())
    assert done["CreateNamespace"] == len(kept.keys() - namespaces.keys())
    assert done["DeleteNamespace"] == len(namespaces.keys() - kept.keys())
    return foreseen


CASES = (
    st.lists(STEPS, max_size=6),
    POLICY_SPECS,
    st.lists(PEOPLE | GROUP_CHANGES | RENAMES | OTHERS, max_size=4),
)


# Beyond its limit, where one right begins in a namespace as the other one there ends.
CROWDED = {
    **policy(
        {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}},
        {"clusterRole": "view", "namespaces": {"name": "team-red"}},
    ),
    "maxNamespaces": 1,
}


LOST = {"subject": "person1", "reason": "lost laptop"}


@settings(max_examples=30, deadline=None)
@given(*CASES)
@example(
    [changed("g2-entra", 2, "k8s-red-edit", [], "entra", "k8s-red-edit")],
    CROWDED,
    [put(NAMESPACES, "team-red")],
)
# Its namespace goes by hand, which makes room for the one that is left.
@example(
    [],
    {
        **policy(
            {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}},
            {"clusterRole": "edit", "namespaces": {"name": "shared"}},
        ),
        "maxNamespaces": 2,
    },
    [put(NAMESPACES, "team-red", deletionTimestamp="2026-01-01T00:00:00Z")],
)
# Its namespace's marks are gone, and it is adopted again.
@example(
    [],
    {
        **policy(
            {
                "clusterRole": "{role}",
                "namespaces": {"name": "team-{team}", "create": {"template": "large", "adopt": True}},
            }
        ),
        "maxNamespaces": 1,
    },
    [put(NAMESPACES, "team-red"), put(TEMPLATES, "large", spec={})],
)
# Given to people of a directory that isn't there.
@example(
    [],
    over_people(
        {"clusterRole": "edit", "namespaces": {"name": "team-red"}}, text="active eq true", directory="okta"
    ),
    [],
)
# It has the say about a namespace where nobody is any more; the other one's has no template.
@example(
    [
        put(
            POLICIES,
            "teams",
            spec=policy(
                {
                    "clusterRole": "{role}",
                    "namespaces": {"name": "team-{team}", "create": {"template": "small"}},
                }
            ),
        ),
        put(
            POLICIES,
            "more",
            spec=policy({"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}}),
        ),
    ],
    policy({"clusterRole": "view", "namespaces": {"name": "team-red"}}),
    [put(USERS, "u2-entra", spec=user(2, active=False)), put(LOCKS, "laptop", spec=LOST)],
)
async def test_preview_tells_what_enforce_then_does(
    steps: list[Step], spec: Object, later: list[Step]
) -> None:
    found = await preview_and_enforce(steps, spec, later)
    event(
        f"added {bool(found.added)} removed {bool(found.removed)} ns {sorted(set(found.namespaces.values()))}"
    )


@pytest.mark.long
@settings(max_examples=1000, deadline=None)
@given(*CASES)
async def test_preview_tells_what_enforce_then_does_at_length(
    steps: list[Step], spec: Object, later: list[Step]
) -> None:
    await preview_and_enforce(steps, spec, later)


async def test_a_policy_over_a_directory_that_is_not_there_comes_to_rest(plant: Plant) -> None:
    plant.put(POLICIES, "more", spec=policy(directory="none"))
    async with plant.running():
        await settled(plant)
        await plant.until(lambda: plant.condition(POLICIES, "more", "Stalled") != {})
        await settled(plant)


@pytest.mark.parametrize("way", ["file", "status"])
async def test_a_name_that_waits_moves_by_the_policy_that_is_previewed(way: str) -> None:
    """k8s-red-edit is called k8s-red-view now, which waits. The policy gives both names `view`: the new name
    gives nothing new any more, so the group moves to it at once and loses `edit`."""
    plant = Plant.usual_one()
    spec = policy({"clusterRole": "view", "namespaces": {"name": "team-{team}"}}, pattern="k8s-{team}-*")
    client = cast(KubeClient, plant.api)
    both = {("User", "person0"), ("User", "person1")}
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(GROUPS, "g", spec=group("k8s-red-view", [0, 1]))
        await plant.until(lambda: plant.status(HOLDS, "entra").get("additionsWaiting") == 1)
        if way == "file":
            world = Plant().world
            await Inputs(world).list_all(client)
            held = held_names(world)
            assert held == dict(plant.outcomes.renames())
            changed = preview.changed_by(world, {"all": spec}, [])
            foreseen = await Rehearsal(client, world, NOW, held).of(["all"], changed)
        else:
            plant.put(POLICIES, "all", spec={**spec, "enforcement": "Preview"})
            await settled(plant)
            foreseen = await foresee(client, plant.world, "all", NOW, dict(plant.outcomes.renames()))
            assert goes_by(plant) == "k8s-red-edit", "a preview moves nothing"
        assert foreseen.removed == {Spot("team-red", "edit", "ClusterRole"): both}
        assert foreseen.added == {Spot("team-red", "view", "ClusterRole"): both}
        plant.put(POLICIES, "all", spec=spec)
        await plant.until(lambda: goes_by(plant) == "k8s-red-view")
        await plant.until(lambda: plant.subjects() is None)
