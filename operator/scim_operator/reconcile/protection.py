"""Under which names the people and groups that a directory protects stand in bindings.

Remembered, since somebody deleted or renamed by the provider is found by their former name alone.
"""

from __future__ import annotations

from typing import NamedTuple

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.guard import Protected
from scim_operator.access.places import Place
from scim_operator.access.subjects import user_subject
from scim_operator.directory.records import Record
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.world import World
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.schemas import GROUP, USER


class Fellows(NamedTuple):
    """The active people of a protected group, by their names in bindings, and where it gives them access, or
    gave. `unknown`: perhaps others too, since shards of the group are missing."""

    people: frozenset[str] = frozenset()
    places: frozenset[Place] = frozenset()
    unknown: bool = False


NO_MEMBERS = Fellows()
# By the group as it is listed.
Members = dict[str, Fellows]


def protected_names(directory: str, known: Protected, world: World) -> Protected:
    """(kind, as listed) -> their names in bindings, those of before included."""
    spec = world.directories.get(directory)
    if spec is None:
        return known
    wanted: Protected = {}
    for kind, listed in (("User", spec.protected.users), ("Group", spec.protected.groups)):
        for item in listed:
            entry: Who = ("User" if kind == "User" else "Group", item)
            wanted[entry] = known.get(entry, frozenset()) | _names(directory, entry, world)
    return wanted


def protected_members(directory: str, known: Members, world: World) -> Members:
    """The people of each protected group, as it is; of one that is gone, or goes by another name now, as it
    was when last seen since the start."""
    spec = world.directories.get(directory)
    if spec is None:
        return known
    found = {}
    for item in spec.protected.groups:
        before = known.get(item, NO_MEMBERS)
        groups = _going_by(directory, item, world)
        people = frozenset[str]().union(*(world.rosters.of("", group) for group in groups))
        # Where the policies that opened them are gone, too.
        places = before.places.union(*map(world.routes.of_group, groups))
        unknown = any(map(world.people.is_unknown, groups))
        found[item] = Fellows(people, places, unknown) if groups else before
    return found


def members_at(place: Place, people: frozenset[Who], members: Members, world: World) -> frozenset[Who]:
    """Those of them who are at a place by a protected group, or were, or may be, and aren't disabled, deleted
    or renamed."""
    here = [fellows for fellows in members.values() if place in fellows.places]
    return frozenset(
        who
        for who in people
        if who[0] == "User"
        and any(fellows.unknown or who[1] in fellows.people for fellows in here)
        and any(True for _ in world.naming.called(who[1], "User"))
    )


def _going_by(directory: str, item: str, world: World) -> set[GroupKey]:
    """The groups whose access goes by a name, in whatever letters."""
    renamed = (key for key in world.routes.renamed if key[0] == directory)
    keys = {*((group.directory, group.id) for group in _bearers(directory, "Group", item, world)), *renamed}
    known = ((key, world.routes.names_of(key)) for key in keys)
    wanted = item.casefold()
    return {key for key, names in known if names and (names.granted_as or "").casefold() == wanted}


def _names(directory: str, entry: Who, world: World) -> frozenset[str]:
    kind, item = entry
    names = {item}
    spec = world.directories.get(directory)
    if kind == "User" and spec is not None:
        made = user_subject(spec.subjects, {"userName": item})
        names |= {made} if isinstance(made, str) else set()
    for record in _bearers(directory, kind, item, world):
        name = world.subject(record)
        names |= {name} if isinstance(name, str) else set()
    return frozenset(names)


def _bearers(directory: str, kind: SubjectKind, item: str, world: World) -> list[Record]:
    resource_type: ResourceType = USER if kind == "User" else GROUP
    attribute = "userName" if kind == "User" else "displayName"
    found = world.index.holders(directory, resource_type.name, attribute, item)
    records = (world.index.get(directory, resource_type.name, identifier) for identifier in found)
    return [record for record in records if record is not None]
