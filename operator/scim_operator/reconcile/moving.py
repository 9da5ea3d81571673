"""Who leaves a binding for another one that isn't written yet: they stay until they stand there (rule 12).

Asked for each name that leaves, since these are few: somebody disabled or deleted belongs nowhere any more,
and costs one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scim_operator.access.bindings import SubjectKind, standing
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts
from scim_operator.reconcile.world import World


class Moving:
    """`pending`: whether a place is still to be worked on."""

    def __init__(self, world: World, pending: Callable[[Place], bool]) -> None:
        self._world = world
        self._pending = pending

    def from_place(self, place: Place, facts: Facts) -> frozenset[str]:
        """The names that stand in a place's binding for a moment longer.

        They are wanted in another binding of the same namespace, or of the whole cluster: another role after
        an edit or a group's new name, the same role by another policy, a wider or a narrower grant.
        """
        leaving = standing(facts.bindings.values(), facts.kind) - facts.subjects
        there: dict[Place, frozenset[str]] = {}
        return frozenset(name for name in leaving if self._comes(name, facts.kind, place, there))

    def _comes(self, name: str, kind: SubjectKind, place: Place, there: dict[Place, frozenset[str]]) -> bool:
        for other in self._wanted_at(name, kind):
            if not _related(place, other) or not self._pending(other) or self._world.kind(other) != kind:
                continue
            if other not in there:
                there[other] = standing(self._world.bindings(other).values(), kind)
            if name not in there[other]:
                return True
        return False

    def _wanted_at(self, name: str, kind: SubjectKind) -> Iterable[Place]:
        """The places that somebody of that name belongs to."""
        for record in self._world.naming.called(name, kind):
            yield from self._world.places_of(record)


def _related(place: Place, other: Place) -> bool:
    if place == other:
        return False
    return place.namespace == other.namespace or place.cluster_wide or other.cluster_wide
