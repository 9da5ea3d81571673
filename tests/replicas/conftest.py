"""Two pods of the installation that all tests share, and a load upon them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from tests.cluster.operator import OperatorProcess
from tests.e2e.policies import apply, policy
from tests.eventually import becomes
from tests.installation import Connection, Installation
from tests.replicas.comparing import DIRECTORY, at
from tests.replicas.load import Load
from tests.replicas.pods import another_pod, leader, role

Pods = list[OperatorProcess]


@pytest.fixture(scope="module")
def pods(operator: Installation) -> Iterator[Pods]:
    """The one that all tests know, and another; afterwards the first is alone again."""
    first, second = operator.process, another_pod(operator, "operator-b", "127.0.0.2")
    yield [first, second]
    if second.is_alive:
        second.terminate()
    if not first.is_alive:
        first.start()
    becomes(lambda: role(first), "leader", 20)


@pytest.fixture
def parts(pods: Pods) -> tuple[OperatorProcess, OperatorProcess]:
    """Who leads, and who stands by; both run."""
    for pod in pods:
        if not pod.is_alive:
            pod.start()
    for pod in pods:
        pod.wait_ready()
    leads = leader(pods)
    return leads, next(pod for pod in pods if pod is not leads)


@pytest.fixture(scope="module")
def connection(operator: Installation) -> Connection:
    return operator.connection(DIRECTORY)


@pytest_asyncio.fixture
async def load(
    request: pytest.FixtureRequest,
    operator: Installation,
    parts: tuple[OperatorProcess, OperatorProcess],
    connection: Connection,
) -> AsyncIterator[Load]:
    """Through the one that stands by."""
    name = f"replicas-{request.node.name.replace('_', '-')[5:35].strip('-')}"
    apply(operator.cluster, policy(name, DIRECTORY, f"{name}-{{role}}", namespace=name))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        made = Load(session, connection.token, name, f"{name}-view", [at(parts[1])])
        await made.prepare()
        yield made
    operator.cluster.kubectl("delete", "accesspolicy", name)
