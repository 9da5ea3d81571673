"""Which access a person has at this moment: where they stand, since when, and by which request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from scim_operator.access.places import Place
from scim_operator.access.subjects import Refused
from scim_operator.api.identity import MOST_GRANTS_SHOWN
from scim_operator.directory.records import Record
from scim_operator.reconcile.naming import DIRECTORY_MISSING
from scim_operator.reconcile.outcomes import NOTHING, Outcomes
from scim_operator.reconcile.world import World

Entry = dict[str, str]


def grant_fields(user: Record, world: World, outcomes: Outcomes, now: Callable[[], str]) -> dict[str, Any]:
    """`grants` and `grantsTotal` of a user's status. What it tells already keeps its time and request."""
    known = {place_named(entry): entry for entry in user.status.get("grants") or ()}
    name = world.subject(user)
    if isinstance(name, Refused) and name.reason == DIRECTORY_MISSING:
        # Nobody can tell how they are named, and everything stays as it is.
        return {key: user.status.get(key) for key in ("grantsTotal", "grants")}
    held = {*_held(user, name, world, outcomes), *_not_looked_at(known, name, world, outcomes)}
    places = sorted(held, key=lambda place: (place.namespace, place.role, place.policy, place.grant))
    cause = outcomes.cause((user.directory, user.id))
    shown = [known.get(place) or _entry(place, now(), cause) for place in places[:MOST_GRANTS_SHOWN]]
    return {"grantsTotal": len(places), "grants": shown or None}


def _held(user: Record, name: str | Refused, world: World, outcomes: Outcomes) -> Iterator[Place]:
    """The places where the person's name stands, or, while they are active, a group of theirs."""
    if isinstance(name, str):
        yield from outcomes.places_of(("User", name))
    if user.active:
        around = world.people.groups_around(user.directory, user.id)
        groups = (group for key in around if (group := world.group(key)) is not None)
        names = (world.subject(group) for group in groups)
        for group_name in names:
            if isinstance(group_name, str):
                yield from outcomes.places_of(("Group", group_name))


def _not_looked_at(
    known: Iterable[Place], name: str | Refused, world: World, outcomes: Outcomes
) -> Iterator[Place]:
    """Places of which the status tells, where nobody has looked since the start, and where they do stand."""
    for place in known:
        if outcomes.of(place) is NOTHING and ("User", name) in world.standing(place):
            yield place


def _entry(place: Place, since: str, request: str | None) -> Entry:
    return place_fields(place) | {"since": since, **({"request": request} if request else {})}


def place_fields(place: Place) -> Entry:
    """A place as statuses name it."""
    made = {
        "policy": place.policy,
        "accessGrant": place.grant,
        "clusterRole" if place.kind == "ClusterRole" else "role": place.role,
        "namespace": place.namespace,
    }
    return {key: value for key, value in made.items() if value}


def place_named(entry: Mapping[str, str]) -> Place:
    """The place that an entry of a status names."""
    role = entry.get("role")
    return Place(
        entry.get("policy", ""),
        role or entry.get("clusterRole", ""),
        entry.get("namespace", ""),
        "Role" if role else "ClusterRole",
        entry.get("accessGrant", ""),
    )
