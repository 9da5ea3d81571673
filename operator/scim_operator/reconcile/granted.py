"""Which access a person has at this moment: where they stand, since when, and by which request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scim_operator.access.places import Place
from scim_operator.api.identity import MOST_GRANTS_SHOWN
from scim_operator.directory.records import Record
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.world import World

Entry = dict[str, str]


def grant_fields(user: Record, world: World, outcomes: Outcomes, now: Callable[[], str]) -> dict[str, Any]:
    """`grants` and `grantsTotal` of a user's status. What it tells already keeps its time and request."""
    places = sorted(
        _held(user, world, outcomes), key=lambda place: (place.namespace, place.role, place.policy)
    )
    known = {_place(entry): entry for entry in user.status.get("grants") or ()}
    subject = world.subject(user)
    name = subject if isinstance(subject, str) else ""
    outcomes.written_down(known, name)
    shown = [
        known.get(place) or _entry(place, now(), outcomes.cause(place, name))
        for place in places[:MOST_GRANTS_SHOWN]
    ]
    return {"grantsTotal": len(places), "grants": shown or None}


def _held(user: Record, world: World, outcomes: Outcomes) -> Iterator[Place]:
    """The places where the person's name stands, or, while they are active, a group of theirs."""
    name = world.subject(user)
    for place in world.places_of(user):
        standing = outcomes.of(place).subjects
        if world.kind(place) == "User":
            if name in standing:
                yield place
        elif user.active and standing & _groups(user, world, place):
            yield place


def _groups(user: Record, world: World, place: Place) -> set[str]:
    """The names of a person's groups that open a place."""
    around = world.people.groups_around(user.directory, user.id)
    groups = (world.group(key) for key in world.routes.openers(place).keys() & around)
    names = (world.subject(group) for group in groups if group is not None)
    return {name for name in names if isinstance(name, str)}


def _entry(place: Place, since: str, request: str | None) -> Entry:
    made = {
        "policy": place.policy,
        "clusterRole" if place.kind == "ClusterRole" else "role": place.role,
        "namespace": place.namespace,
        "since": since,
        "request": request,
    }
    return {key: value for key, value in made.items() if value}


def _place(entry: Mapping[str, str]) -> Place:
    role = entry.get("role")
    return Place(
        entry["policy"],
        role or entry.get("clusterRole", ""),
        entry.get("namespace", ""),
        "Role" if role else "ClusterRole",
    )
