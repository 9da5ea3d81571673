"""What carrying out a policy would come to: who would have which access, beside who has it now.

Counted and listed as access: whoever has a role in a namespace by one binding and gets it there by another
one neither gains nor loses.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.places import Place, RoleKind
from scim_operator.access.problems import Problem
from scim_operator.access.shards import Contents

_NOBODY: frozenset[Who] = frozenset()

NamespaceChange = Literal["CreateNamespace", "AdoptNamespace", "ChangeNamespace", "DeleteNamespace"]


class Spot(NamedTuple):
    """A role somewhere, whoever gives it. No namespace is the whole cluster."""

    namespace: str
    role: str
    role_kind: RoleKind

    @classmethod
    def of(cls, place: Place) -> Spot:
        """That of a place."""
        return cls(place.namespace, place.role, place.kind)


class Change(NamedTuple):
    """One thing that would be done. Those about a namespace have neither role nor subject."""

    change: Literal["Add", "Remove"] | NamespaceChange
    namespace: str
    role: str = ""
    role_kind: RoleKind | Literal[""] = ""
    subject: str = ""
    subject_kind: SubjectKind | Literal[""] = ""

    def as_json(self) -> dict[str, str]:
        """As a status and `-o json` show it."""
        fields = {
            "change": self.change,
            "namespace": self.namespace,
            "role": self.role,
            "roleKind": self.role_kind,
            "subject": self.subject,
            "subjectKind": self.subject_kind,
        }
        return {key: value for key, value in fields.items() if value or key == "namespace"}


class BindingChanges(NamedTuple):
    """How many bindings would be made, written anew, and deleted."""

    create: int = 0
    change: int = 0
    delete: int = 0


def binding_changes(actual: Contents, wanted: Contents) -> BindingChanges:
    """How the bindings of one place differ from what they should hold, by shard."""
    both = actual.keys() & wanted.keys()
    return BindingChanges(
        create=len(wanted.keys() - both),
        change=sum(actual[shard] != wanted[shard] for shard in both),
        delete=len(actual.keys() - both),
    )


@dataclass(frozen=True)
class Foreseen:
    """`before` and `after`: who has access where anything was looked at; `bindings`: by place."""

    before: Mapping[Spot, frozenset[Who]] = field(default_factory=dict)
    after: Mapping[Spot, frozenset[Who]] = field(default_factory=dict)
    bindings: Mapping[Place, BindingChanges] = field(default_factory=dict)
    namespaces: Mapping[str, NamespaceChange] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @cached_property
    def added(self) -> Mapping[Spot, frozenset[Who]]:
        """Who would gain access, by where; places without anybody are left out."""
        return _lacking(self.after, self.before)

    @cached_property
    def removed(self) -> Mapping[Spot, frozenset[Who]]:
        """Who would lose access."""
        return _lacking(self.before, self.after)

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Bindings, namespaces and people, by what would become of them."""
        bindings = list(self.bindings.values())
        kinds = {"create": "CreateNamespace", "adopt": "AdoptNamespace"}
        kinds |= {"change": "ChangeNamespace", "delete": "DeleteNamespace"}
        done = list(self.namespaces.values())
        return {
            "bindings": {
                name: sum(getattr(item, name) for item in bindings) for name in BindingChanges._fields
            },
            "namespaces": {name: sum(item == kind for item in done) for name, kind in kinds.items()},
            "people": {"gain": _different(self.added), "lose": _different(self.removed)},
        }

    @cached_property
    def total(self) -> int:
        """How many changes there are to be listed."""
        moves = (*self.added.values(), *self.removed.values())
        return len(self.namespaces) + sum(map(len, moves))

    def changes(self, most: int | None = None) -> list[Change]:
        """The first of them, by namespace, role and subject; None: all."""
        return list(islice(self._changes(most), most))

    def _changes(self, most: int | None) -> Iterator[Change]:
        spots = self.added.keys() | self.removed.keys()
        here: dict[str, list[Spot]] = {}
        for spot in sorted(spots):
            here.setdefault(spot.namespace, []).append(spot)
        for namespace in sorted(here.keys() | self.namespaces.keys()):
            if namespace in self.namespaces:
                yield Change(self.namespaces[namespace], namespace)
            for spot in here.get(namespace, ()):
                yield from self._at(spot, most)

    def _at(self, spot: Spot, most: int | None) -> Iterator[Change]:
        removed = self.removed.get(spot, _NOBODY)
        moved = chain(self.added.get(spot, _NOBODY), removed)
        first = sorted(moved, key=_by_name) if most is None else heapq.nsmallest(most, moved, key=_by_name)
        for kind, name in first:
            yield Change("Remove" if (kind, name) in removed else "Add", *spot, name, kind)

    @property
    def removes(self) -> bool:
        """True when somebody would lose access."""
        return bool(self.removed)

    def as_status(self, most: int) -> dict[str, Any]:
        """For `status.preview`, and for `-o json`."""
        return {
            **self.counts,
            "total": self.total,
            "changes": [change.as_json() for change in self.changes(most)],
            "problems": sorted({problem.message for problem in self.problems})[:most],
        }


def _by_name(who: Who) -> tuple[str, SubjectKind]:
    return who[1], who[0]


def _lacking(
    here: Mapping[Spot, frozenset[Who]], there: Mapping[Spot, frozenset[Who]]
) -> dict[Spot, frozenset[Who]]:
    found = {}
    for spot, names in here.items():
        others = there.get(spot, _NOBODY)
        # Most places of a policy have the same people: let them stay one and the same set.
        lacking = names - others if others else names
        if lacking:
            found[spot] = lacking
    return found


def _different(moves: Mapping[Spot, Iterable[Who]]) -> int:
    sets = {id(names): names for names in moves.values()}
    return len(set().union(*sets.values()))
