"""What one namespace should be, as a function of who wants it and of what is there (rules 8, 14 and 16).

| what is there | what is done |
| --- | --- |
| nothing | made for an active member, with the template's labels and annotations from the first moment |
| a foreign one | left alone; with `adopt: true` it gets what it lacks, and a mark |
| one with labels of ours alone | the others come back; nobody can tell whether we made it |
| ours, with people | labels that were stripped come back, the template is kept up |
| ours, without | a mark since when; deleted after that only if all who would make it say so |
| ours, labelled with a policy in Preview | nothing |

No owner references: a policy's end must never delete workloads. What can't be known (a directory or template
is missing, the policy is gone) changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_operator.access.bindings import Object, labels
from scim_operator.access.choice import Choice, Claim, Told, choose
from scim_operator.access.furnishing import NOTHING, Changes, changes, first_metadata
from scim_operator.access.templates import Fields, fields_of
from scim_operator.api.kinds import (
    ADOPTED_ANNOTATION,
    DIRECTORY_LABEL,
    MADE_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    POLICY_LABEL,
    UNUSED_ANNOTATION,
)
from scim_operator.api.template import TemplateSpec
from scim_operator.scim.instants import instant

# For so long the clock must have gone on steadily before a namespace is deleted by it.
_CONFIRMED_SECONDS = 3600.0


@dataclass(frozen=True)
class NamespaceFacts:
    """What is known about a namespace.

    `claims`: how policies make it, whether they want it now or not. `used`: an active person is wanted there
    by its name, or a binding of ours still stands for one. `frozen`: a directory is missing, so that nobody
    can tell who is wanted. `orphan`: the policy on its label is gone or invalid. `previewed`: that policy is
    in Preview; claims of such policies aren't among the `claims`. `closed`: protected, as its
    places tell; `protected`: whatever they tell. `namespace`: the object, or None. `templates`: those that
    claims name and that can be used. `now`: RFC 3339. `deletion`: it may be deleted when unused;
    `delete_after`: seconds, the longest that any policy says which could make it, with a group or without;
    `steady`: seconds for which the clock is known to have gone on without being set.
    """

    claims: frozenset[Claim]
    used: bool
    frozen: bool
    orphan: bool
    closed: bool
    protected: bool
    namespace: Mapping[str, Any] | None
    templates: Mapping[str, TemplateSpec]
    now: str
    deletion: bool
    delete_after: float
    previewed: bool = False
    steady: float = math.inf


@dataclass(frozen=True)
class NamespacePlan:
    """What to do. `create`: to be made; `patch`: labels and annotations to be set or, as None, removed.

    `adopts`: the patch makes a foreign namespace ours. `delete`: to be deleted; `delete_in`: seconds until
    then. `template`: the one whose objects belong there; empty: none do; None: they stay as they are.
    """

    create: Object | None = None
    patch: Changes = field(default_factory=dict)
    adopts: bool = False
    delete: bool = False
    delete_in: float | None = None
    template: str | None = None
    problems: tuple[Told, ...] = ()


def plan_namespace(name: str, facts: NamespaceFacts) -> NamespacePlan:
    """The plan of a namespace."""
    there = facts.namespace
    if facts.closed or (there is not None and is_going(there)):
        return NamespacePlan()
    if facts.previewed and there is not None and is_kept_up(there):
        return NamespacePlan()  # whoever has the say about it only looks on
    made = there is None or MADE_ANNOTATION in _annotations(there)
    # Whoever doesn't take over a namespace brings nothing into one that others made.
    claims = [claim for claim in facts.claims if made or claim.creation.adopt]
    if there is None:
        claims = [claim for claim in claims if claim.wanted]
    choice = choose(name, claims, facts.templates.keys(), _label(there, POLICY_LABEL))
    if there is None:
        return _missing(name, facts, choice)
    if not is_kept_up(there):
        return _foreign(there, facts, choice)
    # While its policy is gone, which may be for a moment, another one may bring a template, and strip none.
    return _ours(there, facts, choice, keep=not claims or (facts.orphan and not choice.template))


def _missing(name: str, facts: NamespaceFacts, choice: Choice) -> NamespacePlan:
    if choice.maker is None:
        return NamespacePlan()
    if choice.template is None:
        return NamespacePlan(problems=choice.problems)
    first = first_metadata(_fields(facts, choice.template))
    marks = {MADE_ANNOTATION: "true"}
    metadata = {
        "name": name,
        "labels": first["labels"] | labels(choice.maker.policy, choice.maker.directory),
        "annotations": first["annotations"] | marks,
    }
    return NamespacePlan(create={"metadata": metadata}, template=choice.template, problems=choice.problems)


def _foreign(there: Mapping[str, Any], facts: NamespaceFacts, choice: Choice) -> NamespacePlan:
    adopters = [claim for claim in facts.claims if claim.wanted and claim.creation.adopt]
    if not adopters or facts.protected:
        makers = sorted(claim for claim in facts.claims if claim.wanted)
        lacking = _lacking(there, makers[0] if makers else None) if is_made_by_us(there) else {}
        return NamespacePlan(patch={"labels": lacking} if lacking else {})
    if choice.template is None:
        return NamespacePlan(problems=choice.problems)
    patch = changes(there["metadata"], _fields(facts, choice.template), made=False)
    return NamespacePlan(
        patch={
            "labels": {**patch["labels"], **_lacking(there, min(adopters))},
            "annotations": {**patch["annotations"], ADOPTED_ANNOTATION: "true"},
        },
        adopts=True,
        template=choice.template,
        problems=choice.problems,
    )


def _ours(there: Mapping[str, Any], facts: NamespaceFacts, choice: Choice, *, keep: bool) -> NamespacePlan:
    """`keep`: whoever could say what belongs there isn't there, so it keeps what it has."""
    made = ADOPTED_ANNOTATION not in _annotations(there)
    template = None if keep else choice.template
    kept_up: Changes = {"labels": {}, "annotations": {}}
    if template is not None:
        kept_up = changes(there["metadata"], _fields(facts, template), made=made)
    patch: Changes = {
        "labels": {**kept_up["labels"], **_lacking(there, choice.maker)},
        "annotations": {**kept_up["annotations"], **_mark(there, facts)},
    }
    left = _seconds_left(there, facts) if made else None
    delete = left is not None and left <= 0
    return NamespacePlan(
        patch={} if delete else {kind: keys for kind, keys in patch.items() if keys},
        delete=delete,
        delete_in=None if delete else left,
        template=template,
        problems=choice.problems,
    )


