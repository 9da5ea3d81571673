"""Users and groups written straight into the API server, as a restore would: thousands within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster


async def restore(cluster: Cluster, objects: Iterable[tuple[Resource, dict[str, Any]]]) -> None:
    """Create all of them, 32 at a time, as the admin: value identityEditors={admin}."""
    waiting = iter(objects)
    async with KubeClient(await load_credentials(str(cluster.kubeconfig))) as client:

        async def work() -> None:
            for resource, body in waiting:
                await client.create(resource, body)

        await asyncio.gather(*(work() for _ in range(32)))
