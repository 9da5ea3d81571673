"""Who leaves a binding for another one that isn't written yet: they stay until they stand there (rule 12).

Asked for each name that leaves, since these are few: somebody disabled or deleted belongs nowhere any more,
and costs one look-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts
from scim_operator.reconcile.world import World

_AT_ONCE = 200
# A busy queue or a slow API server is worth waiting for; a place that fails may never come to its turn.
_LONGEST, _LONGEST_FOR_FAILING = 20.0, 2.0


class Moving:
    """`pending`: whether a place is still to be worked on; `failing`: whether that failed lately."""

    def __init__(
        self, world: World, pending: Callable[[Place], bool], failing: Callable[[Place], bool]
    ) -> None:
        self._world = world
        self._pending = pending
        self._failing = failing

    async def from_place(self, place: Place, facts: Facts, seconds: float) -> frozenset[str]:
        """The names that stand in a place's bindings for a moment longer.

        They are wanted in a binding of another place in the same namespace, or of the whole cluster: another
        role after an edit or a group's new name, the same role by another policy, a wider or a narrower
        grant. `seconds`: for how long some have stayed so; who waits for a place that fails doesn't for ever.
        """
        standing = (who for who in self._world.standing(place) if not self._world.at_once(place, who))
        names = {name for kind, name in standing if kind == facts.kind} - facts.subjects
        there: dict[Place, frozenset[Who]] = {}
        found: dict[str, Place] = {}
        for number, name in enumerate(names):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # rule 21
            if other := self._goes_to(name, facts.kind, place, there, seconds):
                found[name] = other
        # Meanwhile some may have arrived.
        ahead = {other for other in set(found.values()) if self._pending(other)}
        return frozenset(name for name, other in found.items() if other in ahead)

    def _goes_to(
        self, name: str, kind: SubjectKind, place: Place, there: dict[Place, frozenset[Who]], seconds: float
    ) -> Place | None:
        for other in self._wanted_at(name, kind):
            if not _related(place, other) or not self._pending(other) or self._world.kind(other) != kind:
                continue
            if self._world.is_previewed(other.policy):
                continue
            if seconds > (_LONGEST_FOR_FAILING if self._failing(other) else _LONGEST):
                continue
            if other not in there:
                there[other] = self._world.standing(other)
            if (kind, name) not in there[other]:
                return other
        return None

    def _wanted_at(self, name: str, kind: SubjectKind) -> Iterable[Place]:
        """The places that somebody of that name belongs to."""
        for record in self._world.naming.called(name, kind):
            yield from self._world.places_of(record)


def _related(place: Place, other: Place) -> bool:
    if place == other:
        return False
    return place.namespace == other.namespace or place.cluster_wide or other.cluster_wide
