"""What a place's own bindings tell, which is all that counts under a policy in Preview."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scim_operator.access.bindings import Content, SubjectKind, Who
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts
from scim_operator.api.kinds import DIRECTORY_LABEL, WRITTEN_ANNOTATION

Binding = Mapping[str, Any]
# Place, name, directory -> whether that is still somebody who may have access.
MayStay = Callable[[Place, Who, str], bool]


def looked_on(place: Place, facts: Facts, held: Mapping[int, Content], may_stay: MayStay) -> Facts:
    """The facts of a place whose policy only looks on: who stands there counts, not who should.

    `facts`: as if it were in force; `held`: what our bindings there hold.
    """
    ours = facts.ours
    kind, directory = kind_in(ours.values()), directory_of(ours.values()) or facts.directory
    # Most of them are wanted there still, and need not be looked for.
    surely = facts.subjects if (kind, directory) == (facts.kind, facts.directory) else frozenset()
    staying = {
        name
        for name in _put_there(facts, kind, held)
        if name in surely or may_stay(place, (kind, name), directory)
    }
    return replace(facts, directory=directory, kind=kind, staying=frozenset(staying))


def _put_there(facts: Facts, kind: SubjectKind, held: Mapping[int, Content]) -> Iterator[str]:
    """Whom we put there. Where somebody stripped the mark that tells it, those who are wanted there: else all
    of them would be strangers."""
    for shard, found in held.items():
        marks = facts.bindings[shard]["metadata"].get("annotations") or {}
        wanted = facts.subjects if WRITTEN_ANNOTATION not in marks and kind == facts.kind else frozenset()
        for who in found.standing:
            if who[0] == kind and (who in found.written or who[1] in wanted):
                yield who[1]


def kind_in(bindings: Iterable[Binding]) -> SubjectKind:
    """What stands in them."""
    subjects = (item for binding in bindings for item in binding.get("subjects") or ())
    return "Group" if any(item["kind"] == "Group" for item in subjects) else "User"


def directory_of(bindings: Iterable[Binding]) -> str:
    """The directory on their label; empty when there is none."""
    labels = (binding["metadata"].get("labels") or {} for binding in bindings)
    return next((str(found[DIRECTORY_LABEL]) for found in labels if DIRECTORY_LABEL in found), "")
