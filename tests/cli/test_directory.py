"""`scim-operator directory purge`, on an API server over a dict."""

from __future__ import annotations

from typing import Any, cast

import pytest

from scim_operator.access.bindings import desired_binding
from scim_operator.access.places import Place
from scim_operator.cli.directory import _purge
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLE_BINDINGS
from tests.directory.api_server import ApiServer


class Denying(ApiServer):
    """A webhook denies every deletion in namespace `a`, and of what is named so."""

    async def delete(self, resource: Any, name: str, *, namespace: str | None = None, **more: Any) -> None:
        if "a" in (namespace, name):
            raise ApiError(403, "Forbidden", "a webhook denied it")
        await super().delete(resource, name, namespace=namespace, **more)


async def test_one_refused_binding_keeps_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    api = Denying()
    for namespace in ("a", "b", "c"):
        made = desired_binding(Place("teams", "edit", namespace), "entra", [("User", "ada")])
        api.put(ROLE_BINDINGS, made, namespace)
    left = await _purge(cast(KubeClient, api), {ROLE_BINDINGS: api.all(ROLE_BINDINGS)})
    assert "a webhook denied it" in left[ROLE_BINDINGS]
    assert [item["metadata"]["namespace"] for item in api.all(ROLE_BINDINGS)] == ["a"]


async def test_shards_stay_while_a_group_is_left() -> None:
    """Without them it would be broken."""
    api = Denying()
    for resource in (GROUPS, SHARDS, USERS):
        for name in ("a" if resource is GROUPS else "c", "b"):
            api.put(resource, {"metadata": {"name": name}})
    left = await _purge(cast(KubeClient, api), {kind: api.all(kind) for kind in (GROUPS, SHARDS, USERS)})
    assert left.keys() == {GROUPS, SHARDS}
    assert left[SHARDS] == "the groups go first, and some of them are left"
    assert (len(api.all(SHARDS)), api.all(USERS)) == (2, [])
