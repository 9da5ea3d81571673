"""Lists of resources (RFC 7644, section 3.4.2): by GET, or by POST to /.search."""

from __future__ import annotations

from dataclasses import replace

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.messages import list_response
from scim_operator.web.asks import RESOURCES, Answer, Ask
from scim_operator.web.queries import query_of
from scim_operator.web.rendering import Renderer


class Lists:
    """Answers with pages."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def search(self, ask: Ask) -> Answer:
        """POST to .search (RFC 7644 section 3.4.3): the same, without names of people in a URL."""
        return await self.page(replace(ask, query=query_of(ask.body.items())))

    async def page(self, ask: Ask) -> Answer:
        """A page of users, of groups, or of both, one after the other (section 3.4.2.1)."""
        endpoint, query = ask.target.endpoint, ask.query
        types = [RESOURCES[endpoint]] if endpoint in RESOURCES else list(RESOURCES.values())
        renderer, total, shown = Renderer(self._index, ask.base), 0, []
        for resource_type in types:
            first = max(0, query.start - 1 - total)
            end = max(0, query.start - 1 + query.count - total)
            count, page = self._slice(ask.target.directory, resource_type, query.filter, first, end)
            wanted = query.projection(resource_type)
            shown += [renderer.resource(record, wanted) for record in page]
            total += count
        return Answer(body=list_response(shown, total, query.start))

    def _slice(
        self, directory: str, resource_type: ResourceType, text: str | None, first: int, end: int
    ) -> tuple[int, list[Record]]:
        """How many there are, and a slice of them."""
        if text is None:
            page = self._index.page(directory, resource_type.name, first, end)
            return self._index.count(directory, resource_type.name), page
        found = self._index.find(directory, resource_type.name, text)
        return len(found), found[first:end]
