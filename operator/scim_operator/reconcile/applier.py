"""Brings one place to its plan: the only writer of bindings.

| write | method | what keeps it safe |
| --- | --- | --- |
| new binding | POST; on 409 read, ours if `written` is valid, else Conflict | never overwrites by name |
| changed binding | PUT with the resourceVersion seen | an older view loses |
| unwanted binding | DELETE with uid and resourceVersion | an older view loses |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from scim_operator.access.bindings import (
    Change,
    Object,
    SubjectKind,
    binding_name,
    compare,
    desired_binding,
    gives,
    is_ours,
    merged,
    stamped,
    written,
)
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts, Plan, role_missing
from scim_operator.access.problems import Problem
from scim_operator.access.shards import spread, written_first, written_last
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.metrics import SKIPPED
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, Resource
from scim_operator.reconcile.queue import AgainError
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

# A place spread over many bindings must not keep the API server from the others.
_WRITES_AT_ONCE = 16
_WHOLE_BINDING = "; the whole binding was deleted, since the leaver in it could not be taken out alone"


class Applier:
    """Carries out plans.

    Raises ApiError when the API server is away, AgainError when it knew better than we did.
    """

    def __init__(self, client: KubeClient, world: World) -> None:
        self._client = client
        self._world = world
        self._turns = asyncio.Semaphore(_WRITES_AT_ONCE)

    async def apply(self, place: Place, plan: Plan, facts: Facts, request: str | None) -> list[Problem]:
        """-> the problems that only the API server could tell.

        `request`: the id of the SCIM request that led to this, kept with what is written.
        """
        if plan.keep:
            return []
        return await self._spread(place, plan, facts, request)

    async def _spread(self, place: Place, plan: Plan, facts: Facts, request: str | None) -> list[Problem]:
        """Everybody into their shard: first where somebody comes to, then where somebody leaves."""
        kind, reach = facts.kind, max(facts.shards, plan.shards)

        def objects(contents: Mapping[int, frozenset[str]]) -> dict[int, Object | None]:
            return {
                shard: desired_binding(place, facts.directory, names, kind, shard=shard, shards=plan.shards)
                if names
                else None
                for shard, names in contents.items()
            }

        wanted = spread(kind, plan.subjects, plan.shards)
        await asyncio.sleep(0)  # rule 21: others have their turn between the steps
        first = written_first(self._standing(place, reach, kind), wanted)
        await asyncio.sleep(0)
        results = await self._write_all(place, objects(first), request)
        standing = self._standing(place, reach, kind)
        last = dict.fromkeys(standing, frozenset[str]()) | written_last(standing, wanted)
        left = {shard: names for shard, names in last.items() if first.get(shard) != names}
        await asyncio.sleep(0)
        results += await self._write_all(place, objects(left), request)
        for error in results:
            if isinstance(error, BaseException):
                raise error
        self._world.settled(place, plan.shards)
        return [problem for problem in results if isinstance(problem, Problem)]

    def _standing(self, place: Place, reach: int, kind: SubjectKind) -> dict[int, frozenset[str]]:
        """Whom we put into the bindings of a place: nobody into one that gives another role."""
        ours = {s: b for s, b in self._world.bindings(place, reach).items() if is_ours(b)}
        return {s: written(b, kind) if gives(b, place) else frozenset() for s, b in ours.items()}

    async def _write_all(
        self, place: Place, desired: Mapping[int, Object | None], request: str | None
    ) -> list[Problem | BaseException | None]:
        """Several bindings of a place at once. What goes wrong with one of them doesn't keep the others."""
        writes = (self._write(place, shard, binding, request) for shard, binding in desired.items())
        return list(await asyncio.gather(*writes, return_exceptions=True))

    async def _write(
        self, place: Place, shard: int, desired: Object | None, request: str | None
    ) -> Problem | None:
        async with self._turns:
            actual = self._world.bindings_of(place).get(binding_name(place, shard), place.namespace)
            if actual is not None and not is_ours(actual):
                return None  # the plan has told
            if desired is None:
                if actual is not None:
                    await self._delete(place, actual)
                return None
            try:
                if actual is None:
                    return await self._create(place, stamped(desired, request))
                return await self._change(place, actual, desired, request)
            except ApiError as error:
                problem = _problem(place, error)
                if problem is None:
                    raise
                return problem

    async def _create(self, place: Place, desired: Object) -> Problem | None:
        try:
            made = await self._client.create(_resource(place), desired, namespace=place.namespace)
        except ApiError as error:
            if not error.already_exists:
                raise
            # Ours without its label (we watch by label), or somebody else's: the next plan tells.
            await self._look_again(place, desired["metadata"]["name"])
            raise AgainError from error
        self._saw(place, made, "binding created")
        return None

    async def _change(
        self, place: Place, actual: Mapping[str, Any], desired: Object, request: str | None
    ) -> Problem | None:
        change = compare(actual, desired)
        if change is Change.NONE:
            SKIPPED.labels(_resource(place).plural).inc()
            return None
        if change is Change.RECREATE:
            await self._delete(place, actual)
            return await self._create(place, stamped(desired, request))
        try:
            changed = stamped(merged(actual, desired), request)
            made = await self._client.replace(_resource(place), changed, namespace=place.namespace)
        except ApiError as error:
            if error.conflict or error.not_found:
                await self._look_again(place, actual["metadata"]["name"])
                raise AgainError from error
            if error.role_refused and _takes_away(actual, desired):
                # Deleting needs no `bind`: better that all of them lose it than that a leaver keeps it.
                await self._delete(place, actual)
                return _not_allowed(place, "LeaverNotRemovable", _WHOLE_BINDING)
            raise
        self._saw(place, made, "binding changed")
        return None

    async def _delete(self, place: Place, actual: Mapping[str, Any]) -> None:
        metadata = actual["metadata"]
        try:
            await self._client.delete(
                _resource(place),
                metadata["name"],
                namespace=place.namespace,
                uid=metadata["uid"],
                resource_version=metadata["resourceVersion"],
            )
        except ApiError as error:
            if error.conflict:
                await self._look_again(place, metadata["name"])
                raise AgainError from error
            if not error.not_found:
                raise
        self._world.bindings_of(place).removed_by_us(actual)
        log.info("binding deleted", extra={"place": place._asdict()})

    async def _look_again(self, place: Place, name: str) -> None:
        """Know a binding as it is now."""
        try:
            found = await self._client.get(_resource(place), name, namespace=place.namespace)
        except ApiError as error:
            if not error.not_found:
                raise
            if known := self._world.bindings_of(place).get(name, place.namespace):
                self._world.bindings_of(place).removed_by_us(known)
            return
        self._world.bindings_of(place).put(found)

    def _saw(self, place: Place, made: Object, what: str) -> None:
        self._world.bindings_of(place).put(made)
        self._world.saw_binding(place, made)
        log.info(what, extra={"place": place._asdict(), "subjects": len(made.get("subjects") or ())})


