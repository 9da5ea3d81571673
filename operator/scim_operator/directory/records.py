"""One user or group as we know it: the SCIM document beside the Kubernetes object it is stored in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

import orjson

from scim_operator.api.kinds import (
    DIRECTORY_LABEL,
    GRANTED_AS_ANNOTATION,
    GROUP,
    SCIM_GROUP,
    SCIM_USER,
    VERSION,
    Kind,
)
from scim_operator.directory.members import NOTHING, Pending
from scim_operator.kube.resources import Resource
from scim_operator.scim.schemas import GROUP as GROUP_TYPE
from scim_operator.scim.schemas import USER as USER_TYPE
from scim_operator.scim.versions import entity_tag

USERS = Resource(GROUP, VERSION, SCIM_USER.plural, SCIM_USER.kind)
GROUPS = Resource(GROUP, VERSION, SCIM_GROUP.plural, SCIM_GROUP.kind)
RESOURCES: Mapping[str, Resource] = {USER_TYPE.name: USERS, GROUP_TYPE.name: GROUPS}
KINDS: Mapping[str, Kind] = {USER_TYPE.name: SCIM_USER, GROUP_TYPE.name: SCIM_GROUP}
TYPES: Mapping[str, str] = {kind.kind: name for name, kind in KINDS.items()}

Object = dict[str, Any]
Revision = tuple[int, str | None, int]


@dataclass(frozen=True, slots=True)
class Meta:
    """When and by which request the provider's data last changed. `version` counts the changes.

    `created_by`: the request that made it, None where that isn't known.
    """

    created: str
    last_modified: str
    version: int
    request: str | None
    created_by: str | None = None

    def changed(self, now: str, request: str) -> Meta:
        """After one more change."""
        return replace(self, last_modified=now, version=self.version + 1, request=request)


@dataclass(frozen=True, slots=True)
class Large:
    """Where the members of a large group are, and what is to come there.

    `meta`: the ScimGroup's own, without the shards'; `missing`: the numbers of the shards that aren't known;
    `revision` moves with any of those that are.
    """

    generation: int
    count: int
    pending: Pending
    meta: Meta
    missing: tuple[int, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A user or group. `document`: the engine's form; `members`: ids in order, empty for users; `large`: of a
    group whose members are in shards; `told`: the status, as JSON: it is half of an object, and seldom read.
    """

    type: str
    directory: str
    id: str
    document: Mapping[str, Any]
    members: Mapping[str, None]
    meta: Meta
    metadata: Mapping[str, Any]
    told: bytes
    resource_version: int
    large: Large | None = None

    @property
    def status(self) -> dict[str, Any]:
        """What the object's status tells."""
        status: dict[str, Any] = orjson.loads(self.told)
        return status

    @property
    def is_whole(self) -> bool:
        """False for a group of which shards are missing: nobody knows who is in it."""
        return self.large is None or not self.large.missing

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.metadata["name"])

    @property
    def uid(self) -> str:
        """The object's uid: changes when it is deleted and made again, or restored."""
        return str(self.metadata["uid"])

    @property
    def generation(self) -> int:
        """Counts the changes of spec."""
        return int(self.metadata.get("generation", 0))

    @property
    def version(self) -> str:
        """What a client is told, and may ask for: no two contents ever have one.

        The provider's changes and those of `spec` go in step, until somebody edits it in Kubernetes or brings
        it back from a backup. Shards of large groups are rewritten without any change: theirs don't count.
        """
        if self.large is not None or self.generation == self.meta.version:
            return str(self.meta.version)
        return f"{self.meta.version}.{self.generation}"

    @property
    def granted_as(self) -> str | None:
        """The name that a group's access goes by; None until it is written. Nobody else has one."""
        name: str | None = (self.metadata.get("annotations") or {}).get(GRANTED_AS_ANNOTATION)
        return name if self.type == GROUP_TYPE.name else None

    @property
    def revision(self) -> Revision:
        """Moves with all that access depends on: spec, shards, and the name a group's access goes by."""
        return self.generation, self.granted_as, self.large.revision if self.large else 0

    @property
    def active(self) -> bool:
        """False for a disabled user. Groups are always active."""
        return self.document.get("active") is not False

    @property
    def label(self) -> str:
        """What people call it."""
        return str(self.document.get("userName") or self.document.get("displayName") or self.id)


