"""Lists users and groups into the index: at start, since kopf gives no signal that it has listed, and in
every sweep, since kopf reports no deletion that happened while its watch was interrupted."""

from __future__ import annotations

from scim_operator.directory.index import Index
from scim_operator.directory.records import RESOURCES, Record
from scim_operator.kube.client import KubeClient


async def list_identities(client: KubeClient, index: Index) -> set[Record]:
    """Bring the index up to a quorum list of both kinds. -> the records that turned out to be gone."""
    gone: set[Record] = set()
    for resource_type, resource in RESOURCES.items():
        listing = await client.list(resource)
        gone |= index.listed(resource_type, listing.items, listing.resource_version)
    return gone
