"""What the passes over places and namespaces came to: what statuses and metrics tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from scim_operator.access.bindings import Who
from scim_operator.access.choice import Told
from scim_operator.access.foreseen import Foreseen
from scim_operator.access.places import Place
from scim_operator.access.problems import Problem
from scim_operator.access.renames import Held

# A request explains a grant until the person's status has it; so many wait for that at most.
_MOST_CAUSES = 100_000

# (directory, SCIM id), of a person or a group
Person = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What the last pass over a place came to: so many bindings of ours are there, with these subjects."""

    bindings: int = 0
    subjects: frozenset[Who] = frozenset()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class NamespaceOutcome:
    """What the last pass over a namespace came to.

    `template`: the one in force there, or none; `told`: what policies should know; `contents`: what is wrong
    with the objects of the template.
    """

    template: str = ""
    told: tuple[Told, ...] = ()
    contents: tuple[Problem, ...] = ()


NOTHING = Outcome()
_UNEVENTFUL = NamespaceOutcome()


class Outcomes:
    """Place -> outcome. Those of places that nobody opens are kept as long as somebody stands there."""

    def __init__(self) -> None:
        self._known: dict[Place, Outcome] = {}
        self._standing: dict[Who, set[Place]] = defaultdict(set)
        self._last: dict[str, frozenset[Who]] = {}
        self._causes: dict[Person, str] = {}
        self._namespaces: dict[str, NamespaceOutcome] = {}
        self._renames: dict[Person, Held] = {}
        # Of policies in Preview: what they would do.
        self.foreseen: dict[str, Foreseen] = {}

    def of(self, place: Place) -> Outcome:
        """The outcome of a place; nothing before its first pass."""
        return self._known.get(place, NOTHING)

    def set(self, place: Place, outcome: Outcome, *, opened: bool = True) -> Outcome:
        """Keep a place's outcome. `opened`: somebody opens it still. -> the one before."""
        before = self._known.pop(place, NOTHING)
        if opened or outcome.bindings:
            # Most places of a policy have the same people: let them be one and the same set.
            last = self._last.setdefault(place.policy, outcome.subjects)
            self._last[place.policy] = subjects = last if last == outcome.subjects else outcome.subjects
            self._known[place] = replace(outcome, subjects=subjects)
        for who in before.subjects - outcome.subjects:
            self._standing[who].discard(place)
            if not self._standing[who]:
                del self._standing[who]
        for who in outcome.subjects - before.subjects:
            self._standing[who].add(place)
        return before

    def places_of(self, who: Who) -> frozenset[Place]:
        """Where somebody stands."""
        return frozenset(self._standing.get(who, ()))

    def note_cause(self, people: Iterable[Person], request: str) -> None:
        """A SCIM request changed these people, or the groups that they are in."""
        for person in people:
            self._causes.pop(person, None)
            self._causes[person] = request
        while len(self._causes) > _MOST_CAUSES:
            del self._causes[next(iter(self._causes))]

    def cause(self, person: Person) -> str | None:
        """The request that changed somebody's access last, as long as their status doesn't tell it."""
        return self._causes.get(person)

    def told(self, person: Person) -> None:
        """Somebody's status was written: what comes later has another cause."""
        self._causes.pop(person, None)

    def set_namespace(self, name: str, outcome: NamespaceOutcome) -> NamespaceOutcome:
        """Keep a namespace's outcome. -> the one before"""
        before = self._namespaces.pop(name, _UNEVENTFUL)
        if outcome != _UNEVENTFUL:
            self._namespaces[name] = outcome
        return before

    def of_namespace(self, name: str) -> NamespaceOutcome:
        """The outcome of a namespace."""
        return self._namespaces.get(name, _UNEVENTFUL)

    def of_template(self, name: str) -> list[NamespaceOutcome]:
        """The namespaces that a template is in force in."""
        return [outcome for outcome in self._namespaces.values() if outcome.template == name]

    def set_rename(self, group: Person, held: Held | None) -> Held | None:
        """Keep what became of a group's new name: None, unless it waits. -> the one before"""
        before = self._renames.pop(group, None)
        if held is not None:
            self._renames[group] = held
        return before

    def rename(self, group: Person) -> Held | None:
        """The new name of a group that waits."""
        return self._renames.get(group)

    def renames(self) -> Iterator[tuple[Person, Held]]:
        """All that wait, by group."""
        yield from self._renames.items()

    def problems(self, place: Place) -> tuple[Problem, ...]:
        """Those of a place, and of the namespace that its policy makes."""
        told = self.of_namespace(place.namespace).told
        return self.of(place).problems + tuple(item.problem for item in told if item.policy == place.policy)

    def items(self) -> Iterator[tuple[Place, Outcome]]:
        """All of them."""
        yield from self._known.items()

    def __contains__(self, place: Place) -> bool:
        return place in self._known


def all_problems(outcomes: Outcomes, places: Iterable[Place]) -> list[Problem]:
    """What is wrong at these places."""
    return [problem for place in places for problem in outcomes.problems(place)]


def binding_counts(outcomes: Outcomes, places: Iterable[Place]) -> Mapping[str, int]:
    """How many bindings are there at these places, and in how many namespaces."""
    bound = [place for place in places if outcomes.of(place).bindings]
    return {
        "bindings": sum(outcomes.of(place).bindings for place in bound),
        "namespaces": len({place.namespace for place in bound if not place.cluster_wide}),
    }
