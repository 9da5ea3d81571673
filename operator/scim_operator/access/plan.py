"""What one place should look like, as a function of what is known (rule 8: level-triggered)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scim_operator.access.bindings import (
    SubjectKind,
    Who,
    binding_name,
    is_ours,
)
from scim_operator.access.namespaces import is_going, is_made_by_us
from scim_operator.access.places import Opening, Place
from scim_operator.access.problems import Problem
from scim_operator.access.shards import shard_count, spread
from scim_operator.api.kinds import ALLOW_POLICY_LABEL


@dataclass(frozen=True)
class Facts:
    """What is known about a place.

    `directory_exists` False: nobody can be named, so nothing may change. `opening` None: no group opens it
    any more. `subjects`: active members, or the groups, without the refused. `anybody`: a member is active.
    `namespace`: an object or None. `bindings`: those under the names of the place's shards, whoever made
    them; `shards`: over how many it is spread. `moving`: who stands in a binding, isn't wanted here any more,
    and is about to be put into a binding of another place in the same namespace. `limit`: the policy's
    maxNamespaces, when this namespace is one too many; else None. `closed`: the namespace is protected, even
    from policies that name it literally. `staying`: for a policy in Preview, whom we put there and who may
    have access still; None: the policy is in force. `kind` is theirs then.
    """

    directory: str
    directory_exists: bool
    opening: Opening | None
    kind: SubjectKind
    subjects: frozenset[str]
    anybody: bool
    namespace: Mapping[str, Any] | None
    role_exists: bool
    bindings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    shards: int = 1
    moving: frozenset[str] = frozenset()
    limit: int | None = None
    closed: bool = False
    staying: frozenset[str] | None = None

    @cached_property
    def ours(self) -> dict[int, Mapping[str, Any]]:
        """The bindings that we made."""
        return {shard: binding for shard, binding in self.bindings.items() if is_ours(binding)}


@dataclass(frozen=True)
class Plan:
    """What to do. `subjects`: who should stand in the bindings of the place, spread over so many `shards`;
    nobody: there must be none of ours. `kept`: who stays where they stand, until somebody says so. `keep`:
    leave the bindings as they are.
    """

    subjects: frozenset[str] = frozenset()
    shards: int = 1
    keep: bool = False
    kept: frozenset[Who] = frozenset()
    problems: tuple[Problem, ...] = ()


def plan(place: Place, facts: Facts) -> Plan:
    """The plan of a place."""
    if not facts.directory_exists:
        return Plan(keep=True, problems=(directory_missing(facts.directory),))
    if facts.staying is not None:
        # Nobody comes, whatever else is so; and who goes is no longer anybody.
        return Plan(facts.staying, shard_count(facts.shards, facts.kind, facts.staying))
    if _is_being_adopted(place, facts):
        return Plan(keep=True)  # its own event makes this place due again
    wanted, problems = _wanted(place, facts)
    # Nobody loses one binding before the other one is there (rule 12).
    names = wanted | facts.moving if facts.moving else wanted
    if not names:
        return Plan(problems=problems)
    if wanted and facts.namespace is None and not place.cluster_wide:
        # It is being made, and its own event makes this place due again.
        return Plan(keep=True, problems=problems)
    shards = shard_count(facts.shards, facts.kind, names)
    return Plan(
        subjects=names,
        shards=shards,
        problems=(*problems, *_foreign_bindings(place, facts, names, shards)),
    )


def is_reached(place: Place, facts: Facts) -> bool:
    """True when nothing about its namespace keeps people from a place that is opened."""
    if facts.opening is None or place.cluster_wide:
        return facts.opening is not None
    return facts.namespace is not None and _namespace_refusal(place, facts.opening, facts) is None


def _is_being_adopted(place: Place, facts: Facts) -> bool:
    """True while a namespace opens to the place only by becoming ours. Nobody keeps access by that."""
    opening, namespace = facts.opening, facts.namespace
    if opening is None or namespace is None or not opening.adopts or facts.ours or is_going(namespace):
        return False
    wanted = facts.subjects and facts.anybody and (facts.role_exists or place.kind == "Role")
    return bool(wanted) and facts.limit is None and not _is_open(place, opening, namespace)


def _is_open(place: Place, opening: Opening, namespace: Mapping[str, Any]) -> bool:
    """True for a namespace that a policy may bind in: the author named it, it is ours, or it consents."""
    consent = _label(namespace, ALLOW_POLICY_LABEL)
    return not opening.captured or is_made_by_us(namespace) or consent in (place.policy, "any")


def _wanted(place: Place, facts: Facts) -> tuple[frozenset[str], tuple[Problem, ...]]:
    """Who should stand in the binding, and what keeps others from it."""
    if facts.opening is None or not facts.subjects:
        return frozenset(), ()
    refused = None if place.cluster_wide else _namespace_refusal(place, facts.opening, facts)
    if refused is not None:
        return frozenset(), (refused,)
    if facts.namespace is None and not place.cluster_wide:
        if not facts.anybody:
            return frozenset(), ()  # a namespace is made for somebody (rule 14)
        if place.kind == "Role":
            return facts.subjects, ()  # a Role can be there only after its namespace
    if not facts.role_exists:
        # What is there stays: it gives nothing now, and the access is back as soon as the role is.
        kept = facts.subjects if facts.ours else frozenset()
        return kept, (role_missing(place),)
    return facts.subjects, ()


def _namespace_refusal(place: Place, opening: Opening, facts: Facts) -> Problem | None:
    namespace = facts.namespace
    if facts.closed:
        message = (
            f"namespace {place.namespace!r} is protected; to let policies name it, add it to the chart's "
            "value `literalNamespaces`, or name another one"
        )
        return Problem("Conflict", "ProtectedNamespace", message)
    if facts.limit is not None:
        message = (
            f"namespace {place.namespace!r} would be more than the {facts.limit} that the policy may reach; "
            "raise spec.maxNamespaces if that is meant"
        )
        return Problem("Stalled", "TooManyNamespaces", message)
    if namespace is None:
        if opening.create:
            return None
        remedy = "make it" if place.grant else "make it, or set `create: {}` by its name"
        message = f"namespace {place.namespace!r} doesn't exist; {remedy}"
        return Problem("NamespaceMissing", "NotFound", message)
    if is_going(namespace):
        message = f"namespace {place.namespace!r} is being deleted; access follows when it is back"
        return Problem("NamespaceMissing", "Terminating", message)
    # Whose marks were stripped: it is adopted again, and nobody is to be out meanwhile.
    if not _is_open(place, opening, namespace) and not (opening.adopts and facts.ours):
        message = (
            f"namespace {place.namespace!r} bears no mark of scim-operator, and a group's name alone must "
            f"not open it; to allow: kubectl label ns {place.namespace} {ALLOW_POLICY_LABEL}={place.policy}"
        )
        return Problem("Conflict", "ForeignNamespace", message)
    return None


def _label(item: Mapping[str, Any], name: str) -> str | None:
    value: str | None = (item["metadata"].get("labels") or {}).get(name)
    return value


def directory_missing(directory: str) -> Problem:
    """Nobody can be named without it, so nothing is changed."""
    message = f"ScimDirectory {directory!r} doesn't exist; access stays as it is until it does"
    return Problem("Stalled", "DirectoryMissing", message)


def revocation_delayed() -> Problem:
    """What `subjects: Group` means for leavers."""
    message = (
        "the bindings name groups, so a leaver keeps access until their token ends; `subjects: Users` takes "
        "it away at once"
    )
    return Problem("RevocationDelayed", "GroupSubjects", message)


def _foreign_bindings(place: Place, facts: Facts, subjects: frozenset[str], shards: int) -> Iterator[Problem]:
    ours = facts.ours
    if len(ours) < len(facts.bindings):
        needed = spread(facts.kind, subjects, shards).keys() - ours.keys()
        yield from (_foreign_binding(place, shard) for shard in sorted(needed & facts.bindings.keys()))


def _foreign_binding(place: Place, shard: int) -> Problem:
    name = binding_name(place, shard)
    what = f"ClusterRoleBinding {name}" if place.cluster_wide else f"RoleBinding {place.namespace}/{name}"
    message = f"{what} exists and wasn't made by scim-operator; it is left alone: rename or delete it"
    return Problem("Conflict", "ForeignBinding", message)


def role_missing(place: Place) -> Problem:
    """The role isn't there to be given."""
    where = f" in namespace {place.namespace!r}" if place.kind == "Role" else ""
    message = f"{place.kind} {place.role!r} doesn't exist{where}; nothing is granted yet"
    return Problem("RoleMissing", "NotFound", message)
