"""What one event concerns: single cases that went wrong, or easily could."""

from __future__ import annotations

import pytest

from scim_operator.access.bindings import desired_binding
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import POLICIES, TEMPLATES
from tests.reconcile.worlds import Event, Observer, Universe, begun, group, over_people, policy, user


def place(role: str = "edit", namespace: str = "team-red") -> Place:
    return Place("teams", role, namespace)


def test_renamed_group_concerns_the_place_it_leaves() -> None:
    universe, observer = begun()
    concerned = observer.see(universe.put(GROUPS, "g0-entra", spec=group("k8s-blue-view", [0, 1])))
    assert concerned.places == {place(), place("view", "team-blue")}


_TOO_MANY = "TooManyNamespaces"


def limited(universe: Universe, observer: Observer, limit: int) -> None:
    observer.see(universe.put(POLICIES, "teams", spec={**policy(), "maxNamespaces": limit}))
    observer.see(universe.put(GROUPS, "g1", spec=group("k8s-blue-edit", [0], identifier="group-1")))


def test_namespace_beyond_the_limit_gets_its_turn_when_another_one_goes() -> None:
    universe, observer = begun()
    limited(universe, observer, 1)
    planned = observer.all_plans()
    assert set(observer.namespace_plans()) == {"team-blue"}
    (problem,) = planned[place()].problems
    assert (problem.condition, problem.reason) == ("Stalled", _TOO_MANY)
    assert "more than the 1 " in problem.message
    assert "maxNamespaces" in problem.message
    concerned = observer.see(universe.drop(GROUPS, "g1"))
    assert place() in concerned.places
    assert observer.all_plans()[place()].problems == ()
    assert set(observer.namespace_plans()) == {"team-red"}


def test_namespace_with_a_binding_keeps_it_when_others_crowd_in() -> None:
    universe, observer = begun()
    observer.see(universe.put(NAMESPACES, "team-red", labels={"scim-operator.io/policy": "teams"}))
    observer.see(binding(universe, ["person0"]))
    limited(universe, observer, 1)
    planned = observer.all_plans()
    assert planned[place()].subjects
    assert planned[place(namespace="team-blue")].problems[0].reason == _TOO_MANY


