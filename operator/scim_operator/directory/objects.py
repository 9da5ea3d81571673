"""Makes and deletes the objects of users and groups, each under a name that tells who they are (rule 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim_operator.directory import told
from scim_operator.directory.audit import Audit
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.keys import folded
from scim_operator.directory.names import object_name
from scim_operator.directory.records import RESOURCES, Object, Record, meta_of, object_of
from scim_operator.directory.refusals import taken
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.directory.writer import Writer, needs_shards
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.schemas import GROUP, USER

KEY_ATTRIBUTES = {USER.name: "userName", GROUP.name: "displayName"}
_TRIES = 8


class Objects:
    """`writer`: changes what is made here. Raises ApiError, ScimError and UnavailableError."""

    def __init__(
        self, client: KubeClient, index: Index, directories: Directories, writer: Writer, audit: Audit
    ) -> None:
        self._client = client
        self._index = index
        self._directories = directories
        self._writer = writer
        self._audit = audit

    async def create(
        self,
        directory: str,
        resource_type: ResourceType,
        document: Mapping[str, Any],
        members: Mapping[str, None],
        spec: Object,
    ) -> Record:
        """Somebody new, or who this very request made before; `spec`: what is stored of the document."""
        meta, told_of = meta_of(spec["meta"]), told.key(spec["id"])
        line = told.creation(resource_type.name, directory, spec["id"], document, members, meta)
        self._audit.begin(told_of, line, told.written_by(meta))
        record = await self._create(directory, resource_type, document, spec)
        if record.id == spec["id"]:
            self._audit.done(told_of, object=record.name)
        return record

    async def delete(self, record: Record) -> bool:
        """False when the object has moved on, or is another one (restored), and the index knows it."""
        self._audit.begin(told.key(record.id), told.deletion(record), told.is_gone)
        try:
            seen = {"uid": record.uid, "resource_version": str(record.resource_version)}
            await self._client.delete(RESOURCES[record.type], record.name, **seen)
        except ApiError as error:
            if error.conflict:
                await self._writer.refresh(record)
                return False
            if not error.not_found:  # somebody else was first: gone is gone
                raise
        self._writer.deleted(record)
        self._audit.done(told.key(record.id))
        return True

    async def _create(
        self, directory: str, resource_type: ResourceType, document: Mapping[str, Any], spec: Object
    ) -> Record:
        attribute = KEY_ATTRIBUTES[resource_type.name]
        key = str(document[attribute])
        resource = RESOURCES[resource_type.name]
        granted_as = self._first_name(directory, key) if resource_type.name == GROUP.name else None
        attempt = 0
        for _ in range(_TRIES):
            name = object_name(directory, resource_type.name, key, attempt)
            try:
                with needs_shards(spec) as strict:
                    made = await self._client.create(
                        resource, object_of(name, spec, granted_as), strict=strict
                    )
                return self._writer.known(made)
            except ApiError as error:
                if error.conflict:  # with another write of the API server: nothing was made
                    continue
                if not error.already_exists:
                    raise
            try:
                found = await self._client.get(resource, name)
            except ApiError as error:
                if error.not_found:
                    continue  # deleted in between: the name is free again
                raise
            self._audit.observe(resource, None, found)
            holder = self._index.put(found)
            if holder and folded(attribute, str(holder.document.get(attribute))) == folded(attribute, key):
                if holder.meta.created_by == spec["meta"]["createdBy"]:
                    return holder  # written by a leader that could not answer any more
                raise taken(attribute, key)  # another writer was first
            attempt += 1  # held by somebody who was since renamed
        raise UnavailableError(f"no free object name for this {attribute}")

    def _first_name(self, directory: str, display_name: str) -> str:
        """A new group's access goes by it (another one may have to wait); by none if that is protected."""
        return "" if self._directories.protects_group(directory, display_name) else display_name
