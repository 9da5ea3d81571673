"""What one namespace should be, as a function of who wants it and of what is there (rules 8 and 14).

A namespace is made for somebody, once, and never taken over: one that exists is somebody's, unless it bears a
mark of ours. It has no owner reference: a policy's end must never delete workloads (rule 16).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scim_operator.access.bindings import Object, labels
from scim_operator.access.problems import Problem
from scim_operator.api.kinds import (
    DIRECTORY_LABEL,
    MADE_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    POLICY_LABEL,
)


class Maker(NamedTuple):
    """A policy that makes a namespace, for an active member of a group, or a person, of a directory."""

    policy: str
    directory: str


@dataclass(frozen=True)
class NamespaceFacts:
    """What is known about a namespace. `namespace`: the object, or None."""

    makers: frozenset[Maker]
    namespace: Mapping[str, Any] | None


@dataclass(frozen=True)
class NamespacePlan:
    """What to do. `create`: the namespace to be made; `relabel`: labels of ours that somebody stripped."""

    create: Object | None = None
    relabel: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NamespaceOutcome:
    """What the last pass over a namespace came to: why the API server refused what `policies` want."""

    policies: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


def plan_namespace(name: str, facts: NamespaceFacts) -> NamespacePlan:
    """The plan of a namespace. Of several makers the first by name is the one it is labelled with."""
    if not facts.makers:
        return NamespacePlan()
    maker = min(facts.makers)
    if facts.namespace is None:
        return NamespacePlan(create=desired_namespace(name, maker))
    return NamespacePlan(relabel=_stripped(facts.namespace, maker))


def desired_namespace(name: str, maker: Maker) -> Object:
    """Labels come and go by hand, as selectors; the annotation remembers that we made it."""
    return {
        "metadata": {
            "name": name,
            "labels": labels(maker.policy, maker.directory),
            "annotations": {MADE_ANNOTATION: "true"},
        }
    }


def is_made_by_us(namespace: Mapping[str, Any]) -> bool:
    """True for namespaces the operator made, as long as one of its marks is left.

    Another tool may have written its own name into managed-by, or somebody stripped labels: that must not end
    anybody's access. Who may set these marks may set allow-policy as well.
    """
    metadata = namespace["metadata"]
    if MADE_ANNOTATION in (metadata.get("annotations") or {}):
        return True
    present = metadata.get("labels") or {}
    return bool(present.keys() & {POLICY_LABEL, DIRECTORY_LABEL}) or (
        present.get(MANAGED_BY_LABEL) == MANAGED_BY
    )


def is_going(namespace: Mapping[str, Any]) -> bool:
    """True while a namespace is being deleted."""
    return bool(namespace["metadata"].get("deletionTimestamp"))


def _stripped(namespace: Mapping[str, Any], maker: Maker) -> dict[str, str]:
    """Labels that a namespace of ours lacks. A value that somebody chose is left alone."""
    if is_going(namespace) or not is_made_by_us(namespace):
        return {}
    present = namespace["metadata"].get("labels") or {}
    wanted = labels(maker.policy, maker.directory)
    return {key: value for key, value in wanted.items() if key not in present}
