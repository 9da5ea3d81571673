"""`scim-operator directory purge`, on an API server over a dict."""

from __future__ import annotations

from typing import Any, cast

import pytest

from scim_operator.access.bindings import desired_binding
from scim_operator.access.places import Place
from scim_operator.cli.directory import _purge
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLE_BINDINGS
from tests.directory.api_server import ApiServer


class Denying(ApiServer):
    """A webhook of namespace `a` denies every deletion there."""

    async def delete(self, *args: Any, namespace: str | None = None, **more: Any) -> None:
        if namespace == "a":
            raise ApiError(403, "Forbidden", "a webhook denied it")
        await super().delete(*args, namespace=namespace, **more)


async def test_one_refused_binding_keeps_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    api = Denying()
    for namespace in ("a", "b", "c"):
        made = desired_binding(Place("teams", "edit", namespace), "entra", [("User", "ada")])
        api.put(ROLE_BINDINGS, made, namespace)
    left = await _purge(cast(KubeClient, api), {ROLE_BINDINGS: api.all(ROLE_BINDINGS)})
    assert "a webhook denied it" in left[ROLE_BINDINGS]
    assert [item["metadata"]["namespace"] for item in api.all(ROLE_BINDINGS)] == ["a"]
