"""What the other places say of the people of one, each looked up once for a pass: people may be thousands."""

from __future__ import annotations

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.access.plan import plan
from scim_operator.access.renames import Right
from scim_operator.reconcile.holders import Holders
from scim_operator.reconcile.world import World

_NOBODY: frozenset[Who] = frozenset()
# One set for those of more groups is made sooner than all of these are asked for each of many people.
_FEW = 4


class Elsewhere:
    """For one pass, as of when it was first asked for: what has changed since leads to another pass."""

    def __init__(self, world: World, holders: Holders) -> None:
        self._world = world
        self._holders = holders
        self._given: dict[Place, frozenset[Who]] = {}
        self._wanted: dict[Place, list[frozenset[str]]] = {}

    def given(self, place: Place) -> frozenset[Who]:
        """Those to whom another policy, or a grant, gives the same role in the same namespace.

        Who is wanted there and doesn't stand there has nothing by it: refused, barred, or on hold.
        """
        if place not in self._given:
            routes, grants = self._world.routes, self._world.grants
            opened = routes.in_namespace(place.namespace) | grants.places_in(place.namespace)
            right = Right.of(place)
            same = [item for item in opened if item != place and Right.of(item) == right]
            self._given[place] = _NOBODY.union(*map(self._gives, same))
        return self._given[place]

    def has(self, who: Who, place: Place) -> bool:
        """True for somebody who stands in another binding of the same role in the same namespace."""
        right = Right.of(place)
        return any(Right.of(other) == right for other in self._holders.places_of(who) - {place})

    def leaves(self, who: Who, place: Place, directory: str) -> bool:
        """True for somebody who comes to a place and is to leave another one of the directory."""
        return any(
            not self._belongs(who, other) and who not in self.given(other)
            for other in self._holders.places_of(who) - {place}
            # What another directory's ledger holds is its business; where one only looks on nobody leaves.
            if self._holders.directory_of(other) == directory and not self._world.is_previewed(other.policy)
        )

    def _belongs(self, who: Who, place: Place) -> bool:
        world, (kind, name) = self._world, who
        if kind != world.kind(place) or (kind == "User" and world.locks.denies(name)):
            return False
        if place not in self._wanted:
            self._wanted[place] = self._wanted_at(place)
        return any(name in names for names in self._wanted[place])

    def _wanted_at(self, place: Place) -> list[frozenset[str]]:
        """Those of each group as they are known already, if it is by few: there may be many other places."""
        world, groups = self._world, self._world.routes.openers(place)
        if place.grant or len(groups) > _FEW:
            return [world.subjects_at(place)]
        return [world.subjects_by(place, group, world.kind(place)) for group in groups]

    def _gives(self, place: Place) -> frozenset[Who]:
        standing = self._holders.at(place)
        if not standing:
            return _NOBODY
        facts = self._world.facts(place, True if place.kind == "Role" else None)
        wanted = plan(place, facts).subjects
        return frozenset(who for who in standing if who[0] == facts.kind and who[1] in wanted)
