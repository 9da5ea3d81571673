"""The objects of a template in a namespace: the only writer of them.

| write | method | what keeps it safe |
| --- | --- | --- |
| new object | GET, and if there is none, server-side apply | what others made is left alone |
| changed object | server-side apply, a field manager of our own | fields of others stay, dropped ones go |
| object the template no longer holds | GET, DELETE with uid and resourceVersion | only what we applied |

What was applied and how it looked then is remembered: as long as it looks so, nothing is asked or written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from scim_operator.access.bindings import Object
from scim_operator.access.problems import Problem
from scim_operator.access.templates import contents_of
from scim_operator.api.kinds import TEMPLATE_LABEL
from scim_operator.kube.cache import essence, key_of
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

# By it the API server keeps apart what we applied from what others did.
MANAGER = "scim-operator"

# The kind, namespace and name of an object.
Key = tuple[Resource, str, str]


class Contents:
    """Brings what lies in namespaces to what their templates say."""

    def __init__(self, client: KubeClient, world: World) -> None:
        self._client = client
        self._world = world
        self._resources = {(item.api_version, item.kind): item for item in world.contents}
        self._applied: dict[Key, tuple[Object, Mapping[str, Any]]] = {}

    def differ(self, namespace: str, template: str | None) -> bool:
        """True when there is something to do. `template`: empty: none is in force; None: leave all."""
        return (
            self._is_known(template)
            and template is not None
            and bool(self._to_apply(namespace, template) or self._to_delete(namespace, template))
        )

    async def furnish(self, namespace: str, template: str | None) -> tuple[Problem, ...]:
        """Do it. -> what the API server refused"""
        if template is None or not self._is_known(template):
            return ()
        work = [
            *(self._apply(key, manifest) for key, manifest in self._to_apply(namespace, template).items()),
            *(self._delete(key) for key in self._to_delete(namespace, template)),
        ]
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return tuple(sorted(item for item in results if isinstance(item, Problem)))

    def _is_known(self, template: str | None) -> bool:
        """False for one that has vanished since the plan was made: what lies there stays."""
        return not template or template in self._world.template_specs

    def forget(self, namespace: str) -> None:
        """The namespace is gone, with all that was in it."""
        for key in [key for key in self._applied if key[1] == namespace]:
            del self._applied[key]

    def _wanted(self, namespace: str, template: str) -> dict[Key, Object]:
        spec = self._world.template_specs.get(template)
        if spec is None:
            return {}
        kinds = self._world.settings.template_kinds
        return {
            (self._resources[made["apiVersion"], made["kind"]], namespace, made["metadata"]["name"]): made
            for made in contents_of(template, spec, namespace, kinds)
        }

    def _to_apply(self, namespace: str, template: str) -> dict[Key, Object]:
        wanted = self._wanted(namespace, template)
        return {
            key: made for key, made in wanted.items() if self._applied.get(key) != (made, self._seen(key))
        }

    def _to_delete(self, namespace: str, template: str) -> list[Key]:
        wanted = self._wanted(namespace, template)
        there = [
            (resource, *key_of(obj))
            for resource, cache in self._world.contents.items()
            for obj in cache.within(namespace)
            if TEMPLATE_LABEL in obj["metadata"]["labels"]
        ]
        return [key for key in there if key not in wanted]

    async def _apply(self, key: Key, manifest: Object) -> Problem | None:
        resource, namespace, name = key
        cache = self._world.contents[resource]
        try:
            if cache.get(name, namespace) is None:
                there = await self._get(key)
                if there is not None and not _is_ours(there):
                    return _foreign(key)
            made = await self._client.apply(resource, name, manifest, manager=MANAGER, namespace=namespace)
        except ApiError as error:
            return _refused(key, error)
        cache.put(made)
        self._applied[key] = manifest, self._seen(key)
        log.info("template object applied", extra=_told(key))
        return None

    async def _delete(self, key: Key) -> Problem | None:
        resource, namespace, name = key
        try:
            there = await self._get(key)
            if there is None or not _is_ours(there):
                return None
            metadata = there["metadata"]
            await self._client.delete(
                resource,
                name,
                namespace=namespace,
                uid=metadata["uid"],
                resource_version=metadata["resourceVersion"],
            )
        except ApiError as error:
            return _refused(key, error)
        self._world.contents[resource].removed_by_us(there)
        self._applied.pop(key, None)
        log.info("template object deleted", extra=_told(key))
        return None

    async def _get(self, key: Key) -> Object | None:
        try:
            return await self._client.get(key[0], key[2], namespace=key[1])
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def _seen(self, key: Key) -> Mapping[str, Any]:
        return essence(self._world.contents[key[0]].get(key[2], key[1]))


def _is_ours(obj: Mapping[str, Any]) -> bool:
    """True for what we applied, whatever was done to its labels since."""
    entries = obj["metadata"].get("managedFields") or ()
    return any(entry["manager"] == MANAGER and entry["operation"] == "Apply" for entry in entries)


def _refused(key: Key, error: ApiError) -> Problem:
    if error.unavailable or error.status == 401:
        raise error
    return Problem("Stalled", "Refused", f"{key[0].kind} {key[1]}/{key[2]}: {error}")


def _foreign(key: Key) -> Problem:
    message = (
        f"{key[0].kind} {key[1]}/{key[2]} exists and wasn't made by scim-operator; it is left alone: rename "
        "or delete it"
    )
    return Problem("Conflict", "ForeignObject", message)


def _told(key: Key) -> dict[str, str]:
    return {"kind": key[0].kind, "namespace": key[1], "object": key[2]}
