"""Namespaces, a unit of work of their own, that places wait for. The only writer of them.

| write | method | what keeps it safe |
| --- | --- | --- |
| new namespace | POST; on 409 it is somebody's | never takes over a namespace |
| labels stripped from a namespace of ours | merge patch with the version seen | an older view loses |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scim_operator.access.bindings import Object
from scim_operator.access.namespaces import NamespaceOutcome, plan_namespace
from scim_operator.access.problems import Problem
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, Resource
from scim_operator.reconcile.queue import AgainError, KeyedQueue
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_WORKERS = 4
# A refusal may end without an event that we would see.
_REFUSED_AGAIN_SECONDS = 30.0

Saw = Callable[[Resource, str | None, Mapping[str, Any]], None]
Concluded = Callable[[str, NamespaceOutcome], None]


class Namespaces:
    """Brings namespaces to their plans. `saw` takes in what was written; `concluded` what a pass came to."""

    def __init__(self, client: KubeClient, world: World, saw: Saw, concluded: Concluded) -> None:
        self._client = client
        self._world = world
        self._saw = saw
        self._concluded = concluded
        self.queue: KeyedQueue[str] = KeyedQueue()

    def look_at(self, names: Iterable[str]) -> None:
        """These namespaces may have to be made or changed."""
        for name in names:
            self.queue.add(name)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_WORKERS):
                    tasks.create_task(self._work())
        finally:
            self.queue.close()

    async def _work(self) -> None:
        while True:
            name = await self.queue.get()
            try:
                await self._reconcile(name)
                self.queue.done(name)
            except AgainError:
                self.queue.add(name)
                self.queue.done(name)
            except ApiError as error:
                pause = self.queue.failed(name)
                log.warning(
                    "a namespace couldn't be brought up to date",
                    extra={"namespace": name, "error": str(error), "again_in_seconds": pause},
                )
            except Exception:
                pause = self.queue.failed(name)
                log.exception("a namespace failed", extra={"namespace": name, "again_in_seconds": pause})

    async def _reconcile(self, name: str) -> None:
        facts = self._world.namespace_facts(name)
        planned = plan_namespace(name, facts)
        problems: tuple[Problem, ...] = ()
        try:
            if planned.create is not None:
                await self._create(name, planned.create)
            elif planned.relabel and facts.namespace is not None:
                await self._relabel(name, facts.namespace, planned.relabel)
        except ApiError as error:
            if error.status not in (400, 403, 422):
                raise
            problems = (_refused(name, error),)
            self.queue.add_later(name, _REFUSED_AGAIN_SECONDS)
        self._concluded(name, NamespaceOutcome(frozenset(maker.policy for maker in facts.makers), problems))

    async def _create(self, name: str, namespace: Object) -> None:
        try:
            made = await self._client.create(NAMESPACES, namespace)
        except ApiError as error:
            if not error.already_exists:
                raise
            # Somebody was faster; whether we may bind there is for the next plan of the places to say.
            self._saw(NAMESPACES, "ADDED", await self._client.get(NAMESPACES, name))
            raise AgainError from error
        # Places wait for it, and its own event will come too late to be news.
        self._saw(NAMESPACES, "ADDED", made)
        log.info("namespace created", extra={"namespace": name})

    async def _relabel(self, name: str, seen: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        # The version tells a namesake that somebody made anew, too.
        version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        try:
            changed = await self._client.merge_patch(
                NAMESPACES, name, {"metadata": {**version, "labels": dict(labels)}}
            )
        except ApiError as error:
            if not error.conflict:
                raise
            self._saw(NAMESPACES, "MODIFIED", await self._client.get(NAMESPACES, name))
            raise AgainError from error
        self._saw(NAMESPACES, "MODIFIED", changed)
        log.info("namespace labelled again", extra={"namespace": name, "labels": sorted(labels)})


def _refused(name: str, error: ApiError) -> Problem:
    return Problem("Stalled", "Refused", f"namespace {name!r}: {error}")
