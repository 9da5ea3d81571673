"""Records as SCIM resources: what is derived (members' names, a user's groups, URLs) is added here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.scim.messages import render
from scim_operator.scim.project import Projection
from scim_operator.scim.schemas import GROUP, USER
from scim_operator.scim.versions import entity_tag

TYPES = {USER.name: USER, GROUP.name: GROUP}


@dataclass(frozen=True)
class Renderer:
    """`base`: the directory's URL, no slash at the end."""

    index: Index
    base: str

    def location(self, record: Record) -> str:
        """The resource's URL."""
        return f"{self.base}{TYPES[record.type].endpoint}/{record.id}"

    def resource(self, record: Record, projection: Projection) -> dict[str, Any]:
        """The whole resource; members and groups are built only when they are wanted."""
        is_group = record.type == GROUP.name
        return render(
            TYPES[record.type],
            dict(record.document),
            id=record.id,
            meta={
                "resourceType": record.type,
                "created": record.meta.created,
                "lastModified": record.meta.last_modified,
                "version": entity_tag(record.meta.version),
            },
            location=self.location(record),
            projection=projection,
            members=self._members(record, projection) if is_group and projection.wants("members") else None,
            groups=self._groups(record) if not is_group and projection.wants("groups") else None,
        )

    def _members(self, record: Record, projection: Projection) -> list[dict[str, Any]]:
        found = (self.index.member(record.directory, member) for member in record.members)
        named = projection.asks_for("members", "display")
        return [
            {
                "value": member.id,
                "$ref": self.location(member),
                **({"display": member.label} if named else {}),
                "type": member.type,
            }
            for member in found
            if member is not None
        ]

    def _groups(self, record: Record) -> list[dict[str, Any]]:
        return [
            {"value": group.id, "$ref": self.location(group), "display": group.label, "type": "direct"}
            for group in self.index.groups_of(record.directory, record.id)
        ]
