"""Lists users, groups and shards into the index: at start, since kopf gives no signal that it has listed, and
in every sweep, since kopf reports no deletion that happened while its watch was interrupted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS, Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unhurried import paced
from scim_operator.kube.client import KubeClient, Listing
from scim_operator.kube.errors import ApiError
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)

# A shard may be of 80 KB: a page of them must not take the loop for long (rule 21).
_SHARDS_A_PAGE = 40
# Between two tries, in seconds: twice as long each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0


async def take_in(index: Index, client: KubeClient) -> set[Record]:
    """List users, groups and shards, and bring the index up to that, while others get their turn (rule 21):
    before the first lists are in it is not `synced`, and later it is between two states as it is between two
    events. Users come page by page, as all at once they would be in memory twice; the shards are listed last,
    so that a group in the list has its shards in theirs.

    -> the records that turned out to be gone. Raises ApiError, and then nobody is taken for gone.
    """
    async with index.lists.one():
        users, version = set[str](), ""
        async for page in client.pages(USERS):
            _compare(index, client, USER.name, page)
            users |= await _put(index, page)
            version = page.resource_version
        groups, shards = await client.list(GROUPS), await _shards(client)
        _compare(index, client, GROUP.name, groups)
        index.shards.unknown = shards is None
        async for obj in paced(shards.items if shards else ()):
            index.put_listed_shard(obj)
        await _put(index, groups)
        gone = index.complete(USER.name, users, version)
        gone |= index.complete(GROUP.name, _uids(groups), groups.resource_version)
        if shards is not None:
            index.complete_shards(_uids(shards), shards.resource_version)
        return gone


async def _put(index: Index, listing: Listing) -> set[str]:
    """-> the uids"""
    async for obj in paced(listing.items):
        index.put_listed(obj)
    return _uids(listing)


async def _shards(client: KubeClient) -> Listing | None:
    """None when the API server doesn't know the kind."""
    try:
        return await client.list(SHARDS, limit=_SHARDS_A_PAGE)
    except ApiError as error:
        if not error.not_found:
            raise
        log.warning("the API server doesn't know %s.%s", SHARDS.plural, SHARDS.group)
        return None


def _compare(index: Index, client: KubeClient, kind: str, listing: Listing) -> None:
    """An object that was older when it was listed than it had been before: etcd was restored, with
    `--bump-revision`, and what is known is of another history.
    """
    for item in listing.items:
        known = index.named(kind, item["metadata"]["name"])
        listed = int(item["metadata"]["resourceVersion"])
        if known is not None and listed < known.resource_version <= int(listing.resource_version):
            found: dict[str, object] = {"resource_version": listed, "seen": known.resource_version}
            client.history.ends({"kind": kind, **found})
            return


def _uids(listing: Listing) -> set[str]:
    return {obj["metadata"]["uid"] for obj in listing.items}


async def until_listed(listing: Callable[[], Awaitable[object]], returned: Callable[[], None]) -> None:
    """List, again and again until it succeeds. `returned` is called then, if a kind was missing before."""
    pause, absent = _FIRST_PAUSE, False
    while True:
        asked = 0.0
        try:
            await listing()
            return returned() if absent else None
        except ApiError as error:
            absent |= error.not_found
            asked = error.retry_after
            again = max(pause, asked)
            log.warning("listing failed", extra={"error": str(error), "again_in_seconds": again})
        except Exception:
            log.exception("listing failed", extra={"again_in_seconds": pause})
        await asyncio.sleep(max(pause, asked))
        pause = min(pause * 2, _LONGEST_PAUSE)
