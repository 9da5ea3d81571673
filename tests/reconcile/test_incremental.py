"""Rule 8: after any sequence of changes, in whatever order and how often their events come, the plans are
those of a fresh start; and whoever's plan changed was told so (or they would keep their access, or wait)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, Resource
from scim_operator.reconcile.resources import LOCKS, POLICIES, TEMPLATES
from tests.reconcile.worlds import (
    Event,
    Universe,
    begun,
    by_id,
    following,
    fresh,
    granted_as,
    group,
    over_people,
    policy,
    user,
)

Change = Callable[[Universe], list[Event]]
Step = tuple[str, Change]

USER_NUMBERS = st.integers(0, 2)
GROUP_NUMBERS = st.integers(0, 2)
TEAMS = st.sampled_from(["k8s-red-edit", "k8s-red-view", "k8s-blue-edit", "K8S-Red-EDIT", "others"])
DIRECTORY_NAMES = st.sampled_from(["entra", "okta"])
SUBJECTS = st.sampled_from(
    [
        {"user": "{userName}"},
        {"user": "entra:{externalId}"},
        {"group": "{displayName}"},
        {"group": "system:{externalId}"},
    ]
)
NAMESPACE_NAMES = st.sampled_from(["team-red", "team-blue", "shared"])
LABELS = st.sampled_from(
    [
        {},
        {"scim-operator.io/allow-policy": "any"},
        {"app.kubernetes.io/managed-by": "scim-operator"},
        {"scim-operator.io/policy": "teams"},
        {"scim-operator.io/directory": "okta"},
        {"tier": "front"},
    ]
)
CREATIONS = (
    {"template": "small"},
    {"template": "large", "adopt": True},
    {"whenUnused": "Delete", "after": "1h"},
    {"template": "small", "whenUnused": "Delete", "after": "2h"},
)
MARKS = st.sampled_from(
    [
        {},
        {"scim-operator.io/made": "true"},
        {"scim-operator.io/made": "true", "scim-operator.io/unused-since": "2025-12-31T22:30:00Z"},
        {"scim-operator.io/adopted": "true", "scim-operator.io/unused-since": "2025-12-31T00:00:00Z"},
    ]
)
TEMPLATE_SPECS = st.sampled_from(
    [
        {},
        {"labels": {"tier": "front"}, "resourceQuota": {"hard": {"pods": 5}}},
        {"podSecurity": {"enforce": "baseline"}, "networkPolicy": {}},
        {"labels": {"scim-operator.io/policy": "no"}},
    ]
)
TEMPLATE_NAMES = st.sampled_from(["small", "large"])
LOCK_NAMES = st.sampled_from(["laptop", "phone"])
GRANTS = st.lists(
    st.sampled_from(
        [
            {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": {}}},
            {"clusterRole": "view", "namespaces": {"name": "team-{team}"}},
            {"clusterRole": "view", "namespaces": {"name": "team-red"}},
            {"clusterRole": "edit", "namespaces": {"name": "shared"}},
            {"clusterRole": "view", "namespaces": {"names": ["shared", "team-blue"]}},
            {"clusterRole": "edit", "namespaces": {"selector": {"matchLabels": {"tier": "front"}}}},
            *(
                {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": create}}
                for create in CREATIONS
            ),
        ]
    ),
    min_size=1,
    max_size=3,
)
# For a policy that means one group by its exact name.
EXACT_GRANTS = st.lists(
    st.sampled_from(
        [
            {"clusterRole": "view", "cluster": True},
            {"clusterRole": "edit", "cluster": True},
            {"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}},
            {"clusterRole": "view", "namespaces": {"selector": {"matchLabels": {"tier": "front"}}}},
        ]
    ),
    min_size=1,
    max_size=2,
)


def put(resource: Resource, name: str, **fields: object) -> Step:
    return f"put {resource.plural} {name} {fields}", lambda universe: universe.put(resource, name, **fields)


def replace(resource: Resource, name: str, **fields: object) -> Step:
    return f"replace {resource.plural} {name} {fields}", lambda universe: universe.replace(
        resource, name, **fields
    )


def changed(
    name: str, number: int, display: str, members: list[int | str], directory: str, granted: str | None
) -> Step:
    def change(universe: Universe) -> list[Event]:
        # spec.id is immutable
        identifier = universe.spec(GROUPS, name).get("id", f"group-{number}")
        spec = group(display, members, identifier=identifier, directory=directory)
        return universe.put(GROUPS, name, spec=spec, annotations=granted_as(granted))

    return f"{name} becomes {display}, granted as {granted}, with {members}", change


def made_again(
    name: str, number: int, display: str, members: list[int | str], directory: str, granted: str | None
) -> Step:
    def change(universe: Universe) -> list[Event]:
        # The same name and so the same object, but another SCIM id; or a restore, with the id it had.
        before = universe.spec(GROUPS, name).get("id")
        identifier = f"group-{number}-again" if before == f"group-{number}" else f"group-{number}"
        spec = group(display, members, identifier=identifier, directory=directory)
        return universe.replace(GROUPS, name, spec=spec, annotations=granted_as(granted))

    return f"{name} is made again as {display}, granted as {granted}, with {members}", change


def drop(resource: Resource, name: str) -> Step:
    return f"drop {resource.plural} {name}", lambda universe: universe.drop(resource, name)


WAYS = st.sampled_from([put, put, put, replace])
PEOPLE = st.builds(
    lambda way, number, active, directory, name: way(
        USERS,
        f"u{number}-{directory}",
        spec=user(number, active=active, directory=directory, name=name),
    ),
    WAYS,
    USER_NUMBERS,
    st.booleans(),
    DIRECTORY_NAMES,
    st.sampled_from(["", "renamed", "system:masters"]),
)
GROUP_CHANGES = st.builds(
    lambda again, number, name, members, directory, granted: (made_again if again else changed)(
        f"g{number}-{directory}", number, name, members, directory, name if granted == "as it is" else granted
    ),
    st.booleans(),
    GROUP_NUMBERS,
    TEAMS,
    # Groups in groups, in circles too.
    st.lists(USER_NUMBERS | st.sampled_from(["group-0", "group-1", "group-2"]), max_size=4, unique=True),
    DIRECTORY_NAMES,
    st.sampled_from(["as it is", "as it is", "k8s-red-edit", "k8s-red-view", "", None]),
)
SUBJECT_KINDS = st.sampled_from(["Users", "Users", "Group"])
FILTERS = st.sampled_from(['userName eq "renamed"', 'externalId sw "oid"', "active eq true", "odd ("])
POLICY_SPECS = st.one_of(
    st.builds(
        lambda grants, directory, subjects: policy(*grants, directory=directory, subjects=subjects),
        GRANTS,
        DIRECTORY_NAMES,
        SUBJECT_KINDS,
    ),
    st.builds(lambda grants, limit: {**policy(*grants), "maxNamespaces": limit}, GRANTS, st.integers(1, 2)),
    st.builds(lambda grants: following(policy(*grants)), GRANTS),
    st.builds(
        lambda grants, directory, subjects: policy(
            *grants, pattern="k8s-red-edit", directory=directory, subjects=subjects
        ),
        EXACT_GRANTS,
        DIRECTORY_NAMES,
        SUBJECT_KINDS,
    ),
    st.builds(
        lambda grants, ids, directory, subjects: by_id(
            *grants, ids=ids, directory=directory, subjects=subjects
        ),
        EXACT_GRANTS,
        st.sampled_from([["oid-group-0"], ["oid-group-1", "oid-group-2"]]),
        DIRECTORY_NAMES,
        SUBJECT_KINDS,
    ),
    st.builds(
        lambda grants, text, directory: over_people(*grants, text=text, directory=directory),
        EXACT_GRANTS,
        FILTERS,
        DIRECTORY_NAMES,
    ),
)
POLICY_CHANGES = st.builds(
    lambda way, name, spec: way(POLICIES, name, spec=spec),
    WAYS,
    st.sampled_from(["teams", "more"]),
    POLICY_SPECS,
)
OTHERS = st.one_of(
    st.builds(
        lambda way, name, subjects: way(DIRECTORIES, name, spec={"subjects": subjects}),
        WAYS,
        DIRECTORY_NAMES,
        SUBJECTS,
    ),
    st.builds(
        lambda way, name, labels, marks: way(NAMESPACES, name, labels=labels, annotations=marks),
        WAYS,
        NAMESPACE_NAMES,
        LABELS,
        MARKS,
    ),
    st.builds(lambda way, name, spec: way(TEMPLATES, name, spec=spec), WAYS, TEMPLATE_NAMES, TEMPLATE_SPECS),
    st.builds(
        lambda way, name, subject: way(LOCKS, name, spec={"subject": subject, "reason": "lost laptop"}),
        WAYS,
        LOCK_NAMES,
        st.sampled_from(["person0", "person1", "renamed", "entra:oid-0"]),
    ),
    st.builds(lambda name: put(NAMESPACES, name, deletionTimestamp="2026-01-01T00:00:00Z"), NAMESPACE_NAMES),
    st.builds(lambda way, name: way(CLUSTER_ROLES, name), WAYS, st.sampled_from(["edit", "view"])),
)
DROPS = st.one_of(
    st.builds(lambda n, d: drop(USERS, f"u{n}-{d}"), USER_NUMBERS, DIRECTORY_NAMES),
    st.builds(lambda n, d: drop(GROUPS, f"g{n}-{d}"), GROUP_NUMBERS, DIRECTORY_NAMES),
    st.builds(lambda name: drop(POLICIES, name), st.sampled_from(["teams", "more"])),
    st.builds(lambda name: drop(DIRECTORIES, name), DIRECTORY_NAMES),
    st.builds(lambda name: drop(NAMESPACES, name), NAMESPACE_NAMES),
    st.builds(lambda name: drop(TEMPLATES, name), TEMPLATE_NAMES),
    st.builds(lambda name: drop(LOCKS, name), LOCK_NAMES),
    st.builds(lambda name: drop(CLUSTER_ROLES, name), st.sampled_from(["edit", "view"])),
)
STEPS = PEOPLE | GROUP_CHANGES | POLICY_CHANGES | OTHERS | DROPS
K = TypeVar("K")


def differing(before: Mapping[K, object], after: Mapping[K, object]) -> set[K]:
    """The keys whose plans are no longer the same."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_every_place_whose_plan_changes_is_concerned(steps: list[Step]) -> None:
    universe, observer = begun()
    for description, change in steps:
        before, namespaces_before = observer.all_plans(), observer.namespace_plans()
        concerned = observer.see(change(universe))
        assert differing(before, observer.all_plans()) <= concerned.places, description
        looked_at = concerned.namespaces | concerned.unhurried
        assert differing(namespaces_before, observer.namespace_plans()) <= looked_at, description


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_places_wait_for_those_namespaces_alone_that_are_being_made(steps: list[Step]) -> None:
    universe, observer = begun()
    for description, change in steps:
        observer.see(change(universe))
        missing = {
            place.namespace
            for place, planned in observer.all_plans().items()
            if planned.keep and not planned.problems
        }
        # Made, adopted, or somebody is told why not.
        plans = observer.namespace_plans().items()
        made = {name for name, planned in plans if planned.create or planned.adopts}
        assert missing <= made | {name for name, planned in plans if planned.problems}, description


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=12), st.data())
def test_plans_do_not_depend_on_the_way_events_came(steps: list[Step], data: st.DataObject) -> None:
    universe, observer = begun()
    events = [event for _, change in steps for event in change(universe)]
    # Each kind has its own watch, each object its own order; some events come twice.
    streams: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        copies = 1 + data.draw(st.booleans())
        streams.setdefault((event[0].plural, event[2]["metadata"]["uid"]), []).extend([event] * copies)
    while streams:
        key = data.draw(st.sampled_from(sorted(streams)))
        observer.see([streams[key].pop(0)])
        if not streams[key]:
            del streams[key]
    anew = fresh(universe)
    assert observer.all_plans() == anew.all_plans()
    assert observer.namespace_plans() == anew.namespace_plans()


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=12), st.data())
def test_lost_deletions_of_replaced_objects_change_nothing(steps: list[Step], data: st.DataObject) -> None:
    """A watch that was interrupted shows what is there now, and never what was deleted meanwhile."""
    universe, observer = begun()
    for _, change in steps:
        events = change(universe)
        if len(events) == 2 and data.draw(st.booleans()):
            events = events[1:]
        observer.see(events)
    assert observer.all_plans() == fresh(universe).all_plans()


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=12))
@example(
    [drop(GROUPS, "g0-entra"), put(GROUPS, "g0-entra", spec=group("k8s-red-view", [0], identifier="new"))]
)
def test_routes_are_those_of_a_fresh_start(steps: list[Step]) -> None:
    universe, observer = begun()
    for _, change in steps:
        observer.see(change(universe))
    ours, theirs = observer.world.routes, fresh(universe).world.routes
    assert ours.places() == theirs.places()
    for place in ours.places():
        assert dict(ours.openers(place)) == dict(theirs.openers(place))
    for name in ("teams", "more"):
        assert ours.subject_kind(name) == theirs.subject_kind(name)
        assert ours.namespaces_of(name) == theirs.namespaces_of(name)
        assert ours.of_policy(name) == {place for place in ours.places() if place.policy == name}
        assert set(ours.matched(name)) == set(theirs.matched(name))
        assert sorted(ours.problems_of_policy(name)) == sorted(theirs.problems_of_policy(name))
    for space in ("team-red", "team-blue", "shared", ""):
        assert ours.in_namespace(space) == theirs.in_namespace(space)
    for role in ("edit", "view"):
        assert ours.with_role(role) == theirs.with_role(role)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=12), st.data())
