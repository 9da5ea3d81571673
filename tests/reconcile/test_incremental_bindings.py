"""Rule 8 where bindings stand already and the chart has other values: incremental is as a fresh start.

What stands matters: to a role that vanished, to a policy that is gone, to one with as many namespaces as it
may have.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.access.bindings import desired_binding, place_of
from scim_operator.access.furnishing import Changes
from scim_operator.access.places import Place, Settings
from scim_operator.access.plan import Plan
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import BINDINGS, POLICIES
from tests.reconcile.test_incremental import STEPS, Step, differing
from tests.reconcile.worlds import Event, Observer, Universe, begun, fresh, policy

VALUES = st.sampled_from(
    [
        Settings(frozenset({"scim-operator"})),
        Settings(frozenset({"scim-operator", "team-blue"})),
        Settings(frozenset({"scim-operator", "shared"}), deletion=True),
    ]
)
# Where the operator gets to before the next change: so many places, by name.
CARRIED_OUT = st.integers(0, 3)


def carry_out(universe: Universe, observer: Observer, count: int) -> list[Event]:
    """Bring a few places, and all namespaces, to their plans."""
    events: list[Event] = []
    for name, planned in observer.namespace_plans().items():
        if planned.create:
            metadata = planned.create["metadata"]
            events += universe.put(
                NAMESPACES, name, labels=metadata["labels"], annotations=metadata["annotations"]
            )
        elif planned.delete:
            events += universe.drop(NAMESPACES, name)
        elif planned.patch:
            events += _patch(universe, observer, name, planned.patch)
    for place in sorted(observer.inputs.everything().places)[:count]:
        events += _write(universe, observer, place)
    return events


def _patch(universe: Universe, observer: Observer, name: str, patch: Changes) -> list[Event]:
    there = observer.world.namespaces.get(name)
    assert there is not None
    metadata: dict[str, Any] = {
        kind: {key: value for key, value in {**(there["metadata"].get(kind) or {}), **keys}.items() if value}
        for kind, keys in {"labels": {}, "annotations": {}, **patch}.items()
    }
    return universe.put(NAMESPACES, name, **metadata)


def _write(universe: Universe, observer: Observer, place: Place) -> list[Event]:
    planned = observer.plans([place]).get(place, Plan())
    if planned.keep:
        return []
    kind = CLUSTER_ROLE_BINDINGS if place.cluster_wide else ROLE_BINDINGS
    kind_of = observer.world.kind(place)
    wanted = desired_binding(place, "entra", [(kind_of, name) for name in planned.subjects])
    name = wanted["metadata"]["name"]
    if not planned.subjects:
        return universe.drop(kind, name, place.namespace)
    fields = {"roleRef": wanted["roleRef"], "subjects": wanted["subjects"]}
    return universe.put(kind, name, place.namespace, labels=wanted["metadata"]["labels"], **fields)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS | CARRIED_OUT, max_size=10))
def test_whoever_takes_a_binding_away_is_noticed(steps: list[Step | int]) -> None:
    universe, observer = begun()
    for step in [*steps, 3]:
        observer.see(carry_out(universe, observer, step) if isinstance(step, int) else step[1](universe))
    for resource, _, binding in universe.events():
        if resource in BINDINGS:
            metadata = binding["metadata"]
            concerned = observer.see(universe.drop(resource, metadata["name"], metadata.get("namespace", "")))
            assert place_of(binding) in concerned.places


@settings(max_examples=300, deadline=None)
@given(VALUES, st.lists(STEPS | CARRIED_OUT, max_size=14))
def test_as_a_fresh_start_finds_it(values: Settings, steps: list[Step | int]) -> None:
    universe, observer = begun(values)
    for step in steps:
        before, namespaces_before = observer.all_plans(), observer.namespace_plans()
        events = carry_out(universe, observer, step) if isinstance(step, int) else step[1](universe)
        concerned = observer.see(events)
        shown = step if isinstance(step, int) else step[0]
        assert differing(before, observer.all_plans()) <= concerned.places, shown
        assert differing(namespaces_before, observer.namespace_plans()) <= (
            concerned.namespaces | concerned.unhurried
        ), shown
    anew = fresh(universe, values)
    assert observer.all_plans() == anew.all_plans()
    assert observer.namespace_plans() == anew.namespace_plans()


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES, st.lists(STEPS | CARRIED_OUT, max_size=10), st.lists(STEPS, max_size=6))
def test_started_again_with_other_values(
    values: Settings, others: Settings, steps: list[Step | int], more: list[Step]
) -> None:
    universe, observer = begun(values)
    for step in steps:
        observer.see(carry_out(universe, observer, step) if isinstance(step, int) else step[1](universe))
    observer = fresh(universe, others)
    for _, change in more:
        observer.see(change(universe))
    assert observer.all_plans() == fresh(universe, others).all_plans()


def test_carrying_out_comes_to_an_end() -> None:
    """The steps above do write: what was carried out is no longer planned otherwise."""
    universe, observer = begun()
    observer.see(carry_out(universe, observer, 0))
    observer.see(carry_out(universe, observer, 3))
    place = Place("teams", "edit", "team-red")
    facts = observer.world.facts(place)
    assert {subject["name"] for subject in facts.bindings[0]["subjects"]} == {"person0", "person1"}
    observer.see(universe.drop(CLUSTER_ROLES, "edit"))
    assert observer.plans([place])[place].subjects == {"person0", "person1"}, "what stands stays"
    observer.see(universe.drop(POLICIES, "teams"))
    observer.see(universe.put(POLICIES, "other", spec=policy()))
    assert place in observer.inputs.everything().places, "the binding that stands is still to be taken away"
