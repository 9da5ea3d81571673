"""The same objects straight into the API server, by the operator's own client, as kinds it does not watch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from benchmarks.load import POPULATION, for_each
from benchmarks.scim import PAGE, user_body, user_name
from scim_operator.directory.records import Meta, object_of, spec_of
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.cluster.served import until_served

USERS = Resource("bench.scim-operator.io", "v1alpha1", "scimusers", "ScimUser")
GROUPS = Resource("bench.scim-operator.io", "v1alpha1", "scimgroups", "ScimGroup")
_KINDS = (USERS, GROUPS)
_CRDS = Path(__file__).parents[1] / "crds"
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, str(UUID(int=0)))
_WHO = "bench"
# On as many as a page has.
_PAGE = {"bench": "page"}
# While the population is made.
_AT_ONCE = 8
Object = dict[str, Any]


def install(cluster: Cluster) -> Path:
    """The kinds, and somebody with rights on them by RBAC as the operator has. -> their kubeconfig."""
    for kind in _KINDS:
        definition = yaml.safe_load((_CRDS / f"scim-operator.io_{kind.plural}.yaml").read_text())
        definition["metadata"] = {"name": f"{kind.plural}.{kind.group}"}
        definition["spec"]["group"] = kind.group
        definition["spec"]["names"] = {"plural": kind.plural, "kind": kind.kind}
        cluster.kubectl("apply", "-f", "-", input=json.dumps(definition))
        until_served(cluster, "crd", definition["metadata"]["name"])
    rule = "--resource=" + ",".join(f"{kind.plural}.{kind.group}" for kind in _KINDS)
    cluster.kubectl("create", "serviceaccount", _WHO)
    cluster.kubectl("create", "clusterrole", _WHO, "--verb=get,list,create,update,delete", rule)
    cluster.kubectl(
        "create", "clusterrolebinding", _WHO, f"--clusterrole={_WHO}", f"--serviceaccount=default:{_WHO}"
    )
    return cluster.kubeconfig_for(cluster.service_account_token(_WHO, "default"))


@dataclass(frozen=True)
class BareSide:
    """Whose kubeconfig."""

    kubeconfig: Path

    @asynccontextmanager
    async def connected(self, doomed: Sequence[str] = ()) -> AsyncIterator[BareRequests]:
        """With the objects as they are now: a PUT must name the version it replaces."""
        async with KubeClient(await load_credentials(str(self.kubeconfig))) as client:
            known = {
                (kind, item["metadata"]["name"]): item
                for kind in _KINDS
                for item in (await client.list(kind)).items
            }
            yield BareRequests(client, known, list(doomed))

    async def populate(self) -> None:
        """POPULATION users and groups."""
        async with self.connected() as requests:

            async def make(number: int) -> None:
                await requests.create(number, _PAGE if number < PAGE else {})
                await requests.create_group(number)

            await for_each(_AT_ONCE, range(POPULATION), make)


class BareRequests:
    """What the operator does to the API server for each operation, or the nearest to it."""

    def __init__(
        self, client: KubeClient, known: dict[tuple[Resource, str], Object], doomed: list[str]
    ) -> None:
        self.made: list[str] = []
        self._client = client
        self._known = known
        self._doomed = doomed

    async def ask(self, operation: str, number: int) -> None:
        """See load.Requests."""
        user, group = f"user-{number % POPULATION}", f"group-{number % POPULATION}"
        if operation == "create":
            self.made.append(await self.create(number))
        elif operation == "delete":
            await self._client.delete(USERS, self._doomed.pop())
        elif operation == "patch user":
            await self._change(USERS, user, {"displayName": f"Bench {number}"})
        elif operation == "patch member":
            members = [str(UUID(int=joined)) for joined in range(number // POPULATION % POPULATION + 1)]
            await self._change(GROUPS, group, {"members": members})
        elif operation == "list of 100":
            found = await self._client.list(USERS, selector="bench=page")
            assert len(found.items) == PAGE, len(found.items)
        else:
            # By name: the API server has no index of what is in an object.
            await self._client.get(USERS, user)

    async def create(self, number: int, labels: dict[str, str] | None = None) -> str:
        """POST of what the operator would store. -> the object's name"""
        name = f"user-{number}"
        body = user_body(user_name(number), number)
        document = {key: value for key, value in body.items() if key not in ("schemas", "meta")}
        obj = object_of(name, spec_of(_WHO, str(UUID(int=number)), document, {}, _META))
        obj["metadata"]["labels"] |= labels or {}
        self._known[USERS, name] = await self._client.create(USERS, obj)
        return name

    async def create_group(self, number: int) -> None:
        """POST."""
        name = f"group-{number}"
        spec = spec_of(_WHO, str(UUID(int=(1 << 32) + number)), {"displayName": name}, {}, _META)
        self._known[GROUPS, name] = await self._client.create(GROUPS, object_of(name, spec))

    async def _change(self, kind: Resource, name: str, changes: Object) -> None:
        """PUT under the known resourceVersion: what the operator does for a PATCH."""
        known = self._known[kind, name]
        changed = {"metadata": known["metadata"], "spec": {**known["spec"], **changes}}
        self._known[kind, name] = await self._client.replace(kind, changed)
