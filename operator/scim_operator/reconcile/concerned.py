"""What has to be looked at again after something has changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from scim_operator.access.places import Place
from scim_operator.reconcile.outcomes import Person
from scim_operator.reconcile.statuses import Subject


@dataclass(frozen=True)
class Concerned:
    """What has to be looked at again. `people`: whose access a user's or group's change may move; `renamed`:
    groups whose access goes by another name than theirs, or did so until now.
    """

    places: set[Place] = field(default_factory=set)
    statuses: set[Subject] = field(default_factory=set)
    # Besides those of the places: nobody waits for these.
    unhurried: set[str] = field(default_factory=set)
    people: set[Person] = field(default_factory=set)
    # Directories whose ledger is concerned.
    ledgers: set[str] = field(default_factory=set)
    renamed: set[Person] = field(default_factory=set)

    @property
    def namespaces(self) -> set[str]:
        """What a place waits for, and what it no longer needs, is looked at with it."""
        return {place.namespace for place in self.places if not place.cluster_wide}

    def update(self, other: Concerned) -> None:
        """Add what another one has."""
        self.places.update(other.places)
        self.statuses.update(other.statuses)
        self.unhurried.update(other.unhurried)
        self.people.update(other.people)
        self.ledgers.update(other.ledgers)
        self.renamed.update(other.renamed)

    def __or__(self, other: Concerned) -> Concerned:
        return merged([self, other])


def merged(parts: Iterable[Concerned]) -> Concerned:
    """All of them together."""
    whole = Concerned()
    for part in parts:
        whole.update(part)
    return whole
