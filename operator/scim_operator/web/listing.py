"""Lists (RFC 7644, section 3.4.2) by GET, or by POST to /.search; pages by index, or by cursor (RFC 9865)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.cursors import cursor_of, place_of
from scim_operator.scim.errors import ScimError
from scim_operator.scim.filters import asks_for_secret
from scim_operator.scim.messages import list_response
from scim_operator.web.asks import RESOURCES, Answer, Ask
from scim_operator.web.ordering import Everybody, Found, Ordering, Sorted, ordering
from scim_operator.web.queries import query_of
from scim_operator.web.rendering import Renderer

# Members in one answer, unless they are of one group: some 25 MiB of JSON, either way. Okta asks for 100
# groups at a time, whatever their size.
DETAILED_MEMBERS, MAX_MEMBERS = 100_000, 500_000


class Lists:
    """Answers with pages. `now`: seconds since 1970."""

    def __init__(self, index: Index, directories: Directories, now: Callable[[], int]) -> None:
        self._index = index
        self._directories = directories
        self._now = now

    async def search(self, ask: Ask) -> Answer:
        """POST to .search (RFC 7644 section 3.4.3): the same, without names of people in a URL."""
        return await self._page(replace(ask, query=query_of(ask.body.items())))

    async def answer(self, ask: Ask) -> Answer:
        """GET. 403 sensitive for a filter that holds a secret: URLs end up in the logs of every proxy."""
        text = ask.query.filter
        if text is not None and any(asks_for_secret(kind, text) for kind in _types(ask)):
            raise ScimError(403, "a password must not stand in a URL, and none is kept here", "sensitive")
        return await self._page(ask)

    async def _page(self, ask: Ask) -> Answer:
        """A page of users, of groups, or of both (section 3.4.2.1)."""
        query, types = ask.query, _types(ask)
        order = ordering(types, query.sort_by, descending=query.descending)
        after = place_of(query.cursor, *self._seal(ask)) if query.cursor else None
        found = await self._found(ask, types, order)
        page, more = await found.page(after, query.start - 1, query.count)
        shown, total = await self._shown(ask, types, page), len(found)
        if query.cursor is None:
            return Answer(body=list_response(shown, total, start_index=query.start))
        cursor = cursor_of(order.place(page[-1]), *self._seal(ask)) if more else None
        return Answer(body=list_response(shown, total, start_index=None, next_cursor=cursor))

    async def _found(self, ask: Ask, types: Sequence[ResourceType], order: Ordering) -> Found | Sorted:
        """All that match."""
        directory, text = ask.target.directory, ask.query.filter
        names = [resource_type.name for resource_type in types]
        if text is None and not order.keys:
            return Found(order, Everybody(self._index, directory, types))
        if text is None:
            return await order.sorted(chain(*(self._index.moment(directory, name) for name in names)))
        found: list[Record] = []
        for name in names:
            found += await self._index.find(directory, name, text)
        return await order.sorted(found) if order.keys else Found(order, found)

    async def _shown(
        self, ask: Ask, types: Sequence[ResourceType], page: Sequence[Record]
    ) -> list[dict[str, Any]]:
        wanted = {resource_type.name: ask.query.projection(resource_type) for resource_type in types}
        with_members = [record for record in page if wanted[record.type].wants("members")]
        members = sum(len(group.members) for group in with_members)
        if len(with_members) > 1 and members > MAX_MEMBERS:
            raise ScimError(
                400,
                f"this page has more than {MAX_MEMBERS} members: ask with excludedAttributes=members, or with"
                " a smaller count",
                "tooMany",
            )
        renderer = Renderer(self._index, ask.base, bare=len(with_members) > 1 and members > DETAILED_MEMBERS)
        shown = []
        for record in page:
            shown.append(await renderer.whole(record, wanted[record.type]))
            await asyncio.sleep(0)
        return shown

    # --- cursors -------------------------------------------------------------------------------------------

    def _seal(self, ask: Ask) -> tuple[list[str], bytes, int]:
        """What a cursor is bound to, the key of its seal, and the time.

        The key is the uid of the ScimDirectory: random, known to all replicas after any restart, and to no
        provider. Nobody gets further by guessing it: a cursor opens nothing.
        """
        directory, query = ask.target.directory, ask.query
        obj = self._directories.objects.get(directory)
        if obj is None:
            raise UnavailableError(f"there is no ScimDirectory {directory!r} at the moment", retry_after=30)
        key = hashlib.sha256(f"cursor\0{obj['metadata']['uid']}".encode()).digest()
        kind = ask.target.endpoint if ask.target.endpoint in RESOURCES else ""
        order = [query.sort_by or "", "descending" if query.sort_by and query.descending else ""]
        # An absent filter and an empty one are different questions, but the empty one is never answered.
        return [directory, kind, query.filter or "", *order], key, self._now()


def _types(ask: Ask) -> list[ResourceType]:
    endpoint = ask.target.endpoint
    return [RESOURCES[endpoint]] if endpoint in RESOURCES else list(RESOURCES.values())
