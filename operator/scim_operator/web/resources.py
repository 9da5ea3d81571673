"""One resource: read, made, changed, deleted (RFC 7644 sections 3.3, 3.4.1, 3.5 and 3.6)."""

from __future__ import annotations

from scim_operator.directory.records import Record
from scim_operator.directory.shards import raise_if_broken
from scim_operator.directory.store import Store
from scim_operator.scim.errors import ScimError, not_found
from scim_operator.scim.project import Projection, projection
from scim_operator.scim.schemas import USER
from scim_operator.scim.versions import entity_tag
from scim_operator.web.asks import Answer, Ask, Handler
from scim_operator.web.rendering import Renderer
from scim_operator.web.targets import Target

# The answer to a PATCH of a larger group leaves the members out: the client knows them, or asks.
_MEMBERS_IN_PATCH = 1000


class Resources:
    """Answers what is asked of one resource."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.index

    def handlers(self, asked: Target) -> dict[str, Handler]:
        """By method, what can be done there, but for lists."""
        if asked.identifier is None:
            return {"POST": self.create}
        return {"GET": self.get, "PUT": self.replace, "PATCH": self.patch, "DELETE": self.delete}

    async def get(self, ask: Ask) -> Answer:
        """200, or 304 when the client has that version, and it covers all that is shown."""
        record = self._index.get(ask.target.directory, ask.resource_type.name, ask.identifier)
        if record is None:
            raise not_found(f"no {ask.resource_type.name} has the id {ask.identifier!r}")
        raise_if_broken(record)
        wanted = ask.query.projection(ask.resource_type)
        if ask.conditions.knows(record.version) and not self._shows_more(record, wanted):
            return Answer(304, headers={"ETag": entity_tag(record.version)})
        return await self._answer(ask, record, wanted)

    async def create(self, ask: Ask) -> Answer:
        """201 with the whole resource and where it is."""
        wanted = ask.query.projection(ask.resource_type)
        record = await self._store.create(
            ask.target.directory, ask.resource_type, ask.body, ask.request_id, ask.created_by
        )
        return await self._answer(ask, record, wanted, 201)

    async def replace(self, ask: Ask) -> Answer:
        """200 with the whole resource."""
        wanted = ask.query.projection(ask.resource_type)
        record = await self._store.replace(
            ask.target.directory,
            ask.resource_type,
            ask.identifier,
            ask.body,
            ask.request_id,
            ask.conditions,
            repeated=ask.repeated,
        )
        return await self._answer(ask, record, wanted)

    async def patch(self, ask: Ask) -> Answer:
        """200 with the resource; without members where these are many and nobody named them."""
        wanted = ask.query.projection(ask.resource_type)
        record = await self._store.patch(
            ask.target.directory,
            ask.resource_type,
            ask.identifier,
            ask.body,
            ask.request_id,
            ask.conditions,
            repeated=ask.repeated,
        )
        if len(record.members) > _MEMBERS_IN_PATCH and ask.query.attributes is None:
            wanted = projection(ask.resource_type, None, f"members,{ask.query.excluded or ''}")
        return await self._answer(ask, record, wanted)

    async def delete(self, ask: Ask) -> Answer:
        """204, nothing more; also for a repetition, when it isn't there any more."""
        try:
            await self._store.delete(ask.target.directory, ask.resource_type, ask.identifier, ask.conditions)
        except ScimError as error:
            if not (ask.repeated and error.status == 404):
                raise
        return Answer(204)

    async def take_back(self, ask: Ask) -> None:
        """Delete what this very request made."""
        await self._store.take_back(ask.target.directory, ask.resource_type, ask.identifier)

    def _shows_more(self, record: Record, wanted: Projection) -> bool:
        """Whether an answer has what changes without the version, since it is derived from others."""
        if record.type == USER.name:
            return wanted.wants("groups")
        if not wanted.wants("members"):
            return False
        gone = (self._index.member(record.directory, member) is None for member in record.members)
        return wanted.asks_for("members", "display") or any(gone)

    async def _answer(self, ask: Ask, record: Record, wanted: Projection, status: int = 200) -> Answer:
        renderer = Renderer(self._index, ask.base)
        headers = {"ETag": entity_tag(record.version)}
        if status == 201:
            headers["Location"] = renderer.location(record)
        return Answer(status, await renderer.whole(record, wanted), headers)
