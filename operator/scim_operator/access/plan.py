"""What one place should look like, as a function of what is known (rule 8: level-triggered)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.access.bindings import Object, desired_binding, desired_namespace, is_ours
from scim_operator.access.places import Opening, Place
from scim_operator.access.problems import Problem
from scim_operator.api.kinds import ALLOW_POLICY_LABEL, MANAGED_BY, MANAGED_BY_LABEL


@dataclass(frozen=True)
class Facts:
    """What is known about a place.

    `directory_exists` False: nobody can be named, so nothing may change. `opening` None: no group opens it
    any more. `subjects`: active members, refused ones left out. `namespace` and `binding`: objects or None.
    """

    directory: str
    directory_exists: bool
    opening: Opening | None
    subjects: frozenset[str]
    namespace: Mapping[str, Any] | None
    role_exists: bool
    binding: Mapping[str, Any] | None


@dataclass(frozen=True)
class Plan:
    """What to do. `binding` None: there must be none of ours. `keep`: leave the binding as it is."""

    namespace: Object | None = None
    binding: Object | None = None
    keep: bool = False
    problems: tuple[Problem, ...] = ()


def plan(place: Place, facts: Facts) -> Plan:
    """The plan of a place."""
    if not facts.directory_exists:
        return Plan(keep=True, problems=(directory_missing(facts.directory),))
    if facts.binding is not None and not is_ours(facts.binding):
        return Plan(keep=True, problems=(_foreign_binding(place, facts.binding),))
    if facts.opening is None or not facts.subjects:
        return Plan()
    binding = desired_binding(place, facts.directory, facts.subjects)
    refused = _namespace_refusal(place, facts.opening, facts.namespace)
    if refused is not None:
        return Plan(problems=(refused,))
    if not facts.role_exists:
        # What is there stays: it gives nothing now, and the access is back as soon as the role is.
        kept = binding if facts.binding is not None else None
        return Plan(binding=kept, problems=(_role_missing(place),))
    namespace = desired_namespace(place, facts.directory) if facts.namespace is None else None
    return Plan(namespace=namespace, binding=binding)


def is_made_by_us(namespace: Mapping[str, Any]) -> bool:
    """True for namespaces the operator made."""
    return _label(namespace, MANAGED_BY_LABEL) == MANAGED_BY


def _namespace_refusal(place: Place, opening: Opening, namespace: Mapping[str, Any] | None) -> Problem | None:
    if namespace is None:
        if opening.create:
            return None
        message = f"namespace {place.namespace!r} doesn't exist; make it, or set `create: {{}}` in the grant"
        return Problem("NamespaceMissing", "NotFound", message)
    if namespace["metadata"].get("deletionTimestamp"):
        message = f"namespace {place.namespace!r} is being deleted; access follows when it is back"
        return Problem("NamespaceMissing", "Terminating", message)
    consent = _label(namespace, ALLOW_POLICY_LABEL)
    if opening.captured and not is_made_by_us(namespace) and consent not in (place.policy, "any"):
        message = (
            f"namespace {place.namespace!r} wasn't made by scim-operator, and a group's name alone must not "
            f"open it; to allow: kubectl label ns {place.namespace} {ALLOW_POLICY_LABEL}={place.policy}"
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


def _foreign_binding(place: Place, binding: Mapping[str, Any]) -> Problem:
    name = binding["metadata"]["name"]
    message = (
        f"RoleBinding {place.namespace}/{name} exists and wasn't made by scim-operator; it is left alone: "
        "rename or delete it"
    )
    return Problem("Conflict", "ForeignBinding", message)


def _role_missing(place: Place) -> Problem:
    return Problem(
        "RoleMissing", "NotFound", f"ClusterRole {place.role!r} doesn't exist; nothing is granted yet"
    )
