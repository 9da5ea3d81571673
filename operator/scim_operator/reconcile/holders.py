"""Who has access, by directory: those who stand in our bindings, as of the last pass over each place.

Known from the first listing on, since the guard counts in percent of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place


class _Held(NamedTuple):
    directory: str
    subjects: frozenset[Who]


_NOBODY = _Held("", frozenset())


class Holders:
    """`people_in`: how many people some groups have, each counted once."""

    def __init__(self, people_in: Callable[[Iterable[Who]], int]) -> None:
        self._people_in = people_in
        self._at: dict[Place, _Held] = {}
        self._places: dict[Who, set[Place]] = defaultdict(set)
        # Directory -> at how many places each of them stands.
        self._people: dict[str, Counter[Who]] = defaultdict(Counter)
        self._groups: dict[str, set[Who]] = defaultdict(set)

    def stand(self, place: Place, directory: str, subjects: frozenset[Who]) -> None:
        """Who stands at a place now."""
        before = self._at.pop(place, _NOBODY)
        if subjects:
            self._at[place] = _Held(directory, subjects)
        moved = before.directory != directory
        for who in before.subjects if moved else before.subjects - subjects:
            self._leave(before.directory, who, place)
        for who in subjects if moved else subjects - before.subjects:
            self._enter(directory, who, place)

    def directory_of(self, place: Place) -> str:
        """Whose people stand at a place; empty when nobody does."""
        return self._at.get(place, _NOBODY).directory

    def at(self, place: Place) -> frozenset[Who]:
        """Who stands at a place."""
        return self._at.get(place, _NOBODY).subjects

    def places_of(self, who: Who) -> frozenset[Place]:
        """Where somebody stands."""
        return frozenset(self._places.get(who, ()))

    def places_in(self, directory: str) -> set[Place]:
        """Where anybody of a directory stands."""
        return {place for place, held in self._at.items() if held.directory == directory}

    def directories(self) -> set[str]:
        """Those whose people have access."""
        return {directory for directory, people in self._people.items() if people}

    def people(self, directory: str) -> list[Who]:
        """The people and groups of a directory who have access."""
        return list(self._people.get(directory, ()))

    def has_access(self, directory: str, who: Who) -> bool:
        """Whether somebody stands anywhere by a directory."""
        return who in self._people.get(directory, ())

    def count(self, directory: str) -> int:
        """How many people of a directory have access; a group counts as its members."""
        groups = self._groups.get(directory, set())
        return len(self._people.get(directory, ())) - len(groups) + self._people_in(groups)

    def _enter(self, directory: str, who: Who, place: Place) -> None:
        self._places[who].add(place)
        self._people[directory][who] += 1
        if who[0] == "Group":
            self._groups[directory].add(who)

    def _leave(self, directory: str, who: Who, place: Place) -> None:
        self._places[who].discard(place)
        if not self._places[who]:
            del self._places[who]
        people = self._people[directory]
        people[who] -= 1
        if not people[who]:
            del people[who]
            self._groups[directory].discard(who)
