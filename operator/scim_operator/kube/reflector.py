"""List, then watch, for ever: calls back with whole listings and single events.

For the inputs that kopf doesn't watch for us: Secrets, which are read in one namespace only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from scim_operator.kube.client import KubeClient, Object
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource

log = logging.getLogger(__name__)

# Short: whoever was away for long must not be deaf to a revocation when it is back.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 1.0


async def reflect(
    client: KubeClient,
    resource: Resource,
    *,
    on_listed: Callable[[list[Object]], None],
    on_event: Callable[[str, Object], None],
    namespace: str | None = None,
    selector: str = "",
) -> None:
    """Run until cancelled. `on_listed` replaces everything known; `on_event` gets one change."""
    pause = _FIRST_PAUSE
    version = ""
    while True:
        try:
            if not version:
                listing = await client.list(resource, namespace=namespace, selector=selector)
                on_listed(listing.items)
                version = listing.resource_version
            async for kind, found in client.watch(resource, version, namespace=namespace, selector=selector):
                version = found["metadata"]["resourceVersion"]
                pause = _FIRST_PAUSE
                if kind != "BOOKMARK":
                    on_event(kind, found)
            await asyncio.sleep(_FIRST_PAUSE)  # a server that ends every watch at once must not be hammered
        except ApiError as error:
            # 410, or anything else that it refuses. An API server that was away may be at an older state.
            version = ""
            log.warning("watching %s in %s failed: %s", resource.plural, namespace or "all namespaces", error)
            await asyncio.sleep(max(pause, error.retry_after))
            pause = min(pause * 2, _LONGEST_PAUSE)
