"""The port to the API server, against a real one: what each verb does, and what its refusals look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.reflector import reflect
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS, SECRETS
from tests.cluster.cluster import Cluster

Object = dict[str, object]


@pytest_asyncio.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    """As the cluster's admin."""
    async with KubeClient(await load_credentials(str(cluster.kubeconfig))) as made:
        yield made


def _secret(name: str, label: str = "x") -> Object:
    return {"metadata": {"name": name, "labels": {"t": label}}, "stringData": {"a": "b"}}


async def test_create_twice(client: KubeClient) -> None:
    made = await client.create(SECRETS, _secret("twice"), namespace="default")
    assert made["metadata"]["uid"]
    with pytest.raises(ApiError) as refused:
        await client.create(SECRETS, _secret("twice"), namespace="default")
    assert refused.value.already_exists
    assert not refused.value.conflict


async def test_replace_needs_the_newest_version(client: KubeClient) -> None:
    made = await client.create(SECRETS, _secret("replaced"), namespace="default")
    body = {**_secret("replaced", "y"), "metadata": {**made["metadata"], "labels": {"t": "y"}}}
    newer = await client.replace(SECRETS, body, namespace="default")
    assert newer["metadata"]["labels"] == {"t": "y"}
    with pytest.raises(ApiError) as refused:
        await client.replace(SECRETS, body, namespace="default")
    assert refused.value.conflict
    assert not refused.value.already_exists


async def test_delete_is_of_the_object_that_was_seen(client: KubeClient) -> None:
    made = await client.create(SECRETS, _secret("deleted"), namespace="default")
    with pytest.raises(ApiError) as refused:
        await client.delete(SECRETS, "deleted", namespace="default", uid="another")
    assert refused.value.conflict
    await client.delete(
        SECRETS,
        "deleted",
        namespace="default",
        uid=made["metadata"]["uid"],
        resource_version=made["metadata"]["resourceVersion"],
    )
    with pytest.raises(ApiError) as gone:
        await client.get(SECRETS, "deleted", namespace="default")
    assert gone.value.not_found


async def test_merge_patch_changes_only_what_it_names(client: KubeClient) -> None:
    await client.create(SECRETS, _secret("patched"), namespace="default")
    patch = {"metadata": {"labels": {"more": "1"}}}
    patched = await client.merge_patch(SECRETS, "patched", patch, namespace="default")
    assert patched["metadata"]["labels"] == {"t": "x", "more": "1"}


async def test_merge_patch_of_an_older_view_is_a_conflict(client: KubeClient) -> None:
    seen = await client.create(NAMESPACES, {"metadata": {"name": "older"}})
    await client.merge_patch(NAMESPACES, "older", {"metadata": {"labels": {"newer": "1"}}})
    version = seen["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version, "labels": {"late": "1"}}}
    with pytest.raises(ApiError) as refused:
        await client.merge_patch(NAMESPACES, "older", patch)
    assert refused.value.conflict
    assert "late" not in (await client.get(NAMESPACES, "older"))["metadata"]["labels"]


async def test_list_in_pages_is_whole(client: KubeClient) -> None:
    for i in range(7):
        await client.create(SECRETS, _secret(f"page-{i}", "pages"), namespace="default")
    listing = await client.list(SECRETS, namespace="default", selector="t=pages", limit=2)
    assert [item["metadata"]["name"] for item in listing.items] == [f"page-{i}" for i in range(7)]
    assert int(listing.resource_version) > 0


async def test_watch_tells_what_came_after_the_list(client: KubeClient) -> None:
    listing = await client.list(NAMESPACES)
    await client.create(NAMESPACES, {"metadata": {"name": "watched"}})
    async with asyncio.timeout(10):
        async for kind, found in client.watch(NAMESPACES, listing.resource_version):
            if found["metadata"].get("name") == "watched":
                assert kind == "ADDED"
                break


async def test_refused_watch(client: KubeClient) -> None:
    with pytest.raises(ApiError) as refused:
        async for _ in client.watch(NAMESPACES, "no-version"):
            pass
    assert refused.value.status in (400, 500)  # which of them differs between versions of the API server


async def test_role_refused_is_told_from_other_refusals(cluster: Cluster, client: KubeClient) -> None:
    cluster.kubectl("create", "serviceaccount", "binder", "-n", "default")
    cluster.kubectl("create", "clusterrole", "binder", "--verb=create", "--resource=rolebindings")
    cluster.kubectl(
        "create",
        "rolebinding",
        "binder",
        "-n",
        "default",
        "--clusterrole=binder",
        "--serviceaccount=default:binder",
    )
    token = cluster.service_account_token("binder", "default")
    credentials = await load_credentials(str(cluster.kubeconfig_for(token)))
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [],
    }
    async with KubeClient(credentials) as binder:
        with pytest.raises(ApiError) as refused:
            await binder.create(ROLE_BINDINGS, binding, namespace="default")
        assert refused.value.role_refused
        assert "\n" not in refused.value.message
        with pytest.raises(ApiError) as forbidden:
            await binder.get(SECRETS, "x", namespace="default")
        assert forbidden.value.status == 403
        assert not forbidden.value.role_refused


async def test_nobody_answers() -> None:
    class Nowhere:
        server = "https://127.0.0.1:1"

        async def token(self) -> None:
            return None

        def ssl_context(self) -> bool:
            return False

    async with KubeClient(Nowhere()) as client:  # type: ignore[arg-type]
        with pytest.raises(ApiError) as refused:
            await client.get(NAMESPACES, "default")
    assert refused.value.unavailable
    assert refused.value.status == 0


async def test_reflector_survives_what_it_watches(client: KubeClient) -> None:
    known: dict[str, str] = {}

    def listed(items: list[Object]) -> None:
        known.clear()
        for item in items:
            known[item["metadata"]["name"]] = "listed"  # type: ignore[index]

    def event(kind: str, item: Object) -> None:
        name = item["metadata"]["name"]  # type: ignore[index]
        known.pop(name, None)
        if kind != "DELETED":
            known[name] = kind

    await client.create(SECRETS, _secret("reflected", "reflect"), namespace="default")
    task = asyncio.create_task(
        reflect(client, SECRETS, on_listed=listed, on_event=event, namespace="default", selector="t=reflect")
    )
    async with asyncio.timeout(10):
        while known != {"reflected": "listed"}:
            await asyncio.sleep(0.02)
        await client.create(SECRETS, _secret("later", "reflect"), namespace="default")
        while known.get("later") != "ADDED":
            await asyncio.sleep(0.02)
        await client.delete(SECRETS, "reflected", namespace="default")
        while "reflected" in known:
            await asyncio.sleep(0.02)
    task.cancel()
