"""Whether the API server still tells of the history that we know, or of an older one: a restored etcd.

resourceVersions are etcd's revisions: they grow with every write to any object of that etcd. So what the API
server gives a new object, or a list of all there are, is higher than whatever was seen before it was asked.

Whoever restores etcd with `etcdutl snapshot restore --bump-revision` lets it go on with higher ones. Single
objects tell then, which are older than they were: the Lease first (`lease.py`), which is written each second.

Only custom resources count: built-in kinds, Events first of all, may lie in an etcd of their own
(`kube-apiserver --etcd-servers-overrides`), with revisions of its own.
"""

from __future__ import annotations

import asyncio
import logging

from scim_operator.kube.resources import Resource

log = logging.getLogger(__name__)


class History:
    """`newest`: the highest resourceVersion that was seen of a custom resource."""

    def __init__(self) -> None:
        self.newest = 0
        self._over = asyncio.Event()

    def saw(self, resource: Resource, version: str) -> None:
        """That of an answer."""
        if _counts(resource) and version.isdecimal():
            self.newest = max(self.newest, int(version))

    def goes_on(self, resource: Resource, since: int, version: str) -> None:
        """The API server was asked when `since` was the newest, and its store is now at this version."""
        if _counts(resource) and version.isdecimal() and int(version) < since:
            self.ends({"kind": resource.kind, "resource_version": version, "seen": since})
        self.saw(resource, version)

    def ends(self, found: dict[str, object]) -> None:
        """What was found can't be a continuation of what we know."""
        if not self._over.is_set():
            log.critical("the cluster was restored to an older state: everything is read anew", extra=found)
            self._over.set()

    async def over(self) -> None:
        """Wait for the end of the history that we know."""
        await self._over.wait()


def _counts(resource: Resource) -> bool:
    return "." in resource.group and not resource.group.endswith(".k8s.io")
