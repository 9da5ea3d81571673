"""The same objects straight into the API server, by the operator's own client, as kinds it does not watch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from benchmarks.load import POPULATION
from benchmarks.scim import user_body
from scim_operator.directory.records import Meta, object_of, spec_of
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster

USERS = Resource("bench.scim-operator.io", "v1alpha1", "scimusers", "ScimUser")
GROUPS = Resource("bench.scim-operator.io", "v1alpha1", "scimgroups", "ScimGroup")
_KINDS = (USERS, GROUPS)
_CRDS = Path(__file__).parents[1] / "crds"
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, str(UUID(int=0)))
_WHO = "bench"


def install(cluster: Cluster) -> Path:
    """The kinds, and somebody with rights on them by RBAC as the operator has. -> their kubeconfig."""
    for kind in _KINDS:
        definition = yaml.safe_load((_CRDS / f"scim-operator.io_{kind.plural}.yaml").read_text())
        definition["metadata"] = {"name": f"{kind.plural}.{kind.group}"}
        definition["spec"]["group"] = kind.group
        definition["spec"]["names"] = {"plural": kind.plural, "kind": kind.kind}
        cluster.kubectl("apply", "-f", "-", input=json.dumps(definition))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{definition['metadata']['name']}")
    rule = "--resource=" + ",".join(f"{kind.plural}.{kind.group}" for kind in _KINDS)
    cluster.kubectl("create", "serviceaccount", _WHO)
    cluster.kubectl("create", "clusterrole", _WHO, "--verb=get,list,create,update", rule)
    cluster.kubectl(
        "create", "clusterrolebinding", _WHO, f"--clusterrole={_WHO}", f"--serviceaccount=default:{_WHO}"
    )
    return cluster.kubeconfig_for(cluster.service_account_token(_WHO, "default"))


@dataclass(frozen=True)
class BareSide:
    """Whose kubeconfig."""

    kubeconfig: Path

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[BareRequests]:
        """With the objects as they are now: a PUT must name the version it replaces."""
        async with KubeClient(await load_credentials(str(self.kubeconfig))) as client:
            listed = (await client.list(USERS)).items
            yield BareRequests(client, {item["metadata"]["name"]: item for item in listed})


class BareRequests:
    """The four operations."""

    def __init__(self, client: KubeClient, known: dict[str, dict[str, Any]]) -> None:
        self._client = client
        self._known = known

    async def create(self, number: int) -> None:
        """POST of what the operator would store."""
        body = user_body(number)
        document = {key: value for key, value in body.items() if key not in ("schemas", "meta")}
        spec = spec_of("bench", str(UUID(int=number)), document, {}, _META)
        self._known[_name(number)] = await self._client.create(USERS, object_of(_name(number), spec))

    async def get(self, number: int) -> None:
        """By name."""
        await self._client.get(USERS, _name(number % POPULATION))

    async def filter(self, number: int) -> None:
        """By name: the API server has no index of user names."""
        await self.get(number)

    async def patch(self, number: int) -> None:
        """PUT under the known resourceVersion: what the operator does for a PATCH."""
        name = _name(number % POPULATION)
        known = self._known[name]
        spec = {**known["spec"], "displayName": f"Bench {number}"}
        self._known[name] = await self._client.replace(USERS, {"metadata": known["metadata"], "spec": spec})


def _name(number: int) -> str:
    return f"user-{number}"
