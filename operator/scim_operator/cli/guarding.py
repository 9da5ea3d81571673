"""What keeps a previewed policy from being carried out at once: guard, freeze, hold, protected people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from scim_operator.access.bindings import Who
from scim_operator.access.foreseen import Foreseen
from scim_operator.access.guard import Ledger, limit_of
from scim_operator.api.directory import GuardSpec
from scim_operator.reconcile.protection import protected_names
from scim_operator.reconcile.world import World


def guard_notes(world: World, foreseen: Foreseen) -> list[str]:
    """A sentence for each thing that keeps a directory's people from losing or gaining access at once."""
    losing = frozenset[Who]().union(*foreseen.removed.values())
    gaining = frozenset[Who]().union(*foreseen.added.values())
    holders: dict[str, set[Who]] = defaultdict(set)
    for place, directory in world.bound_places():
        holders[directory] |= world.standing(place)
    coming: dict[str, set[Who]] = defaultdict(set)
    for who in gaining:
        for record in world.naming.called(who[1], who[0]):
            coming[record.directory].add(who)
    notes: list[str] = []
    for directory in sorted(holders.keys() | coming.keys()):
        people = holders[directory]
        if people & losing or coming[directory]:
            notes += _notes(world, directory, people, people & losing, len(coming[directory]))
    return notes


def _notes(world: World, directory: str, people: set[Who], lost: set[Who], gaining: int) -> Iterator[str]:
    spec = world.directories.get(directory)
    if spec is None:
        yield f"ScimDirectory {directory!r} doesn't exist: nobody of it loses or gains access until it does"
        return
    if spec.access == "Hold":
        yield f"ScimDirectory {directory!r} has `access: Hold`: nothing of this happens until that ends"
        return
    most = spec.guard.max_additions
    if most is not None and gaining > most:
        yield (
            f"ScimDirectory {directory!r} lets {most} new rights be given in {spec.guard.window}: of the "
            f"{gaining} who would gain access, {gaining - most} wait for approval in RemovalHold {directory}"
        )
    yield from _keeping(world, directory, spec.guard, people, lost)


def _keeping(
    world: World, directory: str, guard: GuardSpec, people: set[Who], lost: set[Who]
) -> Iterator[str]:
    frozen = ((world.holds.get(directory) or {}).get("status") or {}).get("frozen")
    if lost and frozen:
        yield (
            f"ScimDirectory {directory!r} is frozen ({frozen['reason']}): nobody of it loses access until "
            f"that ends or somebody approves: kubectl describe removalhold {directory}"
        )
        return
    ledger = Ledger(protected=protected_names(directory, {}, world))
    protected = {who for who in lost if ledger.is_protected(who)}
    if protected:
        yield (
            f"protected in ScimDirectory {directory!r}, so that they keep it until somebody approves "
            f"RemovalHold {directory}: {len(protected)} of those who would lose access"
        )
    leaving, limit = _weight(world, lost - protected), limit_of(guard, _weight(world, people))
    if leaving > limit:
        yield (
            f"the guard of ScimDirectory {directory!r} lets {limit} of its people go in {guard.window}: of "
            f"the {leaving} who would lose access, {leaving - int(limit)} keep it until somebody approves "
            f"RemovalHold {directory} (more of them, where others were let go lately)"
        )


def _weight(world: World, people: set[Who] | frozenset[Who]) -> int:
    """A group counts as its members."""
    return sum(world.weights.of(who) or 0 if who[0] == "Group" else 1 for who in people)
