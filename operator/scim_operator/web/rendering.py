"""Records as SCIM resources: what is derived (members' names, a user's groups, URLs) is added here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.directory.shards import raise_if_broken
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.directory.unhurried import portions
from scim_operator.scim.messages import render
from scim_operator.scim.project import Projection
from scim_operator.scim.schemas import GROUP, USER
from scim_operator.scim.versions import entity_tag

TYPES = {USER.name: USER, GROUP.name: GROUP}
# Members that are encoded before others get their turn.
_SLICE = 2_000
# So many needn't be encoded before the others.
_AT_ONCE = 200


@dataclass(frozen=True)
class Renderer:
    """`base`: the directory's URL, no slash at the end. `bare`: of members their ids alone. `shown`: groups,
    by id, as their members have them: those of one page are mostly in the same ones.
    """

    index: Index
    base: str
    bare: bool = False
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)

    def location(self, record: Record) -> str:
        """The resource's URL."""
        return f"{self.base}{TYPES[record.type].endpoint}/{record.id}"

    def resource(self, record: Record, projection: Projection) -> dict[str, Any]:
        """The whole resource; members and groups are built only when they are wanted.

        Raises UnavailableError when they are, and shards of a group are missing.
        """
        wanted = record.type == GROUP.name and projection.wants("members")
        if wanted:
            raise_if_broken(record)
        return self._rendered(
            record, projection, self._members(record, projection, record.members) if wanted else None
        )

    async def whole(self, record: Record, projection: Projection) -> dict[str, Any]:
        """The same, to be encoded by orjson: others get their turn while a large group is (rule 21)."""
        if len(record.members) <= _AT_ONCE or not projection.wants("members"):
            return self.resource(record, projection)
        raise_if_broken(record)
        parts = []
        for ids in portions(record.members, _SLICE):
            shown = projection.apply({"members": self._members(record, projection, ids)})
            if shown.get("members"):
                parts.append(orjson.dumps(shown["members"])[1:-1])
            await asyncio.sleep(0)
        made = self._rendered(record, projection, None)
        return {**made, "members": orjson.Fragment(b"[" + b",".join(parts) + b"]")} if parts else made

    def _rendered(
        self, record: Record, projection: Projection, members: list[dict[str, Any]] | None
    ) -> dict[str, Any]:
        is_group = record.type == GROUP.name
        return render(
            TYPES[record.type],
            dict(record.document),
            id=record.id,
            meta={
                "resourceType": record.type,
                "created": record.meta.created,
                "lastModified": record.meta.last_modified,
                # Some of it is in the shards.
                **({"version": entity_tag(record.version)} if record.is_whole else {}),
            },
            location=self.location(record),
            projection=projection,
            members=members,
            groups=self._groups(record, projection) if not is_group and projection.wants("groups") else None,
        )

    def _members(self, record: Record, projection: Projection, ids: Iterable[str]) -> list[dict[str, Any]]:
        found = (self.index.member(record.directory, member) for member in ids)
        if self.bare:
            return [{"value": member.id} for member in found if member is not None]
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

    def _groups(self, record: Record, projection: Projection) -> list[dict[str, Any]] | None:
        """None while shards of a group are missing: perhaps it is one. Who asks for it by name is told."""
        try:
            self.index.require_whole(record.directory)
        except UnavailableError:
            if projection.included is not None:
                raise
            return None
        return [
            self.shown.get(group.id) or self._group(group)
            for group in self.index.groups_of(record.directory, record.id)
        ]

    def _group(self, group: Record) -> dict[str, Any]:
        made = {"value": group.id, "$ref": self.location(group), "display": group.label, "type": "direct"}
        self.shown[group.id] = made
        return made
