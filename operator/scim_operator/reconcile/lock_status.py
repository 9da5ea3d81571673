"""What an AccessLock's status tells: who is locked, where they were taken out, and what it can't reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scim_operator.access.locks import Lock, nobody_yet, out_of_reach, still_standing
from scim_operator.access.places import Place
from scim_operator.access.plan import directory_missing
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.subjects import Refused
from scim_operator.api.lock import MOST_NAMES_KEPT, MOST_REMOVED_SHOWN
from scim_operator.reconcile.granted import place_fields, place_named
from scim_operator.reconcile.standing import standing_at
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import USER


class Told(NamedTuple):
    """The fields of a status, what is wrong, and the words and the reason of Ready when nothing is."""

    fields: dict[str, Any]
    problems: list[Problem]
    ready: str
    reason: str


def lock_status(name: str, world: World, known: Mapping[str, Any]) -> Told:
    """`known`: the status so far, which remembers what was removed before this start."""
    lock = world.locks.get(name)
    if lock is None:
        return Told({}, [], "", "Reconciled")
    before = {place_named(entry) for entry in known.get("removed") or ()}
    places = sorted(
        before | world.locks.removed_by(name), key=lambda p: (p.namespace, p.role, p.policy, p.grant)
    )
    total = max(int(known.get("removedTotal") or 0), len(places))
    fields = {
        "subject": known.get("subject") or lock.subject or None,
        "laterSubjects": list(lock.names[1:][-MOST_NAMES_KEPT:]) or None,
        "id": known.get("id") or lock.person or None,
        "removedTotal": total,
        "removed": [place_fields(place) for place in places[:MOST_REMOVED_SHOWN]] or None,
    }
    return Told(fields, list(_problems(lock, world)), *_words(lock, world, total))


def _words(lock: Lock, world: World, removed: int) -> tuple[str, str]:
    if lock.end <= world.now():
        return f"ended at {lock.spec.until}: nothing is denied any more; it can be deleted", "Ended"
    names = ", ".join(quoted(name) for name in sorted(world.locks.denied_by(lock.name)))
    until = f"until {lock.spec.until}" if lock.spec.until else "until it is deleted"
    places = "1 place" if removed == 1 else f"{removed} places"
    return f"{names} is denied everything {until}; taken out of {places}", "Locked"


def _problems(lock: Lock, world: World) -> Iterator[Problem]:
    if wrong := world.locks.invalid.get(lock.name):
        yield Problem("Stalled", "InvalidSpec", f"{wrong}; the name it had goes on to be locked")
    if lock.end <= world.now():
        return
    if not lock.subject and lock.spec.directory:
        if world.directories.get(lock.spec.directory) is None:
            yield directory_missing(lock.spec.directory)
        else:
            yield from _not_found(lock, world)
    names = sorted(world.locks.denied_by(lock.name))
    if where := sorted({_shown(place) for name in names for place in standing_at(world, name)}):
        yield still_standing(where)
    if groups := sorted({found for name in names for found in _bound_groups(name, world)}):
        yield out_of_reach(groups)


def _not_found(lock: Lock, world: World) -> Iterator[Problem]:
    person = world.index.get(lock.spec.directory or "", USER.name, lock.person) if lock.person else None
    called = world.subject(person) if person is not None else None
    if isinstance(called, Refused):
        yield Problem("SubjectRefused", called.reason, called.message)
    elif called is None:
        yield nobody_yet(lock.spec)


def _bound_groups(name: str, world: World) -> Iterator[tuple[str, str]]:
    """(policy, group) by which somebody active of that name still has access."""
    for user in world.naming.called(name, "User"):
        for key in world.people.groups_around(user.directory, user.id):
            group = world.group(key)
            for policy in world.routes.policies_of(key):
                if group is not None and world.routes.subject_kind(policy) == "Group":
                    yield policy, group.label


def _shown(place: Place) -> str:
    return f"{place.namespace or 'the whole cluster'} ({place.role})"
