"""Lists users and groups into the index: at start, since kopf gives no signal that it has listed, and in
every sweep, since kopf reports no deletion that happened while its watch was interrupted."""

from __future__ import annotations

from scim_operator.directory.index import Index
from scim_operator.directory.records import RESOURCES, Record
from scim_operator.kube.client import KubeClient, Listing


async def list_identities(client: KubeClient) -> dict[str, Listing]:
    """Resource type -> a quorum list of it."""
    return {resource_type: await client.list(resource) for resource_type, resource in RESOURCES.items()}


def take_in(index: Index, listings: dict[str, Listing]) -> set[Record]:
    """Bring the index up to these lists. -> the records that turned out to be gone."""
    gone: set[Record] = set()
    for resource_type, listing in listings.items():
        gone |= index.listed(resource_type, listing.items, listing.resource_version)
    return gone
