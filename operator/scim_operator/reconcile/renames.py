"""Gives groups the name that their access goes by: the only writer of the annotation `granted-as`.

SCIM's POST writes it into the new object; here it is written for groups that have none (a restore, an older
release), and moved when a group was renamed and that gives nothing new, or somebody approved it. Always with
the version seen, and before anything is bound because of it. What waits is looked at again whenever
policies, namespaces or the group itself change: nothing is remembered but the annotation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scim_operator.access.places import Place
from scim_operator.access.renames import Held
from scim_operator.api.audit import Rename
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.audit import Audit
from scim_operator.directory.records import GROUPS, Record
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.keeper import Keeper
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.outlook import decide_name
from scim_operator.reconcile.queue import AgainError, KeyedQueue
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.serving import serve
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_WORKERS = 2
_GAINS_LOGGED = 10
# While a kind is missing, or the ledger wasn't read yet.
_LOOK_AGAIN_SECONDS = 0.2

Saw = Callable[[Resource, str | None, Mapping[str, Any]], None]
Mark = Callable[[Iterable[Subject]], None]


class Renames:
    """`saw` takes in what was written; `mark` is told whose statuses differ; `keeper` keeps what waits, and
    knows what was approved."""

    def __init__(
        self,
        client: KubeClient,
        world: World,
        outcomes: Outcomes,
        saw: Saw,
        mark: Mark,
        keeper: Keeper,
        audit: Audit,
    ) -> None:
        self._client = client
        self._world = world
        self._outcomes = outcomes
        self._saw = saw
        self._mark = mark
        self._keeper = keeper
        self._audit = audit
        self.queue: KeyedQueue[GroupKey] = KeyedQueue()

    def look_at(self, groups: Iterable[GroupKey]) -> None:
        """What became of their names is to be decided again."""
        for group in groups:
            self.queue.add(group)

    def concern(self, place: Place) -> bool:
        """True while the name of a group that opens a place is being decided."""
        return any(self.queue.pending(group) for group in self._world.routes.openers(place))

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_WORKERS):
                    failed = "the name that a group's access goes by couldn't be written"
                    tasks.create_task(serve(self.queue, self._settle, failed, _identity))
        finally:
            self.queue.close()

    async def _settle(self, key: GroupKey) -> None:
        group, names = self._world.group(key), self._world.routes.names_of(key)
        if group is None or names is None:
            self._conclude(key, None, None)
            return
        if self._world.taken_in.get((group.type, group.uid)) != group.revision:
            return  # SCIM has just written more; its event makes it due again
        if self._world.directories.get(group.directory) is None:
            return  # nobody knows which names it protects; it makes them due again
        known = names.granted_as in (None, names.display_name)
        listed = False if known else await self._is_listed(key, names.display_name)
        if listed is None:
            self.queue.add_later(key, _LOOK_AGAIN_SECONDS)
            return
        before = self._outcomes.rename(key)
        decision = decide_name(self._world, key, before, listed)
        if isinstance(decision, Held) and not self._keeper.may_be_called(key, decision):
            self._conclude(key, group, decision)
            return
        if decision != "stays":
            await self._write(group, names.display_name)
        self._conclude(key, group, None)

    async def _is_listed(self, key: GroupKey, name: str) -> bool | None:
        """As the ledger says; None: nobody can decide now, the ledger or what a name gives isn't known."""
        if self._world.vanished:
            await self._keeper.absence.look()
        return None if self._keeper.absence.missing else self._keeper.is_listed(key, name)

    async def _write(self, group: Record, name: str) -> None:
        metadata = {
            "resourceVersion": str(group.resource_version),
            "annotations": {GRANTED_AS_ANNOTATION: name},
        }
        try:
            written = await self._client.merge_patch(GROUPS, group.name, {"metadata": metadata})
        except ApiError as error:
            if error.not_found:
                return  # its event comes
            if not error.conflict:
                raise
            self._saw(GROUPS, "MODIFIED", await self._client.get(GROUPS, group.name))
            raise AgainError from error
        # Known at once, so that the next SCIM write doesn't conflict.
        self._saw(GROUPS, "MODIFIED", written)
        self._audit.tell(
            Rename(
                directory=group.directory,
                id=group.id,
                object=group.name,
                former=group.granted_as,
                name=name,
            )
        )
        told = {**_identity((group.directory, group.id)), "from": group.granted_as, "to": name}
        log.info("a group's access goes by its displayName", extra=told)

    def _conclude(self, key: GroupKey, group: Record | None, held: Held | None) -> None:
        self._keeper.await_rename(key, held)
        before = self._outcomes.set_rename(key, held)
        if before == held:
            return
        policies = (before.policies if before else frozenset()) | (held.policies if held else frozenset())
        statuses = {Subject(POLICIES, policy) for policy in policies}
        self._mark(statuses | ({Subject(GROUPS, group.name)} if group else set()))
        if held is not None and (before is None or before.new != held.new):
            gains = [str(right) for right in held.gains[:_GAINS_LOGGED]]
            told = {"old_name": held.old, "new_name": held.new, "count": len(held.gains), "gains": gains}
            log.warning("a group's new name waits for approval", extra={**_identity(key), **told})


def _identity(key: GroupKey) -> dict[str, str]:
    return {"kind": GROUPS.kind, "directory": key[0], "id": key[1]}
