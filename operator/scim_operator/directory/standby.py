"""What a replica that doesn't lead keeps up to date: users, groups, shards and directories, and no more.

So that it can answer reads while nobody leads, and has little to read when it is to lead itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.feed import take_in, until_listed
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, TYPES, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.resources import Resource

_DELETED = "DELETED"
# Watches report no deletion that fell into a gap of theirs.
_AGAIN_SECONDS = 300.0
# Nor do they tell how late they are. So whoever must know lists; no more often than this, however many ask.
_PAUSE_SECONDS = 2.0


class Standby:
    """Feeds the index and the directories. `returned` is called when a kind is there that wasn't before."""

    def __init__(
        self, client: KubeClient, index: Index, directories: Directories, returned: Callable[[], None]
    ) -> None:
        self._client = client
        self._index = index
        self._directories = directories
        self._returned = returned

    @property
    def listed(self) -> bool:
        """True once all of it was listed, now or earlier."""
        return self._index.synced and self._directories.objects.listed_once

    async def run(self) -> None:
        """Until cancelled: list at once, and again now and then, or when somebody asks for it."""
        while True:
            await self.list_until_listed()
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._index.lists.asked(_AGAIN_SECONDS)

    async def list_until_listed(self, since: float | None = None) -> None:
        """One quorum list of each kind takes the place of what was known. Of users, groups and shards there
        may have been one already: not again if it tells all that was written before a moment, `since`.
        """
        await until_listed(partial(self._list, since), self._returned)

    async def _list(self, since: float | None) -> None:
        directories = await self._client.list(DIRECTORIES)
        if since is None or not self._index.lists.tell_since(since):
            with self._index.echoes.listing():
                await take_in(self._index, self._client)
        self._index.departed()
        changed = self._directories.objects.listed(directories.items, directories.resource_version)
        for _, name in changed:
            self._directories.refresh(name)

    def observe(self, resource: Resource, event: str | None, obj: Mapping[str, Any]) -> None:
        """One event of a watch; what concerns nothing but access is passed over."""
        metadata, gone = obj["metadata"], event == _DELETED
        if resource in (USERS, GROUPS):
            if gone:
                self._index.evict(TYPES[obj["kind"]], metadata["name"], metadata["uid"])
            else:
                self._index.put(obj)
            self._index.departed()
        elif resource == SHARDS:
            if gone:
                self._index.evict_shard(metadata["name"], metadata["uid"])
            else:
                self._index.put_shard(obj)
        elif resource == DIRECTORIES:
            if gone:
                self._directories.objects.remove(obj)
            else:
                self._directories.objects.hear(obj)
            self._directories.refresh(metadata["name"])
