"""Kinds of ours that aren't there: with their CRD, all of their objects vanish, and nobody meant that.

A CRD that is being deleted is marked first, and its objects go then: looking at it before a vanished one is
counted as a loss tells the one from the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS, Resource
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 2.0


class Absence:
    """`missing`: kind -> what is wrong with it and what to do. `changed` is called when that changes."""

    def __init__(self, client: KubeClient, world: World, changed: Callable[[], None]) -> None:
        self._client = client
        self._world = world
        self._changed = changed
        self._found = asyncio.Event()
        self.missing: dict[Resource, str] = {}

    async def look(self) -> None:
        """Look at the kinds of which objects vanished. Raises ApiError when nobody can tell."""
        vanished = set(self._world.vanished)
        for resource in sorted(vanished, key=lambda item: item.plural):
            if wrong := await self._wrong(resource):
                if resource not in self.missing:
                    log.error("%s", wrong)
                self.missing[resource] = wrong
                self._world.unlisted.add(resource)
                self._found.set()
        self._world.vanished -= vanished
        if self.missing.keys() & vanished:
            self._changed()

    async def run(self, relist: Callable[[], Awaitable[None]], returned: Callable[[], None]) -> None:
        """Look again until they are back, and list everything before they count as being there."""
        while True:
            await self._found.wait()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            try:
                wrong = {resource: await self._wrong(resource) for resource in self.missing}
                if any(wrong.values()):
                    continue
                await relist()
            except ApiError as error:
                log.warning("missing kinds couldn't be looked for", extra={"error": str(error)})
                continue
            log.warning("the kinds that were missing are there again")
            self.missing.clear()
            self._found.clear()
            self._changed()
            returned()

    async def _wrong(self, resource: Resource) -> str:
        name = f"{resource.plural}.{resource.group}"
        try:
            found = await self._client.get(CRDS, name)
        except ApiError as error:
            if not error.not_found:
                raise
            return (
                f"CustomResourceDefinition {name} went missing; nobody loses access until it is back and "
                "nothing waits: scim-operator crds apply, then restore its objects"
            )
        if found["metadata"].get("deletionTimestamp"):
            return (
                f"CustomResourceDefinition {name} is being deleted; nobody loses access until it is back and "
                "nothing waits: scim-operator crds apply, then restore its objects"
            )
        return ""
