"""What runs while this replica leads, from taking the Lease until another has it: a fresh world each time.

A term begins as the process of a single replica does, but that the index is warm: nothing that an earlier
term believed of bindings, ledgers or queues outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import REGISTRY

from scim_operator.access.places import Settings
from scim_operator.directory.audit import Audit
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.settler import Settler
from scim_operator.directory.shards import GroupKey
from scim_operator.directory.standby import Standby
from scim_operator.directory.store import Store
from scim_operator.directory.tokens import Tokens
from scim_operator.kube.client import KubeClient
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.events import Recorder
from scim_operator.reconcile.metrics import ReconcileMetrics
from scim_operator.reconcile.reconciler import Reconciler
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World

# By then kopf has listed everybody as well.
_KOPF_LISTS_SECONDS = 60.0


@dataclass(frozen=True)
class Kept:
    """What outlives a term: what this replica knows of identities, and what it is told by its command line.

    `intended`: large groups that have something to come to their shards; `url`: of a directory, by its name;
    `returned` is called when a kind is there that the watches don't know.
    """

    client: KubeClient
    index: Index
    directories: Directories
    tokens: Tokens
    store: Store
    standby: Standby
    audit: Audit
    intended: asyncio.Queue[GroupKey]
    settings: Settings
    template_kinds: tuple[Resource, ...]
    pod_name: str
    url: Callable[[str], str | None]
    returned: Callable[[], None]
    monotonic: Callable[[], float]
    now: Callable[[], str]
    now_micro: Callable[[], str]


class Term:
    """One term of this replica. `alone_since`: when it was known already that nobody else writes any more."""

    def __init__(self, number: int, kept: Kept, alone_since: float | None) -> None:
        self.number = number
        self._alone_since = alone_since
        # True from when this replica knows all that the last leader wrote.
        self.answers = False
        self._kept = kept
        kept.directories.begin_anew()
        kept.audit.begin_anew()
        world = World(kept.index, kept.directories, kept.settings, kept.template_kinds)
        statuses = Statuses(world, now=kept.now, url=kept.url, tokens=kept.tokens)
        recorder = Recorder(kept.client, kept.now_micro, kept.pod_name, kept.monotonic)
        self.reconciler = Reconciler(
            kept.client,
            world,
            statuses,
            recorder,
            kept.audit,
            monotonic=kept.monotonic,
            now=kept.now,
            returned=kept.returned,
        )
        store = kept.store
        self._settler = Settler(
            kept.client, kept.index, store.writer, store.turns, monotonic=kept.monotonic, now=kept.now
        )
        self._metrics = ReconcileMetrics(world, statuses, self.reconciler.queues)

    def observe(self, resource: Resource, event: str | None, obj: Mapping[str, Any]) -> None:
        """One event of a watch. Of what comes before the list nothing is concluded: it isn't complete."""
        (self.reconciler if self.answers else self._kept.standby).observe(resource, event, obj)

    async def run(self) -> None:
        """Until cancelled."""
        REGISTRY.register(self._metrics)
        try:
            # What is known may lack what the last leader wrote: the watch is as late as it likes.
            await self._kept.standby.list_until_listed(self._alone_since)
            self._kept.store.writer.begin_anew()
            self.answers = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._list_once_more())
                tasks.create_task(self.reconciler.run())
                tasks.create_task(self._settler.run(self._kept.intended))
        finally:
            REGISTRY.unregister(self._metrics)

    async def _list_once_more(self) -> None:
        """kopf tells of no deletion between our list and its own first one."""
        await asyncio.sleep(_KOPF_LISTS_SECONDS)
        self._kept.index.lists.ask()
