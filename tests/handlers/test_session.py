"""What the API server refuses for a moment ends no watch: kopf, the API server, and a proxy that refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from scim_operator.handlers import running
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import NAMESPACES, Resource
from tests.cluster.cluster import Cluster
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy

SPACE = "refused"
Told = set[tuple[Resource, str | None, str]]


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    with FaultProxy(cluster, name="refusing") as made:
        yield made


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    """Of somebody who may watch everything."""
    cluster.kubectl("create", "namespace", SPACE)
    cluster.kubectl("create", "serviceaccount", "watcher", "-n", SPACE)
    account = f"--serviceaccount={SPACE}:watcher"
    cluster.kubectl("create", "clusterrolebinding", SPACE, "--clusterrole=cluster-admin", account)
    return cluster.service_account_token("watcher", SPACE)


def once_each(seen: Call, refused: set[tuple[str, bool]]) -> bool:
    """Whether this is the first call of a path: discovery, lists, watches."""
    key = (seen.path, seen.watch)
    return key not in refused and not refused.add(key)  # type: ignore[func-returns-value]


@asynccontextmanager
async def watching(cluster: Cluster, proxy: FaultProxy, token: str) -> Any:
    """What kopf tells meanwhile; it must come to its end by itself."""
    told: Told = set()
    stop = asyncio.Event()

    def observe(resource: Resource, event: str | None, obj: Any) -> None:
        told.add((resource, event, obj["metadata"]["name"]))

    async def nothing() -> None:
        """Neither server nor Lease here."""

    login = await load_credentials(str(cluster.kubeconfig_for(token, endpoint=proxy.endpoint)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            running.run(stop=stop, on_start=nothing, on_stop=nothing, login=login, observe=observe)
        )
        try:
            yield told
        finally:
            stop.set()
            proxy.faults = ()


async def seen(told: Told, *wanted: tuple[Resource, str | None, str]) -> None:
    async with asyncio.timeout(30):
        while not told.issuperset(wanted):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("status", [400, 401, 409, 410, 422])
async def test_what_is_refused_once_is_asked_for_again(
    cluster: Cluster, proxy: FaultProxy, token: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    refused: set[tuple[str, bool]] = set()
    proxy.faults = [Fault(Kind.STATUS, only=lambda call: once_each(call, refused), status=status)]
    name = f"refused-with-{status}"
    with caplog.at_level(logging.WARNING, "scim_operator.handlers.session"):
        async with watching(cluster, proxy, token) as told:
            await seen(told, (NAMESPACES, None, SPACE))
            await asyncio.to_thread(cluster.kubectl, "create", "namespace", name)
            await seen(told, (NAMESPACES, "ADDED", name))
    assert {("/apis", False), ("/api/v1/namespaces", False), ("/api/v1/namespaces", True)} <= refused
    logged = [line for line in caplog.records if line.name == "scim_operator.handlers.session"]
    assert {"/api/v1/namespaces"} <= {vars(line)["path"] for line in logged}
    assert {(vars(line)["status"], "by the fault proxy" in vars(line)["said"]) for line in logged} == {
        (status, True)
    }
    assert not [line for line in caplog.records if token in line.getMessage()]