async def test_listing_heals_whatever_was_lost(steps: list[Step], data: st.DataObject) -> None:
    universe, observer = begun()
    for _, change in steps:
        observer.see(event for event in change(universe) if data.draw(st.booleans()))
    before = observer.all_plans()
    concerned = await observer.inputs.list_all(universe)  # type: ignore[arg-type]
    after, expected = observer.all_plans(), fresh(universe).all_plans()
    assert after == expected
    # What was planned on the way, with events missing, is looked at once more by `everything`.
    swept = concerned.places | observer.inputs.everything().places
    assert differing(before, after) <= swept
    assert observer.namespace_plans() == fresh(universe).namespace_plans()
    ours, theirs = observer.world.routes, fresh(universe).world.routes
    assert {place: dict(ours.openers(place)) for place in ours.places()} == {
        place: dict(theirs.openers(place)) for place in theirs.places()
    }


def test_nothing_is_kept_of_what_is_gone() -> None:
    universe, observer = begun()
    for number in range(3):
        observer.see(universe.put(USERS, "u9", spec=user(9, name=f"n{number}")))
        observer.see(universe.replace(GROUPS, "g9", spec=group("k8s-x-edit", [9], identifier=f"i{number}")))
    for name in ("u0-entra", "u1-entra", "u9"):
        observer.see(universe.drop(USERS, name))
    for name in ("g0-entra", "g9"):
        observer.see(universe.drop(GROUPS, name))
    observer.see(universe.drop(POLICIES, "teams"))
    kept = {
        name: value
        for holder in (observer.inputs, observer.world, observer.world.routes)
        for name, value in vars(holder).items()
        if name in {"_planned", "_members", "_subjects", "_names", "_opened", "_openers", "_policies"}
    }
    assert {name: len(value) for name, value in kept.items()} == dict.fromkeys(kept, 0)
