"""Whose statuses have to be looked at after a place or a namespace was brought up to date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.outcomes import NamespaceOutcome, Outcome
from scim_operator.reconcile.resources import GRANTS, LOCKS, POLICIES, TEMPLATES
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World


def after_place(world: World, place: Place, before: Outcome, outcome: Outcome) -> Iterator[Subject]:
    """Of its policy or AccessGrant, its groups, who came or left, and the locks that took them out.

    They may be many, and are found as they are asked for.
    """
    if before == outcome:
        return
    gone = (name for kind, name in before.subjects - outcome.subjects if kind == "User")
    yield from (Subject(LOCKS, lock) for lock in world.locks.note_removed(gone, place))
    yield from _openers(world, place)
    yield from _people(world, before.subjects ^ outcome.subjects)


def after_namespace(
    world: World, name: str, before: NamespaceOutcome, outcome: NamespaceOutcome
) -> set[Subject]:
    """Of the policies that are told something else, their groups there, and the templates."""
    told = {item.policy for item in {*before.told} ^ {*outcome.told}}
    found = {Subject(POLICIES, policy) for policy in told}
    for place in world.routes.in_namespace(name):
        if place.policy in told:
            found |= _openers(world, place)
    if (before.template, before.contents) != (outcome.template, outcome.contents):
        found |= {Subject(TEMPLATES, item) for item in {before.template, outcome.template} - {""}}
    return found


def _openers(world: World, place: Place) -> set[Subject]:
    openers = (world.group(key) for key in world.routes.openers(place))
    groups = {Subject(GROUPS, group.name) for group in openers if group is not None}
    giver = Subject(GRANTS, place.grant) if place.grant else Subject(POLICIES, place.policy)
    return {giver, *groups}


def _people(world: World, subjects: Iterable[Who]) -> Iterator[Subject]:
    """Those who are called so, or are in the groups that are."""
    for kind, name in subjects:
        for record in world.naming.bearers(name, kind):
            people = [record] if kind == "User" else world.people.members((record.directory, record.id))
            yield from [Subject(USERS, user.name) for user in people]
