"""What the passes over places and namespaces came to: what statuses and metrics tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scim_operator.access.choice import Told
from scim_operator.access.places import Place
from scim_operator.access.problems import Problem

# A request explains a grant until the person's status has it; so many wait for that at most.
_MOST_CAUSES = 100_000


@dataclass(frozen=True)
class Outcome:
    """What the last pass over a place came to: so many bindings of ours are there, with these subjects."""

    bindings: int = 0
    subjects: frozenset[str] = frozenset()
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
    """Place -> outcome, of the places that somebody opens."""

    def __init__(self) -> None:
        self._known: dict[Place, Outcome] = {}
        self._causes: dict[tuple[Place, str], str] = {}
        self._namespaces: dict[str, NamespaceOutcome] = {}

    def of(self, place: Place) -> Outcome:
        """The outcome of a place; nothing before its first pass."""
        return self._known.get(place, NOTHING)

    def set(self, place: Place, outcome: Outcome | None, request: str | None = None) -> Outcome:
        """Keep a place's outcome; None: nobody opens it any more. -> the one before.

        `request`: the id of the SCIM request that led to the pass.
        """
        before = self._known.pop(place, NOTHING)
        if outcome is not None:
            self._known[place] = outcome
            if request:
                self._causes.update(((place, name), request) for name in outcome.subjects - before.subjects)
                for oldest in list(self._causes)[: max(0, len(self._causes) - _MOST_CAUSES)]:
                    del self._causes[oldest]
        return before

    def cause(self, place: Place, subject: str) -> str | None:
        """The request that brought a subject into a place, as long as it isn't written down elsewhere."""
        return self._causes.get((place, subject))

    def written_down(self, places: Iterable[Place], subject: str) -> None:
        """A status tells the causes of these now."""
        for place in places:
            self._causes.pop((place, subject), None)

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