def record_of(obj: Mapping[str, Any]) -> Record:
    """The record stored in a ScimUser or ScimGroup. Raises KeyError when the object isn't whole."""
    metadata, spec = obj["metadata"], dict(obj["spec"])
    meta = meta_of(spec.pop("meta"))
    # Somebody's id is one text, in all of their groups.
    directory, identifier = spec.pop("directory"), intern(spec.pop("id"))
    members = dict.fromkeys(map(intern, spec.pop("members", ())))
    extensions = spec.pop("extensions", {})
    shards, pending = spec.pop("shards", None), spec.pop("pending", None) or {}
    return Record(
        type=TYPES[obj["kind"]],
        directory=directory,
        id=identifier,
        document=spec | extensions,
        members=members,
        meta=meta,
        metadata={key: value for key, value in metadata.items() if key != "managedFields"},
        # A copy: orjson gives 4 KiB at least, whatever is in them.
        told=bytes(memoryview(orjson.dumps(obj.get("status") or {}))),
        resource_version=int(metadata["resourceVersion"]),
        large=Large(shards["generation"], shards["count"], _pending_of(pending), meta) if shards else None,
    )


def _pending_of(stored: Mapping[str, Iterable[str]]) -> Pending:
    joining = dict.fromkeys(stored.get("added", ()), True)
    return {**joining, **dict.fromkeys(stored.get("removed", ()), False)} or NOTHING


def meta_of(stored: Mapping[str, Any]) -> Meta:
    """The meta stored in a spec."""
    return Meta(
        stored["created"],
        stored["lastModified"],
        stored["version"],
        stored.get("request"),
        stored.get("createdBy"),
    )


def stored_meta(meta: Meta) -> Object:
    """The meta to store in a spec. A shard has no beginning of its own."""
    made_by = {"createdBy": meta.created_by} if meta.created_by else {}
    return {
        **({"created": meta.created, **made_by} if meta.created else {}),
        "lastModified": meta.last_modified,
        "version": meta.version,
        **({"request": meta.request} if meta.request else {}),
    }


def filterable(record: Record) -> Mapping[str, Any]:
    """The document with what filters may also ask for: id and meta."""
    meta = {
        "resourceType": record.type,
        "created": record.meta.created,
        "lastModified": record.meta.last_modified,
        "version": entity_tag(record.version),
    }
    return {**without_meta(record), "meta": meta}


def without_meta(record: Record) -> Mapping[str, Any]:
    """The same for a filter that doesn't ask for meta, in half the time."""
    return {**record.document, "id": record.id}


def spec_of(
    directory: str,
    identifier: str,
    document: Mapping[str, Any],
    members: Mapping[str, None],
    meta: Meta,
    large: Large | None = None,
) -> Object:
    """The spec to store. Extensions, known by their URN, go into a map of their own.

    `large`: where the members are, if not here; its own meta doesn't count.
    """
    core = {key: value for key, value in document.items() if not _is_urn(key)}
    extensions = {key: value for key, value in document.items() if _is_urn(key)}
    return {
        "directory": directory,
        "id": identifier,
        **core,
        **({"extensions": extensions} if extensions else {}),
        **(_large(large) if large else {"members": list(members)} if members else {}),
        "meta": stored_meta(meta),
    }


def _large(large: Large) -> Object:
    pending = {
        "added": [member for member, joins in large.pending.items() if joins],
        "removed": [member for member, joins in large.pending.items() if not joins],
    }
    named = {word: members for word, members in pending.items() if members}
    return {
        "shards": {"generation": large.generation, "count": large.count},
        **({"pending": named} if named else {}),
    }


def object_of(name: str, spec: Object, granted_as: str | None = None) -> Object:
    """A new object of that name; the label is for `kubectl get -l`, nothing of ours reads it.

    `granted_as`: the name that a group's access goes by.
    """
    metadata: Object = {"name": name, "labels": {DIRECTORY_LABEL: spec["directory"]}}
    if granted_as is not None:
        metadata["annotations"] = {GRANTED_AS_ANNOTATION: granted_as}
    return {"metadata": metadata, "spec": spec}


def _is_urn(key: str) -> bool:
    return key.casefold().startswith("urn:")
