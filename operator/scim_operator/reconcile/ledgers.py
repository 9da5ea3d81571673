"""RemovalHolds on the API server: the guard's ledgers, stored before anything happens because of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from scim_operator.kube.cache import Object
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.queue import AgainError
from scim_operator.reconcile.resources import HOLDS
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_TRIES = 5


class Ledgers:
    """Raises ApiError when one can't be written; AgainError when somebody else wrote it, or it is gone."""

    def __init__(self, client: KubeClient, world: World) -> None:
        self._client = client
        self._world = world

    def known(self, directory: str) -> Object | None:
        """The RemovalHold as last seen."""
        return self._world.holds.get(directory)

    async def find(self, directory: str) -> Object:
        """The RemovalHold of a directory, made if there is none."""
        known = self.known(directory)
        if known is not None:
            return known
        try:
            made = await self._client.create(HOLDS, {"metadata": {"name": directory}, "spec": {}})
        except ApiError as error:
            if not error.already_exists:
                raise
            made = await self._client.get(HOLDS, directory)
        self._world.holds.read_anew(made)
        return made

    async def store(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Write the status of a RemovalHold, if it differs. An approver's change of spec doesn't matter."""
        name, known = obj["metadata"]["name"], obj.get("status") or {}
        if dict(known) == dict(status):
            return obj
        # A merge patch removes what it names as null.
        body = {**dict.fromkeys(known.keys() - status.keys()), **status}
        for _ in range(_TRIES):
            version = {"resourceVersion": obj["metadata"]["resourceVersion"], "uid": obj["metadata"]["uid"]}
            try:
                written = await self._client.merge_patch(
                    HOLDS, name, {"metadata": version, "status": body}, subresource="status"
                )
            except ApiError as error:
                if error.not_found:
                    self._world.holds.removed_by_us(obj)
                    raise AgainError from error
                if error.too_large:
                    log.error(
                        "a RemovalHold is larger than the API server or etcd takes (--max-request-bytes of "
                        "etcd, 1.5 MiB if not set): nobody who isn't on it yet loses access; approve those "
                        "on it, or give them back what they had in the provider",
                        extra={"directory": name},
                    )
                if not error.conflict:
                    raise
                obj = await self._look_again(name, known)
                continue
            self._world.holds.put(written)
            return written
        raise AgainError

    async def _look_again(self, name: str, known: Mapping[str, Any]) -> Object:
        try:
            found = await self._client.get(HOLDS, name)
        except ApiError as error:
            if not error.not_found:
                raise
            if gone := self.known(name):
                self._world.holds.removed_by_us(gone)
            raise AgainError from error
        self._world.holds.read_anew(found)
        if dict(found.get("status") or {}) != dict(known):
            log.warning(
                "somebody else wrote a RemovalHold's status; it is read again", extra={"directory": name}
            )
            raise AgainError
        return found
