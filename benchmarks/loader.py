"""People and groups written straight into the API server, through the kube port, while no operator runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.mirror import watching
from benchmarks.stage import Stage
from benchmarks.tenant import Tenant
from tests.cluster.build import say
from tests.cluster.cluster import Cluster
from tests.e2e.restoring import restore

_LONGEST_SECONDS = 600.0


def load(stage: Stage, tenant: Tenant, users: int) -> Tenant:
    """Grows to so many users, and returns when the operator, started afterwards, has bound everybody."""
    stage.operator.terminate()
    began = time.perf_counter()
    first = tenant.size
    tenant = stage.away(_restore, stage.cluster.state, tenant, users)
    loaded = time.perf_counter()
    stage.operator.start()
    stage.operator.wait_ready(120)
    bindings(stage, tenant)
    bound = time.perf_counter() - loaded
    say(f"{users - first} users loaded in {loaded - began:.0f} s, all bound {bound:.0f} s later")
    return tenant


def bindings(stage: Stage, tenant: Tenant) -> int:
    """How many there are, once all are as they should be."""
    return stage.away(_settled, stage.cluster.kubeconfig, tenant)


def _restore(state: Path, tenant: Tenant, users: int) -> Tenant:
    asyncio.run(restore(Cluster.load(state), tenant.objects(users)))
    return tenant


def _settled(kubeconfig: Path, tenant: Tenant) -> int:
    return asyncio.run(_settling(kubeconfig, tenant))


async def _settling(kubeconfig: Path, tenant: Tenant) -> int:
    async with watching(kubeconfig, tenant.directory, tenant.expected()) as mirror:
        await mirror.right(_LONGEST_SECONDS)
        return len(mirror)