def _resource(place: Place) -> Resource:
    return CLUSTER_ROLE_BINDINGS if place.cluster_wide else ROLE_BINDINGS


def _takes_away(actual: Mapping[str, Any], desired: Object) -> bool:
    return any(subject not in desired["subjects"] for subject in actual.get("subjects") or ())


def _problem(place: Place, error: ApiError) -> Problem | None:
    """What the API server's refusal means for a reader, or None when it is no answer to the place itself."""
    if error.role_refused:
        return _not_allowed(place)
    if "being terminated" in error.message:
        message = f"namespace {place.namespace!r} is being deleted; access follows when it is back"
        return Problem("NamespaceMissing", "Terminating", message)
    if error.not_found and not error.message.startswith("namespaces "):
        return role_missing(place)
    if error.not_found:
        return Problem("NamespaceMissing", "NotFound", f"namespace {place.namespace!r} has just vanished")
    if error.status in (400, 403, 422):
        where = "for the whole cluster" if place.cluster_wide else f"in namespace {place.namespace!r}"
        return Problem("Stalled", "Refused", f"{where}: {error}")
    return None


def _not_allowed(place: Place, reason: str = "NotGrantable", more: str = "") -> Problem:
    message = (
        f"{place.kind} {place.role!r} is not among the roles that the operator may grant; to allow it, "
        f"add it to the chart's value `grantable{place.kind}s`{more}"
    )
    return Problem("RoleNotAllowed", reason, message)
