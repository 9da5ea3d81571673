"""Lists users, groups and shards into the index: at start, since kopf gives no signal that it has listed, and
in every sweep, since kopf reports no deletion that happened while its watch was interrupted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scim_operator.directory.index import Index
from scim_operator.directory.records import RESOURCES, Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unhurried import paced
from scim_operator.kube.client import KubeClient, Listing
from scim_operator.kube.errors import ApiError

log = logging.getLogger(__name__)

# A shard may be of 80 KB: a page of them must not take the loop for long (rule 21).
_SHARDS_A_PAGE = 40
# Between two tries, in seconds: twice as long each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0


@dataclass(frozen=True)
class Identities:
    """Resource type -> a list of it; `shards`: None when the API server doesn't know the kind."""

    listings: dict[str, Listing]
    shards: Listing | None


async def list_identities(client: KubeClient) -> Identities:
    """A quorum list of each. The shards come last: a group in the list has its shards in theirs."""
    listings = {resource_type: await client.list(resource) for resource_type, resource in RESOURCES.items()}
    return Identities(listings, await _shards(client))


async def _shards(client: KubeClient) -> Listing | None:
    try:
        return await client.list(SHARDS, limit=_SHARDS_A_PAGE)
    except ApiError as error:
        if not error.not_found:
            raise
        log.warning("the API server doesn't know %s.%s", SHARDS.plural, SHARDS.group)
        return None


def older_than_known(index: Index, identities: Identities) -> dict[str, object]:
    """An object that was older when it was listed than it had been before: etcd was restored, with
    `--bump-revision`. -> what to tell; empty when there is none.
    """
    for kind, listing in identities.listings.items():
        for item in listing.items:
            known = index.named(kind, item["metadata"]["name"])
            listed = int(item["metadata"]["resourceVersion"])
            if known is not None and listed < known.resource_version <= int(listing.resource_version):
                return {"kind": kind, "resource_version": listed, "seen": known.resource_version}
    return {}


async def take_in(index: Index, identities: Identities) -> set[Record]:
    """Bring the index up to these lists, while others get their turn (rule 21): before the first ones are in
    it is not `synced`, and later it is between two states as it is between two events.

    -> the records that turned out to be gone.
    """
    shards = identities.shards
    index.shards.unknown = shards is None
    async for obj in paced(shards.items if shards else ()):
        index.put_listed_shard(obj)
    gone: set[Record] = set()
    for resource_type, listing in identities.listings.items():
        async for obj in paced(listing.items):
            index.put_listed(obj)
        gone |= index.complete(resource_type, _uids(listing), listing.resource_version)
    if shards is not None:
        index.complete_shards(_uids(shards), shards.resource_version)
    return gone


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