def test_group_beyond_the_limit_concerns_its_own_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 teams under a policy that may reach 100 are a mistake that must cost next to nothing."""
    universe, observer = begun()
    observer.see(universe.put(POLICIES, "teams", spec={**policy(), "maxNamespaces": 2}))
    for number in range(5):
        spec = group(f"k8s-t{number}-edit", [0], identifier=f"t{number}")
        concerned = observer.see(universe.put(GROUPS, f"t{number}", spec=spec))
        assert concerned.places == {place(namespace=f"team-t{number}")}
    # Nothing is bound here, so names decide: the first of them takes the turn of the second.
    first = group("k8s-a-edit", [0], identifier="a")
    concerned = observer.see(universe.put(GROUPS, "a", spec=first))
    assert concerned.places == {place(namespace="team-a"), place(namespace="team-t0")}

    def allowed() -> set[str]:
        refused = (at for at, p in observer.all_plans().items() for q in p.problems if q.reason == _TOO_MANY)
        return {at.namespace for at in observer.world.routes.places()} - {at.namespace for at in refused}

    assert allowed() == {"team-a", "team-red"}
    with monkeypatch.context() as patch:
        patch.delattr(observer.world.limits, "_bound")
        assert allowed() == {"team-a", "team-red"}, "known since the last change"
    observer.see(binding(universe, ["person0"], namespace="team-t3"))
    assert allowed() == {"team-a", "team-t3"}, "where access is given it goes on"


def test_template_concerns_the_namespaces_that_are_made_from_it() -> None:
    universe, observer = begun()
    create = {"template": "small"}
    grant = {"clusterRole": "{role}", "namespaces": {"name": "team-{team}", "create": create}}
    observer.see(universe.put(POLICIES, "teams", spec=policy(grant)))
    # One that no group opens any more, but its policy made.
    observer.see(universe.put(NAMESPACES, "team-old", labels={"scim-operator.io/policy": "teams"}))
    observer.see(universe.put(NAMESPACES, "other", labels={"scim-operator.io/policy": "teams"}))
    for event in (
        universe.put(TEMPLATES, "small", spec={}),
        universe.put(TEMPLATES, "small", spec={"labels": {"a": "b"}}),
        universe.drop(TEMPLATES, "small"),
    ):
        assert observer.see(event).unhurried == {"team-red", "team-old"}
    assert observer.see(universe.put(TEMPLATES, "large", spec={})).unhurried == set()


def test_policy_and_directory_concern_the_namespaces_that_were_made_for_them() -> None:
    universe, observer = begun()
    observer.see(universe.drop(GROUPS, "g0-entra"))
    observer.see(universe.put(NAMESPACES, "team-old", labels={"scim-operator.io/policy": "teams"}))
    assert observer.see(universe.put(POLICIES, "teams", spec=policy(subjects="Group"))).unhurried == {
        "team-old"
    }
    assert observer.see(universe.drop(DIRECTORIES, "entra")).unhurried == {"team-old"}
    assert observer.see(universe.drop(POLICIES, "teams")).unhurried == {"team-old"}


def test_binding_that_goes_concerns_its_namespace() -> None:
    universe, observer = begun()
    (seen,) = binding(universe, ["person0"])
    observer.see([seen])
    assert (
        "team-red"
        in observer.see(universe.drop(ROLE_BINDINGS, seen[2]["metadata"]["name"], "team-red")).unhurried
    )


def test_person_in_a_group_in_a_group() -> None:
    universe, observer = begun()
    observer.see(universe.put(USERS, "u2", spec=user(2)))
    inner = group("inner", [2, "group-0"], identifier="group-1")  # they hold each other
    observer.see(universe.put(GROUPS, "g1", spec=inner))
    outer = group("k8s-red-edit", [0, "group-1"])
    assert observer.see(universe.put(GROUPS, "g0-entra", spec=outer)).places == {place()}
    assert observer.world.facts(place()).subjects == {"person0", "person2"}
    gone = universe.put(USERS, "u2", spec=user(2, active=False))
    assert observer.see(gone).places == {place()}
    assert observer.see(universe.drop(GROUPS, "g1")).places == {place()}
    assert observer.world.facts(place()).subjects == {"person0"}


def test_person_whom_a_filter_finds_and_loses() -> None:
    universe, observer = begun()
    grant = {"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}
    observer.see(universe.put(POLICIES, "data", spec=over_people(grant, text='userName sw "data"')))
    found = Place("data", "edit", "team-red")
    assert observer.world.facts(found).subjects == frozenset()
    assert found in observer.see(universe.put(USERS, "u0-entra", spec=user(0, name="data-ada"))).places
    assert observer.world.facts(found).subjects == {"data-ada"}
    assert found in observer.see(universe.put(USERS, "u0-entra", spec=user(0, name="ada"))).places
    assert observer.world.facts(found).subjects == frozenset()


def test_selector_follows_namespaces() -> None:
    universe, observer = begun()
    selector = {"matchLabels": {"tier": "front"}}
    grant = {"clusterRole": "view", "namespaces": {"selector": selector}}
    observer.see(universe.put(POLICIES, "teams", spec=policy(grant)))
    assert observer.all_plans() == {}
    for name in ("web", "kube-public"):
        observer.see(universe.put(NAMESPACES, name, labels={"tier": "front"}))
    assert set(observer.all_plans()) == {place("view", "web")}, "never a protected one"
    assert observer.see(universe.put(NAMESPACES, "web", labels={"tier": "back"})).places == {
        place("view", "web")
    }
    assert observer.all_plans() == {}


def test_own_write_seen_before_its_event_still_concerns() -> None:
    # The store puts what it wrote into the index before it answers; the event comes afterwards.
    universe, observer = begun()
    events = universe.put(USERS, "u0-entra", spec=user(0, active=False))
    observer.world.index.put(events[0][2])
    assert observer.see(events).places == {place()}


def test_own_delete_seen_before_its_event_still_concerns() -> None:
    universe, observer = begun()
    events = universe.drop(USERS, "u0-entra")
    observer.world.index.evict("User", "u0-entra", events[0][2]["metadata"]["uid"])
    assert observer.see(events).places == {place()}
    events = universe.drop(GROUPS, "g0-entra")
    observer.world.index.evict("Group", "g0-entra", events[0][2]["metadata"]["uid"])
    assert observer.see(events).places == {place()}


def test_status_and_repeated_events_concern_nobody() -> None:
    universe, observer = begun()
    spec = user(0)
    first = universe.put(USERS, "u0-entra", spec=spec, status={"groups": 1})
    assert observer.see(first).places == set()
    assert observer.see(first).places == set()
    again = universe.put(POLICIES, "teams", spec=policy(), status={"groups": 1})
    assert observer.see(again).places == set()


@pytest.mark.parametrize("event", ["ADDED", "MODIFIED", None])
def test_policy_made_again_with_the_same_generation_counts(event: str) -> None:
    # Its deletion may not be seen, or be seen after: what is in force is the new one.
    universe, observer = begun()
    (deleted, added) = universe.replace(POLICIES, "teams", spec=policy(pattern="never"))
    concerned = observer.see([(added[0], event, added[2])])
    assert place() in concerned.places
    observer.see([deleted])
    assert observer.all_plans() == {}


def binding(
    universe: Universe, subjects: list[str], namespace: str = "team-red", **labels: str
) -> list[Event]:
    made = desired_binding(place(namespace=namespace), "entra", [("User", name) for name in subjects])
    metadata = made.pop("metadata")
    written = metadata["labels"] | labels
    return universe.put(ROLE_BINDINGS, metadata["name"], namespace, labels=written, **made)


def test_binding_that_somebody_changed_concerns_its_place() -> None:
    universe, observer = begun()
    assert observer.see(binding(universe, ["a"])).places == {place()}
    assert observer.see(binding(universe, ["a", "stranger"])).places == {place()}


def test_binding_whose_policy_label_was_changed_concerns_its_place() -> None:
    universe, observer = begun()
    observer.see(binding(universe, ["a"]))
    changed = binding(universe, ["a"], **{"scim-operator.io/policy": "other"})
    assert place() in observer.see(changed).places


def test_binding_that_was_deleted_concerns_its_place() -> None:
    universe, observer = begun()
    observer.see(binding(universe, ["a"]))
    name = desired_binding(place(), "entra", [])["metadata"]["name"]
    assert observer.see(universe.drop(ROLE_BINDINGS, name, "team-red")).places == {place()}


def test_copy_of_a_binding_under_another_name_is_nobody_s() -> None:
    universe, observer = begun()
    (event,) = binding(universe, ["a"])
    event[2]["metadata"]["name"] = "copy"
    assert observer.see([event]).places == set()


def test_two_objects_with_one_id_break_nothing() -> None:
    # An admin's copy, or a restore under another name.
    universe, observer = begun()
    observer.see(universe.put(GROUPS, "copy", spec=group("k8s-red-edit", [0])))
    observer.see(universe.drop(GROUPS, "copy"))
    observer.see(universe.put(USERS, "u0-entra", spec=user(0, active=False)))
    observer.see(universe.put(USERS, "u1-entra", spec=user(1, active=False)))
    observer.inputs.everything()


def test_object_that_cannot_be_read_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    universe, observer = begun()
    observer.see(universe.put(USERS, "odd", spec={"userName": "no id"}))
    observer.see(universe.put(POLICIES, "odd", spec={"groups": {}}))
    observer.see(universe.put(DIRECTORIES, "odd", spec={"subjects": {"user": "nobody"}}))
    assert set(observer.all_plans()) == {place()}
    assert "odd" in caplog.text
    observer.see(universe.drop(USERS, "odd"))
