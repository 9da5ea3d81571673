"""The fault proxy before a real API server, asked through the operator's own port to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, SECRETS
from tests.cluster.cluster import Cluster
from tests.faults.calls import Call, call
from tests.faults.faults import Fate, Fault, Kind
from tests.faults.proxy import FaultProxy, Moment

SPACE = "behind-the-proxy"


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> str:
    """Of somebody who may do what they like in one namespace."""
    cluster.kubectl("create", "namespace", SPACE)
    cluster.kubectl("create", "serviceaccount", "client", "-n", SPACE)
    account = f"--serviceaccount={SPACE}:client"
    cluster.kubectl("create", "rolebinding", "client", "--clusterrole=admin", account, "-n", SPACE)
    return cluster.service_account_token("client", SPACE)


@pytest.fixture(autouse=True)
def without_faults(proxy: FaultProxy) -> Iterator[None]:
    yield
    proxy.faults = ()
    proxy.spare()


@pytest_asyncio.fixture
async def client(cluster: Cluster, proxy: FaultProxy, token: str) -> AsyncIterator[KubeClient]:
    """Through the proxy."""
    kubeconfig = cluster.kubeconfig_for(token, endpoint=proxy.endpoint)
    async with KubeClient(await load_credentials(str(kubeconfig))) as made:
        yield made


async def _make(client: KubeClient, name: str, content: str = "b") -> None:
    await client.create(SECRETS, {"metadata": {"name": name}, "stringData": {"a": content}}, namespace=SPACE)


def _exists(cluster: Cluster, name: str) -> bool:
    return cluster.request("GET", f"/api/v1/namespaces/{SPACE}/secrets/{name}").status == 200


def _is_write(seen: Call) -> bool:
    return seen.write


async def _watched(client: KubeClient, names: list[str]) -> None:
    """Append the names that a watch tells, from now on."""
    version = (await client.list(SECRETS, namespace=SPACE)).resource_version
    async for _, found in client.watch(SECRETS, version, namespace=SPACE):
        names.append(found["metadata"]["name"])


async def _until(truth: object) -> None:
    async with asyncio.timeout(5):
        while not truth():  # type: ignore[operator]
            await asyncio.sleep(0.01)


# --- passing through ---------------------------------------------------------------------------------------


async def test_objects_of_any_size_pass_both_ways(client: KubeClient) -> None:
    large = "x" * 700_000
    await _make(client, "large", large)
    found = await client.get(SECRETS, "large", namespace=SPACE)
    assert len(found["data"]["a"]) > 900_000


async def test_the_caller_is_whoever_they_were(client: KubeClient) -> None:
    with pytest.raises(ApiError) as refused:
        await client.create(NAMESPACES, {"metadata": {"name": "not-allowed"}})
    assert refused.value.status == 403
    assert f"system:serviceaccount:{SPACE}:client" in refused.value.message


async def test_watch_tells_at_once(client: KubeClient) -> None:
    names: list[str] = []
    watch = asyncio.create_task(_watched(client, names))
    await asyncio.sleep(0.3)
    await _make(client, "told")
    await _until(lambda: "told" in names)
    watch.cancel()


async def test_other_clients_find_it_as_good_as_the_api_server(
    cluster: Cluster, proxy: FaultProxy, token: str
) -> None:
    kubeconfig = cluster.kubeconfig_for(token, endpoint=proxy.endpoint)
    said = cluster.kubectl("--kubeconfig", str(kubeconfig), "auth", "can-i", "get", "secrets", "-n", SPACE)
    assert said.strip() == "yes"


# --- counting ----------------------------------------------------------------------------------------------


async def test_writes_are_counted_and_kept(client: KubeClient, proxy: FaultProxy) -> None:
    before = len(proxy.writes)
    await _make(client, "counted")
    with pytest.raises(ApiError):
        await _make(client, "counted")
    await client.merge_patch(SECRETS, "counted", {"metadata": {"labels": {"x": "y"}}}, namespace=SPACE)
    await client.list(SECRETS, namespace=SPACE)
    await client.delete(SECRETS, "counted", namespace=SPACE)
    made, one = f"/api/v1/namespaces/{SPACE}/secrets", f"/api/v1/namespaces/{SPACE}/secrets/counted"
    assert [
        (item.number - before, item.method, item.path, item.status) for item in proxy.writes[before:]
    ] == [
        (1, "POST", made, 201),
        (2, "POST", made, 409),
        (3, "PATCH", one, 200),
        (4, "DELETE", one, 200),
    ]


@pytest.mark.parametrize(
    ("method", "path", "query", "counts"),
    [
        ("POST", "/api/v1/namespaces/a/secrets", {}, True),
        ("PUT", "/apis/scim-operator.io/v1alpha1/scimusers/u/status", {}, True),
        ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", {}, True),
        ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", {"dryRun": "All"}, False),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}, False),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {}, False),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", {}, False),
        ("POST", "/api/v1/namespaces/a/serviceaccounts", {}, True),
        ("GET", "/api/v1/namespaces", {"watch": "true"}, False),
    ],
)
def test_what_counts_as_a_write(method: str, path: str, query: dict[str, str], counts: bool) -> None:
    assert call(method, path, query).write is counts


# --- striking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moment", "done"), [(Moment.BEFORE, False), (Moment.AFTER, True)])
async def test_strike_at_the_second_write(
    client: KubeClient, proxy: FaultProxy, cluster: Cluster, moment: Moment, done: bool
) -> None:
    name = moment.name.lower()
    seen_at_strike: list[bool] = []
    proxy.strike_at(2, moment, lambda: seen_at_strike.append(_exists(cluster, f"{name}-2")))
    await _make(client, f"{name}-1")
    assert not proxy.struck.is_set()
    with pytest.raises(ApiError) as lost:
        await _make(client, f"{name}-2")
    assert lost.value.status == 0
    assert proxy.struck.is_set()
    assert seen_at_strike == [done]
    assert _exists(cluster, f"{name}-2") is done
    assert proxy.writes[-1].done is done
    await _make(client, f"{name}-3")
    assert seen_at_strike == [done], "it strikes once"


# --- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [409, 429, 500, 503])
@pytest.mark.parametrize("late", [False, True])
async def test_answers_with_a_status(
    client: KubeClient, proxy: FaultProxy, cluster: Cluster, status: int, late: bool
) -> None:
    proxy.faults = [Fault(Kind.STATUS, status=status, late=late, only=_is_write)]
    name = f"status-{status}-{late}".lower()
    with pytest.raises(ApiError) as refused:
        await _make(client, name)
    assert refused.value.status == status
    assert _exists(cluster, name) is late
    await client.list(SECRETS, namespace=SPACE)


@pytest.mark.parametrize("late", [False, True])
async def test_resets_the_connection(
    client: KubeClient, proxy: FaultProxy, cluster: Cluster, late: bool
) -> None:
    proxy.faults = [Fault(Kind.RESET, late=late)]
    name = f"reset-{late}".lower()
    with pytest.raises(ApiError) as refused:
        await _make(client, name)
    assert refused.value.status == 0
    proxy.faults = ()
    assert _exists(cluster, name) is late


async def test_delays(client: KubeClient, proxy: FaultProxy) -> None:
    proxy.faults = [Fault(Kind.DELAY, seconds=0.5)]
    since = time.monotonic()
    await client.list(SECRETS, namespace=SPACE)
    assert time.monotonic() - since > 0.45


@pytest.mark.parametrize("late", [False, True])
async def test_hangs(client: KubeClient, proxy: FaultProxy, cluster: Cluster, late: bool) -> None:
    proxy.faults = [Fault(Kind.HANG, late=late)]
    name = f"hang-{late}".lower()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.7):
            await _make(client, name)
    proxy.faults = ()
    assert _exists(cluster, name) is late
    await client.list(SECRETS, namespace=SPACE)


async def test_cuts_a_watch(client: KubeClient, proxy: FaultProxy) -> None:
    proxy.faults = [Fault(Kind.CUT, seconds=0.4)]
    names: list[str] = []
    watch = asyncio.create_task(_watched(client, names))
    await asyncio.sleep(0.1)
    await _make(client, "before-the-cut")
    with pytest.raises(ApiError) as cut:
        await asyncio.wait_for(watch, 5)
    assert cut.value.status == 0
    assert names == ["before-the-cut"]


async def test_silences_a_watch(client: KubeClient, proxy: FaultProxy) -> None:
    proxy.faults = [Fault(Kind.SILENCE, seconds=0.4)]
    names: list[str] = []
    watch = asyncio.create_task(_watched(client, names))
    await asyncio.sleep(0.1)
    await _make(client, "before-the-silence")
    await _until(lambda: names)
    await asyncio.sleep(0.5)
    await _make(client, "into-the-silence")
    await asyncio.sleep(0.3)
    assert names == ["before-the-silence"]
    assert not watch.done(), "it looks alive"
    watch.cancel()


def test_fate_is_the_seed_s() -> None:
    faults = [Fault(Kind.RESET, percent=5), Fault(Kind.STATUS, percent=10, only=_is_write)]

    def fates(seed: int, paths: list[str]) -> dict[str, list[Fault | None]]:
        fate = Fate(seed)
        found: dict[str, list[Fault | None]] = {path: [] for path in paths}
        for path in paths * 500:
            found[path].append(fate.of(call("POST", path, {}), faults))
        return found

    first = fates(1, ["/a", "/b"])
    assert first == fates(1, ["/b", "/a"]), "whatever comes between"
    assert first != fates(2, ["/a", "/b"])
    flat = [fault for path in first.values() for fault in path]
    assert 25 <= flat.count(faults[0]) <= 80
    assert 60 <= flat.count(faults[1]) <= 140
    reads = Fate(1)
    assert faults[1] not in {reads.of(call("GET", "/a", {}), faults) for _ in range(200)}


def test_only_watches_are_cut() -> None:
    assert not Fault(Kind.CUT).means(call("GET", "/a", {}))
    assert Fault(Kind.SILENCE).means(call("GET", "/a", {"watch": "true"}))
