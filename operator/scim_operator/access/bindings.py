"""The objects a place needs, and how they differ from what is there.

A binding is ours when it carries a valid `written` annotation (the hashes of the subjects we put there), or
our labels under the name we give. A subject that isn't listed in `written` was added by somebody else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from sys import intern
from typing import Any, Literal

from scim_operator.access.places import Place
from scim_operator.api.kinds import (
    DIRECTORY_LABEL,
    GRANT_LABEL,
    GRANT_UID_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    POLICY_LABEL,
    REQUEST_ANNOTATION,
    SHARDS_LABEL,
    WRITTEN_ANNOTATION,
)

RBAC = "rbac.authorization.k8s.io"
_WRITTEN = re.compile(r"([0-9a-f]{10}(,[0-9a-f]{10})*)?")
# 262,144 people in one place; a policy over more of them still works, with larger objects.
MOST_SHARDS = 1024

Object = dict[str, Any]
# What stands in a binding: people by name, or a group that people's tokens name.
SubjectKind = Literal["User", "Group"]
Who = tuple[SubjectKind, str]


def short_hash(*parts: str) -> str:
    """10 hex of the SHA-256 over the parts, joined by NUL."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


@lru_cache(maxsize=65536)
def subject_hash(kind: SubjectKind, name: str) -> str:
    """What `written` holds for a subject. A person and a group of one name are two subjects."""
    return short_hash(name) if kind == "User" else short_hash(kind, name)


@lru_cache(maxsize=65536)
def _name(policy: str, kind: str, role: str, shard: int) -> str:
    return f"scim-{policy[:40].rstrip('-')}-{short_hash(policy, kind, role, str(shard))}"


def binding_name(place: Place, shard: int = 0) -> str:
    """`scim-<policy>-<hash>`, or `scim-grant-<grant>-<hash>`; another role is another name, since a binding's
    role can't change.
    """
    if place.grant:
        # No policy's name is empty: a policy called grant-… has other hashes.
        digest = short_hash("", place.grant, place.kind, place.role, str(shard))
        return f"scim-grant-{place.grant[:40].rstrip('-')}-{digest}"
    return _name(place.policy, place.kind, place.role, shard)


def labels(policy: str, directory: str) -> dict[str, str]:
    """The labels on everything we make."""
    return {MANAGED_BY_LABEL: MANAGED_BY, POLICY_LABEL: policy, DIRECTORY_LABEL: directory}


def labels_at(place: Place, directory: str) -> dict[str, str]:
    """The labels on the bindings of a place."""
    if place.grant:
        return {MANAGED_BY_LABEL: MANAGED_BY, GRANT_LABEL: place.grant, DIRECTORY_LABEL: directory}
    return labels(place.policy, directory)


def desired_binding(
    place: Place, directory: str, subjects: Iterable[Who], *, shard: int = 0, shards: int = 1
) -> Object:
    """A RoleBinding of a place, or a ClusterRoleBinding, for these subjects: one shard of several."""
    listed = sorted(set(subjects))
    return {
        "metadata": {
            "name": binding_name(place, shard),
            **({} if place.cluster_wide else {"namespace": place.namespace}),
            "labels": {**labels_at(place, directory), SHARDS_LABEL: str(shards)},
            "annotations": {WRITTEN_ANNOTATION: ",".join(subject_hash(*who) for who in listed)},
        },
        "roleRef": {"apiGroup": RBAC, "kind": place.kind, "name": place.role},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": name} for kind, name in listed],
    }


@dataclass(frozen=True)
class Content:
    """Who stands in a binding. `ours`: we made it. `written`: those whom we put there, the others are
    strangers. `tidy`: with the subjects it has, it would be written just as it is.
    """

    ours: bool
    standing: frozenset[Who]
    written: frozenset[Who]
    tidy: bool


def content(binding: Mapping[str, Any]) -> Content:
    """A binding, read once: that takes as long as to write it."""
    subjects = binding.get("subjects") or []
    standing: frozenset[Who] = frozenset((item["kind"], item["name"]) for item in subjects)
    text = (binding["metadata"].get("annotations") or {}).get(WRITTEN_ANNOTATION, "")
    hashes = set(text.split(","))
    listed = sorted(standing)
    tidy = text == ",".join(subject_hash(*who) for who in listed) and subjects == [
        {"apiGroup": RBAC, "kind": kind, "name": name} for kind, name in listed
    ]
    written = standing if tidy else frozenset(who for who in standing if subject_hash(*who) in hashes)
    return Content(is_ours(binding), standing, written, tidy)


def kept(binding: Mapping[str, Any]) -> Object:
    """What is remembered of a binding: without managedFields, and the names as one text each in all bindings,
    since many people stand in many.
    """
    metadata = {key: value for key, value in binding["metadata"].items() if key != "managedFields"}
    if not binding.get("subjects"):
        return {**binding, "metadata": metadata}
    subjects = [{key: intern(value) for key, value in item.items()} for item in binding["subjects"]]
    return {**binding, "metadata": metadata, "subjects": subjects}


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


