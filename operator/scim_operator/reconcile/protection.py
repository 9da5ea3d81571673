"""Under which names the people and groups that a directory protects stand in bindings.

Remembered, since somebody deleted or renamed by the provider is found by their former name alone.
"""

from __future__ import annotations

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.guard import Protected
from scim_operator.access.subjects import user_subject
from scim_operator.directory.records import Record
from scim_operator.reconcile.world import World
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.schemas import GROUP, USER


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
