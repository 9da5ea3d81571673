"""What a directory's guard would make of a policy's removals: how many go at once, who waits."""

from __future__ import annotations

import math
from collections import defaultdict

from scim_operator.access.bindings import Who
from scim_operator.access.foreseen import Foreseen
from scim_operator.access.guard import limit_of
from scim_operator.reconcile.world import World


def guard_notes(world: World, foreseen: Foreseen) -> list[str]:
    """A sentence for each directory whose people would lose more than it lets go at once."""
    losing = frozenset[Who]().union(*foreseen.removed.values())
    if not losing:
        return []
    holders: dict[str, set[Who]] = defaultdict(set)
    for place, directory in world.bound_places():
        holders[directory] |= world.standing(place)
    notes = []
    for directory, people in sorted(holders.items()):
        lost = people & losing
        if lost:
            notes += _notes(world, directory, _weight(world, lost), _weight(world, people))
    return notes


def _notes(world: World, directory: str, lost: int, people: int) -> list[str]:
    spec = world.directories.get(directory)
    if spec is None:
        return [f"ScimDirectory {directory!r} doesn't exist: nobody of it loses access until it does"]
    if spec.access == "Hold":
        return [f"ScimDirectory {directory!r} has `access: Hold`: nothing of this happens until that ends"]
    limit = limit_of(spec.guard, people)
    if lost <= limit or limit == math.inf:
        return []
    return [
        f"the guard of ScimDirectory {directory!r} lets {limit} of its people go in {spec.guard.window}: of "
        f"the {lost} who would lose access, {lost - int(limit)} keep it until somebody approves RemovalHold "
        f"{directory} (more of them, where others were let go lately)"
    ]


def _weight(world: World, people: set[Who] | frozenset[Who]) -> int:
    """A group counts as its members."""
    return sum(world.weight(who) or 0 if who[0] == "Group" else 1 for who in people)
