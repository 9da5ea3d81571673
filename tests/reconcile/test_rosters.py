"""Who stands in bindings is kept up to date through every way in which it changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.worlds import Event, Observer, Universe, fresh, group, over_people, policy, user

VIEW = {"clusterRole": "view", "namespaces": {"name": "shared"}}


def opened() -> tuple[Universe, Observer]:
    """A group of person 0 and of a group of persons 1 and 2, and a policy over people; all asked for once."""
    universe, observer = Universe(), Observer()
    observer.see(universe.put(DIRECTORIES, "entra", spec={}))
    observer.see(universe.put(POLICIES, "teams", spec=policy()))
    observer.see(universe.put(POLICIES, "people", spec=over_people(VIEW, text='displayName eq "Data"')))
    for number in range(4):
        observer.see(universe.put(USERS, f"u{number}", spec={**user(number), "displayName": "Data"}))
    observer.see(universe.put(GROUPS, "inner", spec=group("inner", [1, 2], identifier="inner")))
    observer.see(universe.put(GROUPS, "outer", spec=group("k8s-red-edit", [0, "inner"])))
    assert named(observer) == {
        "teams": {"person0", "person1", "person2"},
        "people": {"person0", "person1", "person2", "person3"},
    }
    return universe, observer


def named(observer: Observer) -> dict[str, set[str]]:
    routes = observer.world.routes
    return {place.policy: set(observer.world.subjects_at(place)) for place in routes.places()}


CHANGES: dict[str, Callable[[Universe], list[Event]]] = {
    "member of the inner group": lambda u: u.put(GROUPS, "inner", spec=group("x", [3], identifier="inner")),
    "inner group gone": lambda u: u.drop(GROUPS, "inner"),
    "inner group made again": lambda u: u.replace(GROUPS, "inner", spec=group("x", [3], identifier="inner")),
    "inner group taken out": lambda u: u.put(GROUPS, "outer", spec=group("k8s-red-edit", [0])),
    "member taken out": lambda u: u.put(GROUPS, "outer", spec=group("k8s-red-edit", ["inner"])),
    "member of both": lambda u: (
        u.put(GROUPS, "outer", spec=group("k8s-red-edit", [0, 1, "inner"]))
        + u.put(GROUPS, "outer", spec=group("k8s-red-edit", [0, "inner"]))
    ),
    "group gone and back": lambda u: (
        u.drop(GROUPS, "outer") + u.put(GROUPS, "outer", spec=group("k8s-red-edit", [1]))
    ),
    "disabled": lambda u: u.put(USERS, "u1", spec=user(1, active=False)),
    "disabled and back": lambda u: (
        u.put(USERS, "u1", spec=user(1, active=False)) + u.put(USERS, "u1", spec=user(1))
    ),
    "renamed": lambda u: u.put(USERS, "u1", spec=user(1, name="other")),
    "refused": lambda u: u.put(USERS, "u1", spec=user(1, name="system:masters")),
    "gone": lambda u: u.drop(USERS, "u2"),
    "one who was named before they came": lambda u: (
        u.put(GROUPS, "outer", spec=group("k8s-red-edit", [0, 7])) + u.put(USERS, "u7", spec=user(7))
    ),
    "another filter": lambda u: u.put(POLICIES, "people", spec=over_people(VIEW, text="userName eq person1")),
    "no filter any more": lambda u: u.put(
        POLICIES, "people", spec=over_people(VIEW, text='userName eq "person1"')
    ),
    "policy gone and back": lambda u: (
        u.drop(POLICIES, "people")
        + u.put(USERS, "u3", spec=user(3))
        + u.put(POLICIES, "people", spec=over_people(VIEW, text='displayName eq "Data"'))
    ),
    "no longer meant": lambda u: u.put(USERS, "u3", spec=user(3)),
    "template": lambda u: u.put(DIRECTORIES, "entra", spec={"subjects": {"user": "x:{externalId}"}}),
    "directory gone and back": lambda u: u.drop(DIRECTORIES, "entra") + u.put(DIRECTORIES, "entra", spec={}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_as_a_fresh_start_would_find_it(change: Callable[[Universe], list[Event]]) -> None:
    universe, observer = opened()
    for event in change(universe):
        observer.see([event])
        named(observer)  # asked for after each, so that what was kept in between is put to the test
    assert named(observer) == named(fresh(universe))


def test_one_person_s_change_reads_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    universe, observer = opened()

    def walked(*_: object) -> None:
        raise AssertionError("everybody was walked over")

    monkeypatch.setattr(observer.world.people, "active", walked)
    observer.see(universe.put(USERS, "u1", spec=user(1, active=False)))
    assert named(observer)["teams"] == {"person0", "person2"}
