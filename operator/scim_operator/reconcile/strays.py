"""Bindings of ours that lost the label by which we list and watch them, while nobody was looking.

Whoever may edit bindings may strip it, and while the operator is down nobody puts it back. Their names and
the annotation `written` tell them still: they are looked for at the start and in every sweep.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scim_operator.access.bindings import content, is_ours, labels_at, own_place, place_by_name, shard_of
from scim_operator.access.places import Place
from scim_operator.api.kinds import MANAGED_BY, MANAGED_BY_LABEL, WRITTEN_ANNOTATION
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.looking_on import directory_of
from scim_operator.reconcile.resources import BINDINGS
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_OUR_NAME = re.compile(r"scim-.*-[0-9a-f]{10}")


class Strays:
    """Raises ApiError when the API server is away."""

    def __init__(self, client: KubeClient, world: World) -> None:
        self._client = client
        self._world = world

    async def find(self) -> set[Place]:
        """Know them again. -> the places they stand for; those in whom nobody is known are deleted."""
        places: set[Place] = set()
        for resource in BINDINGS:
            listing = await self._client.list(resource, metadata_only=True)
            for item in filter(_is_stray, listing.items):
                if (place := await self._claim(resource, item["metadata"])) is not None:
                    places.add(place)
        return places

    async def _claim(self, resource: Resource, metadata: Mapping[str, Any]) -> Place | None:
        namespace = metadata.get("namespace")
        try:
            found = await self._client.get(resource, metadata["name"], namespace=namespace)
            if not is_ours(found):
                return None
            place = self._place_named(found) or (own_place(found) if directory_of([found]) else None)
            return self._know(place, found) if place else await self._abandoned(resource, found)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise
        return None

    def _know(self, place: Place, binding: Mapping[str, Any]) -> Place:
        self._world.bindings_of(place).read_anew(binding)
        self._world.saw_binding(place, binding)
        return place

    async def _abandoned(self, resource: Resource, binding: Mapping[str, Any]) -> Place | None:
        """One that nothing asks for any more. Who may leave it is for the guard to say: it gets labels."""
        place, directory = own_place(binding) or place_by_name(binding), self._owner(binding)
        if place is None or not directory:
            await self._delete(resource, binding)
            return None
        metadata = binding["metadata"]
        body = {
            "metadata": {
                "labels": labels_at(place, directory),
                "resourceVersion": metadata["resourceVersion"],
            }
        }
        found = await self._client.merge_patch(
            resource, metadata["name"], body, namespace=metadata.get("namespace")
        )
        told = {"kind": resource.kind, "namespace": metadata.get("namespace"), "binding": metadata["name"]}
        log.warning("a binding of ours had lost its labels, and got them again", extra=told)
        return self._know(place, found)

    def _owner(self, binding: Mapping[str, Any]) -> str:
        """The directory of those who stand there; empty when it knows none of them any more."""
        standing = sorted(content(binding).standing)
        bearers = (self._world.naming.bearers(name, kind) for kind, name in standing)
        return next((record.directory for found in bearers for record in found), "")

    def _place_named(self, binding: Mapping[str, Any]) -> Place | None:
        """The place that gives its bindings this name, if any does."""
        namespace, role = binding["metadata"].get("namespace", ""), binding["roleRef"]
        candidates: Iterable[Place] = self._world.places_in(namespace)
        return next(
            (
                place
                for place in candidates
                if (place.kind, place.role) == (role["kind"], role["name"])
                and shard_of(place, binding) is not None
            ),
            None,
        )

    async def _delete(self, resource: Resource, binding: Mapping[str, Any]) -> None:
        metadata = binding["metadata"]
        await self._client.delete(
            resource,
            metadata["name"],
            namespace=metadata.get("namespace"),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
        )
        told = {"kind": resource.kind, "namespace": metadata.get("namespace"), "binding": metadata["name"]}
        log.warning("a binding of ours without its labels, which no policy asks for, was deleted", extra=told)


def _is_stray(item: Mapping[str, Any]) -> bool:
    metadata = item["metadata"]
    return (
        _OUR_NAME.fullmatch(metadata["name"]) is not None
        and (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) != MANAGED_BY
        and WRITTEN_ANNOTATION in (metadata.get("annotations") or {})
    )