def _mark(there: Mapping[str, Any], facts: NamespaceFacts) -> dict[str, str | None]:
    """The change of the mark that tells since when nobody is wanted there."""
    if facts.used:
        return {UNUSED_ANNOTATION: None} if UNUSED_ANNOTATION in _annotations(there) else {}
    if facts.frozen:
        return {}
    since, created = unused_since(there), _created(there)
    # One that was restored from a backup bears the mark of the one before.
    marked = since is not None and since >= created
    return {} if marked else {UNUSED_ANNOTATION: facts.now}


def _seconds_left(there: Mapping[str, Any], facts: NamespaceFacts) -> float | None:
    """Until an unused namespace goes; None: it stays. One policy that keeps it is enough."""
    since, now = unused_since(there), instant(facts.now)
    stays = facts.used or facts.frozen or facts.orphan or facts.protected or not facts.deletion
    if since is None or now is None or stays or facts.delete_after == math.inf:
        return None
    left = max(since, _created(there)) + facts.delete_after - now[0]
    # A clock that was set says that time has passed, and only time can say whether that is so.
    return max(left, min(facts.delete_after, _CONFIRMED_SECONDS) - facts.steady)


def _created(there: Mapping[str, Any]) -> int:
    created = instant(str(there["metadata"].get("creationTimestamp", "")))
    return created[0] if created is not None else 0


def unused_since(namespace: Mapping[str, Any]) -> int | None:
    """What the mark says, in seconds since 1970; None when there is none, or none that can be read."""
    since = instant(_annotations(namespace).get(UNUSED_ANNOTATION, ""))
    return since[0] if since is not None else None


def is_made_by_us(namespace: Mapping[str, Any]) -> bool:
    """True for namespaces the operator made or adopted, as long as one of its marks is left.

    Another tool may have written its own name into managed-by, or somebody stripped labels: that must not end
    anybody's access. Who may set these marks may set allow-policy as well.
    """
    if is_kept_up(namespace):
        return True
    present = namespace["metadata"].get("labels") or {}
    return bool(present.keys() & {POLICY_LABEL, DIRECTORY_LABEL}) or (
        present.get(MANAGED_BY_LABEL) == MANAGED_BY
    )


def is_kept_up(namespace: Mapping[str, Any]) -> bool:
    """True for those that the operator surely made or adopted: labels alone may be anybody's."""
    return bool(_annotations(namespace).keys() & {MADE_ANNOTATION, ADOPTED_ANNOTATION})


def is_going(namespace: Mapping[str, Any]) -> bool:
    """True while a namespace is being deleted."""
    return bool(namespace["metadata"].get("deletionTimestamp"))


def _fields(facts: NamespaceFacts, template: str) -> Fields:
    return fields_of(facts.templates[template]) if template else NOTHING


def _lacking(namespace: Mapping[str, Any], maker: Claim | None) -> dict[str, str | None]:
    """Labels of ours that it lacks. A value that somebody chose is left alone; nobody's are put back."""
    if maker is None:
        return {}
    present = namespace["metadata"].get("labels") or {}
    wanted = labels(maker.policy, maker.directory)
    return {key: value for key, value in wanted.items() if key not in present}


def _annotations(namespace: Mapping[str, Any]) -> Mapping[str, str]:
    return namespace["metadata"].get("annotations") or {}


def _label(namespace: Mapping[str, Any] | None, name: str) -> str:
    return str(((namespace or {"metadata": {}})["metadata"].get("labels") or {}).get(name, ""))
