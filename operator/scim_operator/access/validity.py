"""What is wrong with a policy as such, in case its CRD let it through (helm never upgrades CRDs)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scim_operator.access.patterns import PatternError, capture_names
from scim_operator.api.durations import seconds
from scim_operator.api.policy import Grant, NamespaceTarget, PolicySpec
from scim_operator.scim.errors import ScimError
from scim_operator.scim.filters import compile_filter
from scim_operator.scim.schemas import USER

_ONE_CAPTURE = re.compile(r"\{[^{}]*\}")


def invalid(spec: PolicySpec) -> str | None:
    """The first thing that is wrong, naming the field; None when the policy can be used."""
    try:
        return next(_wrong(spec), None)
    except PatternError as error:
        return str(error)


def _wrong(spec: PolicySpec) -> Iterator[str]:
    yield from _wrong_subjects(spec)
    captures = capture_names(spec.pattern)
    for capture in spec.where:
        if capture not in captures:
            yield f"groups.where names {capture!r}, which groups.displayName doesn't capture"
    for position, grant in enumerate(spec.grants):
        for wrong in _wrong_grant(spec, grant, captures):
            yield f"grants[{position}]{wrong}"


def _wrong_subjects(spec: PolicySpec) -> Iterator[str]:
    if (spec.groups is None) == (spec.people is None):
        yield "a policy needs exactly one of groups and people"
    if spec.groups is not None and (spec.groups.display_name is None) == (spec.groups.external_ids is None):
        yield "groups needs exactly one of displayName and externalIds"
    if spec.people is not None:
        if spec.subjects != "Users":
            yield "people stand in bindings by name: subjects must be Users"
        try:
            compile_filter(USER, spec.people.filter)
        except ScimError as error:
            yield f"people.filter: {error.detail}"


def _wrong_grant(spec: PolicySpec, grant: Grant, captures: frozenset[str]) -> Iterator[str]:
    if (grant.namespaces is None) != grant.cluster:
        yield " needs exactly one of namespaces and cluster: true"
    if (grant.cluster_role is None) == (grant.role is None):
        yield " needs exactly one of clusterRole and role"
    if grant.cluster and grant.role is not None:
        yield ".role: a Role lives in a namespace"
    if grant.cluster and not _means_named_groups(spec):
        yield ".cluster needs groups.externalIds, or one group's exact name as groups.displayName"
    if grant.namespaces is not None:
        if len(_targets(grant.namespaces)) != 1:
            yield ".namespaces needs exactly one of name, names and selector"
        yield from _wrong_creation(grant.namespaces)
    for field, template in _templates(grant):
        unknown = capture_names(template) - captures
        if unknown:
            yield f".{field} uses {{{min(unknown)}}}, not in groups.displayName"
        if "*" in template:
            yield f".{field} holds a *, which only groups.displayName may"
    field, role = ("role", grant.role) if grant.role else ("clusterRole", grant.cluster_role or "")
    if "{" in role and not _ONE_CAPTURE.fullmatch(role):
        yield f".{field}: a name, or exactly one capture such as {{role}}"
    unlimited = capture_names(role) - set(spec.where)
    if unlimited:
        yield f".{field}: {{{min(unlimited)}}} must be limited by groups.where"


def _wrong_creation(target: NamespaceTarget) -> Iterator[str]:
    if target.create is None:
        return
    if target.name is None:
        yield ".namespaces.create needs namespaces.name"
    if (target.create.after is not None) != (target.create.when_unused == "Delete"):
        yield ".namespaces.create.after goes with whenUnused: Delete, and that needs it"
    if target.create.after is not None and not seconds(target.create.after):
        yield ".namespaces.create.after: at least a moment, such as 720h"


def _means_named_groups(spec: PolicySpec) -> bool:
    if spec.groups is None:
        return False
    return spec.groups.external_ids is not None or not (capture_names(spec.pattern) or "*" in spec.pattern)


def _targets(target: NamespaceTarget) -> list[object]:
    return [given for given in (target.name, target.names, target.selector) if given is not None]


def _templates(grant: Grant) -> Iterator[tuple[str, str]]:
    if grant.cluster_role is not None:
        yield "clusterRole", grant.cluster_role
    if grant.role is not None:
        yield "role", grant.role
    if grant.namespaces is not None and grant.namespaces.name is not None:
        yield "namespaces.name", grant.namespaces.name
