"""Namespaces, a unit of work of their own, that places wait for. The only writer of them.

| write | method | what keeps it safe |
| --- | --- | --- |
| new namespace | POST; on 409 it is somebody's | never takes over a namespace |
| labels and annotations, adoption | merge patch with the version seen | an older view loses |
| unused namespace | DELETE with uid and version seen | nobody came back, it is the same one |

What somebody waits for, making and adopting, is done at once; all else by one worker at a low rate, since a
change of a template concerns many namespaces and must not keep anybody from their access. A new namespace has
the template's labels from its first moment; quota, limits and network policy follow in the same pass, beside
the bindings: access doesn't hang on an object that a webhook may refuse.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scim_operator.access.bindings import Object
from scim_operator.access.choice import Told
from scim_operator.access.namespaces import NamespaceFacts, NamespacePlan, plan_namespace
from scim_operator.access.problems import Problem
from scim_operator.api.audit import NamespaceChange
from scim_operator.directory.audit import Audit
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, Resource
from scim_operator.reconcile.claims import namespace_facts
from scim_operator.reconcile.contents import Contents
from scim_operator.reconcile.outcomes import NamespaceOutcome, Outcomes
from scim_operator.reconcile.patience import Patience
from scim_operator.reconcile.queue import AgainError, KeyedQueue
from scim_operator.reconcile.serving import serve
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_FAILED = "a namespace couldn't be brought up to date"
_WORKERS = 4
# Between two namespaces that were tended: a rollout writes to some twenty of them in a second.
_PAUSE_SECONDS = 0.05
# A refusal may end without an event that we would see.
_REFUSED_AGAIN_SECONDS = 30.0
# The clock of the machine may be set; nothing is waited for longer without a look at it.
_LONGEST_WAIT_SECONDS = 600.0

Saw = Callable[[Resource, str | None, Mapping[str, Any]], None]
Concluded = Callable[[str, NamespaceOutcome], None]


class Namespaces:
    """Brings namespaces to their plans. `saw` takes in what was written; `concluded` what a pass came to.

    `now`: RFC 3339; `steady`: how long the clock has gone on without being set, in seconds.
    """

    def __init__(
        self,
        client: KubeClient,
        world: World,
        outcomes: Outcomes,
        saw: Saw,
        concluded: Concluded,
        audit: Audit,
        now: Callable[[], str],
        steady: Callable[[], float],
    ) -> None:
        self._client = client
        self._world = world
        self._outcomes = outcomes
        self._saw = saw
        self._concluded = concluded
        self._audit = audit
        self._now = now
        self._steady = steady
        self._contents = Contents(client, world)
        self.queue: KeyedQueue[str] = KeyedQueue()
        self._ahead = Patience(self.queue, time.monotonic)
        self.tending: KeyedQueue[str] = KeyedQueue()

    @property
    def queues(self) -> dict[str, KeyedQueue[str]]:
        """What is due, by what it is."""
        return {"namespaces": self.queue, "namespace_upkeep": self.tending}

    def look_at(self, names: Iterable[str]) -> None:
        """Somebody may wait for these namespaces, or need them no longer."""
        for name in names:
            self.queue.add(name)

    def tend(self, names: Iterable[str]) -> None:
        """These may differ from what their templates say; it can wait."""
        for name in names:
            self.tending.add(name)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_WORKERS):
                    tasks.create_task(serve(self.queue, self._make, _FAILED, _identity))
                tasks.create_task(serve(self.tending, self._tend, _FAILED, _identity))
        finally:
            self.queue.close()
            self.tending.close()

    async def _make(self, name: str) -> None:
        """What somebody waits for."""
        ahead = any(map(self._world.is_ahead, self._world.routes.in_namespace(name)))
        if self._ahead.postpones(name, ahead):
            return
        facts, planned = self._planned(name)
        if planned.create is None and not planned.adopts:
            differ = self._contents.differ(name, planned.template)
            if planned.patch or planned.delete or differ:
                self.tending.add(name)
            self._conclude(name, (), None if differ else ())
            return
        refused = await self._written(name, facts, planned)
        contents = () if refused else await self._contents.furnish(name, planned.template)
        self._conclude(name, refused, contents)

    async def _tend(self, name: str) -> None:
        """All the rest."""
        facts, planned = self._planned(name)
        if planned.create is not None or planned.adopts:
            self.queue.add(name)
            return
        refused = await self._written(name, facts, planned)
        differ = self._contents.differ(name, planned.template) and not planned.delete
        contents = await self._contents.furnish(name, planned.template) if differ else ()
        self._conclude(name, refused, contents)
        if planned.patch or planned.delete or differ:
            await asyncio.sleep(_PAUSE_SECONDS)

    def _planned(self, name: str) -> tuple[NamespaceFacts, NamespacePlan]:
        facts = namespace_facts(self._world, name, self._now(), self._steady())
        if facts.namespace is None:
            self._contents.forget(name)
        return facts, plan_namespace(name, facts)

    async def _written(self, name: str, facts: NamespaceFacts, planned: NamespacePlan) -> tuple[Told, ...]:
        """Write what is planned. -> what the API server refused, for those who want it"""
        try:
            if planned.create is not None:
                await self._create(name, planned.create)
            elif facts.namespace is not None and planned.delete:
                await self._delete(name, facts.namespace)
            elif facts.namespace is not None and planned.patch:
                await self._patch(name, facts.namespace, planned.patch)
        except ApiError as error:
            problem = Problem("Stalled", "Refused", f"namespace {name!r}: {error}")
            told = tuple(Told(policy, problem) for policy in sorted({claim.policy for claim in facts.claims}))
            if error.status in (400, 403, 409, 422):
                return told
            if error.status >= 500:  # a webhook that fails, as a rule: who waits should know
                self._conclude(name, told, None)
            raise
        self._tell(name, facts, planned)
        return ()

    def _tell(self, name: str, facts: NamespaceFacts, planned: NamespacePlan) -> None:
        policies = tuple(sorted({claim.policy for claim in facts.claims}))
        if planned.create is not None:
            self._audit.tell(NamespaceChange(action="Created", object=name, policies=policies))
        elif planned.delete:
            self._audit.tell(NamespaceChange(action="Deleted", object=name, policies=policies))
        elif planned.adopts:
            self._audit.tell(NamespaceChange(action="Adopted", object=name, policies=policies))

    def _conclude(self, name: str, refused: tuple[Told, ...], contents: tuple[Problem, ...] | None) -> None:
        """`contents` None: they are still to be looked at."""
        # Planned anew: the other queue's worker may have come to something newer meanwhile.
        _, planned = self._planned(name)
        known = self._outcomes.of_namespace(name).contents if contents is None else contents
        told = (*planned.problems, *refused)
        self._concluded(name, NamespaceOutcome(planned.template or "", told, known))
        if refused or contents:
            self.tending.add_later(name, _REFUSED_AGAIN_SECONDS)
        if planned.delete_in is not None:
            self.tending.add_later(name, min(planned.delete_in, _LONGEST_WAIT_SECONDS))

    async def _create(self, name: str, namespace: Object) -> None:
        try:
            made = await self._client.create(NAMESPACES, namespace)
        except ApiError as error:
            if not error.already_exists:
                raise
            # Somebody was faster; whether we may bind there is for the next plan of the places to say.
            self._know(await self._client.get(NAMESPACES, name))
            raise AgainError from error
        # Places wait for it, and its own event will come too late to be news.
        self._saw(NAMESPACES, "ADDED", made)
        log.info("namespace created", extra={"namespace": name})

    async def _patch(self, name: str, seen: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        # The version tells a namesake that somebody made anew, too.
        version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        try:
            patched = await self._client.merge_patch(NAMESPACES, name, {"metadata": {**version, **changed}})
        except ApiError as error:
            await self._again(name, seen, error)
            raise
        self._saw(NAMESPACES, "MODIFIED", patched)
        told = {kind: sorted(keys) for kind, keys in changed.items()}
        log.info("namespace changed", extra={"namespace": name, **told})

    async def _delete(self, name: str, seen: Mapping[str, Any]) -> None:
        metadata = seen["metadata"]
        try:
            await self._client.delete(
                NAMESPACES, name, uid=metadata["uid"], resource_version=metadata["resourceVersion"]
            )
        except ApiError as error:
            await self._again(name, seen, error)
            raise
        log.info("namespace deleted: unused for as long as its policies say", extra={"namespace": name})

    async def _again(self, name: str, seen: Mapping[str, Any], error: ApiError) -> None:
        """Know it as it is now when it isn't what was seen. Raises AgainError then.

        When it is, the 409 is somebody's way of refusing, such as a webhook's.
        """
        if error.conflict:
            found = await self._client.get(NAMESPACES, name)
            if found["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]:
                self._know(found)
                raise AgainError from error

    def _know(self, found: Mapping[str, Any]) -> None:
        """What a quorum read gave is so, whatever was thought of it."""
        self._world.namespaces.discard(found)
        self._saw(NAMESPACES, "MODIFIED", found)


def _identity(name: str) -> dict[str, str]:
    return {"namespace": name}
