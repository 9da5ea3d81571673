"""The port of `kube/client` over a dict: resourceVersions, uids, conflicts, and an API server that goes away.

Only for what a real one can't be made to do at the right moment. What it knows of Kubernetes is exactly
what tests/kube shows of the real one.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from scim_operator.kube.client import Listing
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource

Object = dict[str, Any]
Hook = Callable[[str, str], Awaitable[None] | None]


class ApiServer:
    """Stands in for a KubeClient. `writes` lists (verb, plural, name); `before` runs ahead of each call, and
    `watcher` hears of each change, soon after.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.writes: list[tuple[str, str, str]] = []
        self.away = False
        self.refuse: dict[tuple[str, str], ApiError] = {}
        self.before: Hook | None = None
        self.watcher: Callable[[Resource, str, Object], None] | None = None
        self._versions = itertools.count(100)
        self._uids = itertools.count(1)

    # --- for the tests -------------------------------------------------------------------------------------

    def put(self, resource: Resource, body: Mapping[str, Any], namespace: str = "") -> Object:
        """Make or change an object as somebody else would, whatever its version."""
        key = (resource.plural, namespace, body["metadata"]["name"])
        return self._store(resource, key, body, self.objects.get(key))

    def drop(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Delete an object as somebody else would. -> the object as a DELETED event shows it."""
        gone = self.objects.pop((resource.plural, namespace, name))
        gone["metadata"]["resourceVersion"] = self._version()
        self._tell(resource, "DELETED", gone)
        return copy.deepcopy(gone)

    def all(self, resource: Resource) -> list[Object]:
        """Copies of all objects of a kind."""
        return [copy.deepcopy(obj) for key, obj in self.objects.items() if key[0] == resource.plural]

    # --- the port ------------------------------------------------------------------------------------------

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        selector: str = "",
        limit: int = 500,
        metadata_only: bool = False,
    ) -> Listing:
        await self._arrive("list", resource)
        label, _, value = selector.partition("=")
        items = [
            obj
            for obj in self.all(resource)
            if not selector or (obj["metadata"].get("labels") or {}).get(label) == value
        ]
        items = [{"metadata": obj["metadata"]} for obj in items] if metadata_only else items
        return Listing(items, self._version())

    async def pages(self, resource: Resource, **options: Any) -> AsyncIterator[Listing]:
        """Of one object each: whoever takes them in has to do with several."""
        whole = await self.list(resource, **options)
        for item in whole.items:
            yield Listing([item], whole.resource_version)
        yield Listing([], whole.resource_version)

    async def watch(self, *arguments: Any, **more: Any) -> AsyncIterator[tuple[str, Object]]:
        raise NotImplementedError
        yield

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object:
        await self._arrive("get", resource)
        return copy.deepcopy(self._existing(resource, namespace, name))

    async def create(
        self, resource: Resource, body: Object, *, namespace: str | None = None, strict: bool = False
    ) -> Object:
        await self._arrive("create", resource)
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{self._version()}"
        key = (resource.plural, namespace or "", name)
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", f"{resource.plural} {name!r} already exists")
        if namespace and ("namespaces", "", namespace) not in self.objects:
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        self.writes.append(("create", resource.plural, name))
        body = {**body, "metadata": {**body["metadata"], "name": name}}
        return self._store(resource, key, body, None)

    async def replace(
        self, resource: Resource, body: Object, *, namespace: str | None = None, strict: bool = False
    ) -> Object:
        await self._arrive("replace", resource)
        metadata = body["metadata"]
        known = self._existing(resource, namespace, metadata["name"])
        self._same(known, metadata.get("uid"), metadata.get("resourceVersion"))
        self.writes.append(("replace", resource.plural, metadata["name"]))
        key = (resource.plural, namespace or "", metadata["name"])
        return self._store(resource, key, {"status": known.get("status"), **body}, known)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Object:
        await self._arrive("patch", resource)
        known = self._existing(resource, namespace, name)
        self._same(known, None, patch.get("metadata", {}).get("resourceVersion"))
        self.writes.append(("patch", resource.plural, name))
        changed = copy.deepcopy(known)
        _merge(changed, patch)
        return self._store(resource, (resource.plural, namespace or "", name), changed, known)

    async def apply(
        self,
        resource: Resource,
        name: str,
        body: Object,
        *,
        manager: str,
        namespace: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """As the only manager of what it applies: fields of others don't matter here."""
        await self._arrive("apply", resource)
        if namespace and ("namespaces", "", namespace) not in self.objects:
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        key = (resource.plural, namespace or "", name)
        known = self.objects.get(key)
        entry = {"manager": manager, "operation": "Apply"}
        made = {**body, "metadata": {**body["metadata"], "name": name, "managedFields": [entry]}}
        if known is not None and _applied(known) == _applied(made):
            return copy.deepcopy(known)  # no effect, no write
        self.writes.append(("apply", resource.plural, name))
        return self._store(resource, key, made, known)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        await self._arrive("delete", resource)
        self._same(self._existing(resource, namespace, name), uid, resource_version)
        self.writes.append(("delete", resource.plural, name))
        self.drop(resource, name, namespace or "")

    # --- inside --------------------------------------------------------------------------------------------

    async def _arrive(self, verb: str, resource: Resource) -> None:
        await asyncio.sleep(0)  # others get their turn, as they would on the network
        if self.away:
            raise ApiError(0, "Unreachable", "ClientConnectorError")
        if (verb, resource.plural) in self.refuse:
            raise self.refuse[verb, resource.plural]
        if self.before is not None and (waited := self.before(verb, resource.plural)) is not None:
            await waited

    def _existing(self, resource: Resource, namespace: str | None, name: str) -> Object:
        key = (resource.plural, namespace or "", name)
        if key not in self.objects:
            raise ApiError(404, "NotFound", f'{resource.plural} "{name}" not found')
        return self.objects[key]

    def _same(self, known: Object, uid: str | None, version: str | None) -> None:
        metadata = known["metadata"]
        if uid not in (None, metadata["uid"]) or version not in (None, metadata["resourceVersion"]):
            raise ApiError(409, "Conflict", "the object has been modified")

    def _store(
        self, resource: Resource, key: tuple[str, str, str], body: Mapping[str, Any], known: Object | None
    ) -> Object:
        made: Object = copy.deepcopy({"apiVersion": resource.api_version, "kind": resource.kind, **body})
        metadata, before = made["metadata"], known["metadata"] if known else {}
        if key[1]:
            metadata["namespace"] = key[1]
        same_spec = known is not None and known.get("spec") == made.get("spec")
        metadata["uid"] = before.get("uid") or f"uid-{next(self._uids)}"
        metadata["generation"] = before.get("generation", 0) + (not same_spec)
        metadata["resourceVersion"] = self._version()
        if made.get("status") is None:
            made.pop("status", None)
        self.objects[key] = made
        self._tell(resource, "MODIFIED" if known else "ADDED", made)
        return copy.deepcopy(made)

    def _tell(self, resource: Resource, event: str, obj: Object) -> None:
        if self.watcher is not None:
            asyncio.get_running_loop().call_soon(self.watcher, resource, event, copy.deepcopy(obj))

    def _version(self) -> str:
        return str(next(self._versions))


def _applied(obj: Object) -> Object:
    kept = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "status")}
    return {**kept, "metadata": {field: obj["metadata"].get(field) for field in ("labels", "annotations")}}


def _merge(target: Object, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = copy.deepcopy(value)