def places_told(binding: Mapping[str, Any]) -> list[Place]:
    """The places that a binding may stand for, by its labels; somebody may have added one."""
    labelled = binding["metadata"].get("labels") or {}
    role, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
    places = []
    if (policy := labelled.get(POLICY_LABEL)) is not None:
        places.append(Place(policy, role["name"], namespace, role["kind"]))
    if grant := labelled.get(GRANT_LABEL):
        places.append(Place("", role["name"], namespace, role["kind"], grant))
    return places


def place_of(binding: Mapping[str, Any]) -> Place | None:
    """The place a binding stands for, by its label; None when it isn't one of ours."""
    return next(iter(places_told(binding)), None)


def gives(binding: Mapping[str, Any], place: Place) -> bool:
    """True when a binding gives the role of a place, which can't be changed afterwards."""
    role = binding["roleRef"]
    return (role.get("kind"), role.get("name")) == (place.kind, place.role)


def own_place(binding: Mapping[str, Any]) -> Place | None:
    """The place a binding stands for, if it bears the name we give: a copy under another name is no one's."""
    return next((place for place in places_told(binding) if shard_of(place, binding) is not None), None)


def place_by_name(binding: Mapping[str, Any]) -> Place | None:
    """The place that a binding's name tells, without any label; None where a policy's name was cut in it."""
    role, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
    giver = binding["metadata"]["name"].removeprefix("scim-")[:-11]
    places = [Place(giver, role["name"], namespace, role["kind"])]
    if giver.startswith("grant-"):
        places.append(Place("", role["name"], namespace, role["kind"], giver.removeprefix("grant-")))
    return next((place for place in places if shard_of(place, binding) is not None), None)


def shard_of(place: Place, binding: Mapping[str, Any]) -> int | None:
    """Which shard of a place a binding is, by its name; None when it is none of them."""
    name = binding["metadata"]["name"]
    if not name.startswith("scim-"):
        return None
    # By its label first, which somebody may have changed.
    likely = shards_label(binding)
    order = chain(range(likely), range(likely, MOST_SHARDS))
    return next((shard for shard in order if binding_name(place, shard) == name), None)


def shards_label(binding: Mapping[str, Any]) -> int:
    """Over how many shards the place was spread when the binding was written; 1 when nobody can tell."""
    value = (binding["metadata"].get("labels") or {}).get(SHARDS_LABEL, "")
    count = int(value) if re.fullmatch(r"[0-9]{1,4}", value) else 1
    return count if 0 < count <= MOST_SHARDS and count.bit_count() == 1 else 1


def grant_uid(binding: Mapping[str, Any]) -> str:
    """Of which AccessGrant it is: another one of the same name has another uid. Empty: nobody knows."""
    return str((binding["metadata"].get("labels") or {}).get(GRANT_UID_LABEL, ""))


def of_grant(binding: Object, uid: str) -> Object:
    """Marked as that AccessGrant's; as it is where the uid is empty."""
    if not uid:
        return binding
    metadata = binding["metadata"]
    return {**binding, "metadata": {**metadata, "labels": {**metadata["labels"], GRANT_UID_LABEL: uid}}}


def is_as_wanted(
    binding: Mapping[str, Any],
    held: Content,
    place: Place,
    directory: str,
    subjects: frozenset[Who],
    shards: int,
) -> bool:
    """True when nothing is to be written. Labels and annotations of others are left alone."""
    wanted = {**labels_at(place, directory), SHARDS_LABEL: str(shards)}
    present = binding["metadata"].get("labels") or {}
    return (
        held.tidy
        and held.standing == subjects
        and gives(binding, place)
        and wanted.items() <= present.items()
    )


def merged(actual: Mapping[str, Any], desired: Mapping[str, Any]) -> Object:
    """`desired` in the actual object: keeps its resourceVersion and what others put into its metadata."""
    metadata = {
        **actual["metadata"],
        "labels": (actual["metadata"].get("labels") or {}) | desired["metadata"]["labels"],
        "annotations": (actual["metadata"].get("annotations") or {}) | desired["metadata"]["annotations"],
    }
    metadata.pop("managedFields", None)
    return {**desired, "metadata": metadata}


def stamped(binding: Object, request: str | None) -> Object:
    """With the id of the SCIM request that led to this write, or none: never an older one's.

    It is no part of what is compared: a binding isn't written for its sake.
    """
    metadata = binding["metadata"]
    annotations = {key: value for key, value in metadata["annotations"].items() if key != REQUEST_ANNOTATION}
    if request:
        annotations[REQUEST_ANNOTATION] = request
    return {**binding, "metadata": {**metadata, "annotations": annotations}}
