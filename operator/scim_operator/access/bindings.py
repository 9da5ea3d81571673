"""The objects a place needs, and how they differ from what is there.

A binding is ours when it carries a valid `written` annotation (the hashes of the subjects we put there), or
our labels under the name we give. A subject that isn't listed in `written` was added by somebody else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal

from scim_operator.access.places import Place
from scim_operator.api.kinds import (
    DIRECTORY_LABEL,
    MADE_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    POLICY_LABEL,
    SHARDS_LABEL,
    WRITTEN_ANNOTATION,
)

RBAC = "rbac.authorization.k8s.io"
_WRITTEN = re.compile(r"([0-9a-f]{10}(,[0-9a-f]{10})*)?")
_SHARD = "0"

Object = dict[str, Any]
# What stands in a binding: people by name, or a group that people's tokens name.
SubjectKind = Literal["User", "Group"]


class Change(Enum):
    """What brings an actual binding to the desired one. RECREATE: roleRef is immutable."""

    NONE = "none"
    UPDATE = "update"
    RECREATE = "recreate"


def short_hash(*parts: str) -> str:
    """10 hex of the SHA-256 over the parts, joined by NUL."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def binding_name(place: Place) -> str:
    """`scim-<policy>-<hash>`; another role is another name, since a binding's role can't change."""
    return f"scim-{place.policy[:40].rstrip('-')}-{short_hash(place.policy, place.kind, place.role, _SHARD)}"


def labels(policy: str, directory: str) -> dict[str, str]:
    """The labels on everything we make."""
    return {MANAGED_BY_LABEL: MANAGED_BY, POLICY_LABEL: policy, DIRECTORY_LABEL: directory}


def desired_binding(
    place: Place, directory: str, subjects: Iterable[str], kind: SubjectKind = "User"
) -> Object:
    """The RoleBinding of a place, or its ClusterRoleBinding, for these subject names."""
    names = sorted(set(subjects))
    return {
        "metadata": {
            "name": binding_name(place),
            **({} if place.cluster_wide else {"namespace": place.namespace}),
            "labels": {**labels(place.policy, directory), SHARDS_LABEL: "1"},
            "annotations": {WRITTEN_ANNOTATION: ",".join(_written(kind, name) for name in names)},
        },
        "roleRef": {"apiGroup": RBAC, "kind": place.kind, "name": place.role},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": name} for name in names],
    }


def standing(binding: Mapping[str, Any] | None, kind: SubjectKind) -> frozenset[str]:
    """The names of that kind in a binding of ours; none when there is no such binding."""
    if binding is None or not is_ours(binding):
        return frozenset()
    return frozenset(item["name"] for item in binding.get("subjects") or () if item["kind"] == kind)


def desired_namespace(place: Place, directory: str) -> Object:
    """A bare namespace. No owner reference: a policy's end must never delete workloads (rule 16).

    Labels come and go by hand, as selectors; the annotation remembers that we made it.
    """
    return {
        "metadata": {
            "name": place.namespace,
            "labels": labels(place.policy, directory),
            "annotations": {MADE_ANNOTATION: "true"},
        }
    }


def is_ours(binding: Mapping[str, Any]) -> bool:
    """True for a binding that we wrote, whatever was done to it since.

    Who may edit bindings in a namespace may strip the annotation, or the labels; as long as one of them is
    left under the name that only we compute, the binding is ours and is put right.
    """
    metadata = binding["metadata"]
    written = (metadata.get("annotations") or {}).get(WRITTEN_ANNOTATION)
    if written is not None and _WRITTEN.fullmatch(written):
        return True
    if (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) != MANAGED_BY:
        return False
    return own_place(binding) is not None


def place_of(binding: Mapping[str, Any]) -> Place | None:
    """The place a binding stands for, by its label; None when it isn't one of ours."""
    policy = (binding["metadata"].get("labels") or {}).get(POLICY_LABEL)
    role = binding["roleRef"]
    if policy is None:
        return None
    return Place(policy, role["name"], binding["metadata"].get("namespace", ""), role["kind"])


def own_place(binding: Mapping[str, Any]) -> Place | None:
    """The place a binding stands for, if it bears the name we give: a copy under another name is no one's."""
    place = place_of(binding)
    named = place is not None and binding_name(place) == binding["metadata"]["name"]
    return place if named else None


def compare(actual: Mapping[str, Any], desired: Mapping[str, Any]) -> Change:
    """What is needed. Labels and annotations of others are left alone."""
    if actual["roleRef"] != desired["roleRef"]:
        return Change.RECREATE
    same = (
        (actual.get("subjects") or []) == desired["subjects"]
        and _covers(actual, desired, "labels")
        and _covers(actual, desired, "annotations")
    )
    return Change.NONE if same else Change.UPDATE


def merged(actual: Mapping[str, Any], desired: Mapping[str, Any]) -> Object:
    """`desired` in the actual object: keeps its resourceVersion and what others put into its metadata."""
    metadata = {
        **actual["metadata"],
        "labels": (actual["metadata"].get("labels") or {}) | desired["metadata"]["labels"],
        "annotations": (actual["metadata"].get("annotations") or {}) | desired["metadata"]["annotations"],
    }
    metadata.pop("managedFields", None)
    return {**desired, "metadata": metadata}


def _written(kind: SubjectKind, name: str) -> str:
    """A person and a group of one name are two subjects."""
    return short_hash(name) if kind == "User" else short_hash(kind, name)


def _covers(actual: Mapping[str, Any], desired: Mapping[str, Any], field: str) -> bool:
    present = actual["metadata"].get(field) or {}
    return all(present.get(key) == value for key, value in desired["metadata"][field].items())
