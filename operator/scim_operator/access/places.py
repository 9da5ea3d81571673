"""Where access is given: a place is (policy, role, namespace), the unit of planning and of work.

`places_of` says which places one group opens under one policy; nothing in here looks at the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scim_operator.access.patterns import AmbiguousError, PatternError, capture_names, fill, match
from scim_operator.access.problems import Problem
from scim_operator.api.policy import Grant, PolicySpec

_ONE_CAPTURE = re.compile(r"\{[^{}]*\}")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ALWAYS_PROTECTED = frozenset({"default"})


class Place(NamedTuple):
    """Where a policy gives a role. Compares and sorts by its names; no namespace is the whole cluster."""

    policy: str
    role: str
    namespace: str

    @property
    def cluster_wide(self) -> bool:
        """True when the role is given in the whole cluster."""
        return not self.namespace


@dataclass(frozen=True)
class Opening:
    """How a place came about: `captured` names need the namespace's consent; `create` makes it."""

    captured: bool
    create: bool


@dataclass(frozen=True)
class Settings:
    """What the chart's values say. `protected`: namespaces besides kube-* and default."""

    protected: frozenset[str]

    def is_protected(self, namespace: str) -> bool:
        """True for namespaces that no capture may ever reach (rule 14)."""
        return namespace.startswith("kube-") or namespace in _ALWAYS_PROTECTED | self.protected


@dataclass(frozen=True)
class Opened:
    """What one group opens under one policy."""

    matched: bool = False
    places: tuple[tuple[Place, Opening], ...] = ()
    problems: tuple[Problem, ...] = ()


def invalid(spec: PolicySpec) -> str | None:
    """What is wrong with a policy as such, in case its CRD let it through; None when it can be used."""
    try:
        captures = capture_names(spec.groups.display_name)
        for capture in spec.groups.where:
            if capture not in captures:
                return f"groups.where names {capture!r}, which groups.displayName doesn't capture"
        exact = not captures and "*" not in spec.groups.display_name
        for position, grant in enumerate(spec.grants):
            if (grant.namespaces is None) != grant.cluster:
                return f"grants[{position}] needs exactly one of namespaces and cluster: true"
            if grant.cluster and not exact:
                return f"grants[{position}].cluster needs one group's exact name as groups.displayName"
            for field, template in _templates(grant):
                unknown = capture_names(template) - captures
                if unknown:
                    return f"grants[{position}].{field} uses {{{min(unknown)}}}, not in groups.displayName"
                if "*" in template:
                    return f"grants[{position}].{field} holds a *, which only groups.displayName may"
            if "{" in grant.cluster_role and not _ONE_CAPTURE.fullmatch(grant.cluster_role):
                return f"grants[{position}].clusterRole: a name, or exactly one capture such as {{role}}"
            limited = capture_names(grant.cluster_role) - set(spec.groups.where)
            if limited:
                return f"grants[{position}].clusterRole: {{{min(limited)}}} must be limited by groups.where"
    except PatternError as error:
        return str(error)
    return None


def places_of(policy: str, spec: PolicySpec, group: str, settings: Settings) -> Opened:
    """The places that a group of that displayName opens under a valid policy."""
    try:
        captures = match(spec.groups.display_name, spec.groups.where, group)
    except AmbiguousError as error:
        message = f"group {group!r} can be read in two ways ({error}) and grants nothing"
        return Opened(True, (), (Problem("Ambiguous", "TwoSplits", message),))
    if captures is None:
        return Opened()
    places: dict[Place, Opening] = {}
    problems = []
    for grant in spec.grants:
        target = _target(policy, grant, group, captures, settings)
        if isinstance(target, Problem):
            problems.append(target)
        else:
            place, opening = target
            places[place] = widest([opening, *([places[place]] if place in places else [])])
    return Opened(True, tuple(places.items()), tuple(problems))


def _templates(grant: Grant) -> Iterator[tuple[str, str]]:
    yield "clusterRole", grant.cluster_role
    if grant.namespaces is not None:
        yield "namespaces.name", grant.namespaces.name


def _target(
    policy: str, grant: Grant, group: str, captures: dict[str, str], settings: Settings
) -> tuple[Place, Opening] | Problem:
    if grant.namespaces is None:
        return Place(policy, _role(grant, captures), ""), Opening(captured=False, create=False)
    namespace = fill(grant.namespaces.name, captures)
    captured = bool(capture_names(grant.namespaces.name))
    if len(namespace) > 63 or not _NAMESPACE.fullmatch(namespace):
        message = f"group {group!r} would need a namespace {namespace!r}, which is no valid name"
        return Problem("NamespaceMissing", "InvalidName", message)
    if captured and settings.is_protected(namespace):
        message = (
            f"group {group!r} names the protected namespace {namespace!r} and grants nothing there; "
            "rename the group in the provider"
        )
        return Problem("Conflict", "ProtectedNamespace", message)
    place = Place(policy, _role(grant, captures), namespace)
    return place, Opening(captured=captured, create=grant.namespaces.create is not None)


def _role(grant: Grant, captures: dict[str, str]) -> str:
    """The ClusterRole's name. A literal is taken as it stands: role names are case-sensitive."""
    names = capture_names(grant.cluster_role)
    return captures[next(iter(names))] if names else grant.cluster_role


def widest(openings: Sequence[Opening]) -> Opening:
    """Several grants or groups meet in one place: the author's literal name and wish to create count."""
    return Opening(
        captured=all(opening.captured for opening in openings),
        create=any(opening.create for opening in openings),
    )
