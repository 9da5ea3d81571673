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
from dataclasses import dataclass
from typing import Any

from scim_operator.access.bindings import (
    Object,
    SubjectKind,
    Who,
    binding_name,
    content,
    desired_binding,
    gives,
    grant_uid,
    is_as_wanted,
    is_ours,
    merged,
    of_grant,
    stamped,
)
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts, Plan, role_missing
from scim_operator.access.problems import Problem
from scim_operator.access.shards import Contents, spread_all, written_first, written_last
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.metrics import SKIPPED
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, Resource
from scim_operator.reconcile.queue import AgainError
from scim_operator.reconcile.told import Told, Writing
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

# A place spread over many bindings must not keep the API server from the others.
_WRITES_AT_ONCE = 16
_NOBODY: frozenset[Who] = frozenset()
_WHOLE_BINDING = "; the whole binding was deleted, since the leaver in it could not be taken out alone"


@dataclass(frozen=True)
class _Work:
    """What is to be written of a place: for a directory, over so many shards, because of requests."""

    place: Place
    directory: str
    shards: int
    requests: tuple[str, ...]

    def writing(self, name: str, actual: Mapping[str, Any] | None, **what: Any) -> Writing:
        """Of one of its bindings."""
        return Writing(self.place, self.directory, self.requests, self.shards, name, actual, **what)

    def stamped(self, binding: Object) -> Object:
        """With the last of the requests."""
        return stamped(binding, self.requests[-1] if self.requests else None)


class Applier:
    """Carries out plans.

    Raises ApiError when the API server is away, AgainError when it knew better than we did.
    """

    def __init__(self, client: KubeClient, world: World, told: Told) -> None:
        self._client = client
        self._world = world
        self._told = told
        self._turns = asyncio.Semaphore(_WRITES_AT_ONCE)

    async def apply(
        self,
        place: Place,
        directory: str,
        plan: Plan,
        facts: Facts,
        requests: tuple[str, ...],
        *,
        patient: bool = True,
    ) -> list[Problem]:
        """Everybody into their shard: first where somebody comes to, then where somebody leaves.

        `directory`: whose people they are. `requests`: the ids of the SCIM requests that led to this; the
        last one is kept with what is written. `patient`: when somebody who comes can't be written, those who
        may be the same people under another name stay.
        -> the problems that only the API server could tell.
        """
        if plan.keep:
            return await self._apply_to_the_overdue(_Work(place, directory, facts.shards, requests))
        reach = max(facts.shards, plan.shards)
        work = _Work(place, directory, plan.shards, requests)
        wanted = spread_all(facts.kind, plan.subjects, plan.kept, plan.shards)
        actual = self._actual(place, reach, wanted)
        leaving = self._known_to_leave(place, facts.kind, actual, wanted)
        await asyncio.sleep(0)  # rule 21: others have their turn between the steps
        first = written_first(actual, wanted, leaving)
        results = await self._write_all(work, first)
        failed = any(isinstance(result, BaseException) for result in results)
        actual = self._actual(place, reach, wanted)
        staying = _union(actual) - leaving if failed and patient else _NOBODY
        last = written_last(actual, wanted, staying)
        await asyncio.sleep(0)
        results += await self._write_all(
            work, {s: whole for s, whole in last.items() if first.get(s) != whole}
        )
        for error in results:
            if isinstance(error, BaseException):
                raise error
        self._world.settled(place, plan.shards, reach)
        return [problem for problem in results if isinstance(problem, Problem)]

    async def _apply_to_the_overdue(self, work: _Work) -> list[Problem]:
        """Everything stays as it is, but for those who must be out whatever is the matter."""
        kept: dict[int, frozenset[Who]] = {}
        for shard, held in self._world.held(work.place).items():
            # The mark that tells whom we put there can be stripped.
            ours = held.written or held.standing
            if overdue := {who for who in ours if self._world.at_once(work.place, who)}:
                kept[shard] = ours - overdue
        results = await self._write_all(work, kept)
        for error in results:
            if isinstance(error, BaseException):
                raise error
        return [problem for problem in results if isinstance(problem, Problem)]

    def _actual(self, place: Place, reach: int, wanted: Contents) -> dict[int, frozenset[Who]]:
        """Whom we put into the bindings of a place, or would: strangers don't count, nor another role."""
        held = self._world.held(place, reach)
        bindings = self._world.bindings(place, reach)
        strange = any(found.standing != found.written for found in held.values())
        everybody = _union(wanted) if strange else _NOBODY
        return {
            shard: found.written | (found.standing & everybody) if gives(bindings[shard], place) else _NOBODY
            for shard, found in held.items()
        }

    def _known_to_leave(
        self, place: Place, kind: SubjectKind, actual: Contents, wanted: Contents
    ) -> frozenset[Who]:
        """Who stands here, isn't wanted, and is called so still: they don't come back under another name. And
        who must be out at once."""
        going = _union({shard: names - wanted.get(shard, _NOBODY) for shard, names in actual.items()})
        if not going:
            return going
        bearers, at_once = self._world.naming.bearers, self._world.at_once
        gone = going - _union(wanted)
        return frozenset(
            who
            for who in gone
            if at_once(place, who) or (who[0] == kind and any(True for _ in bearers(who[1], kind)))
        )

    async def _write_all(
        self, work: _Work, contents: Mapping[int, frozenset[Who]]
    ) -> list[Problem | BaseException | None]:
        """Several bindings of a place at once. What goes wrong with one of them doesn't keep the others,
        unless the API server is away."""
        away: list[ApiError] = []

        async def write(shard: int, subjects: frozenset[Who]) -> Problem | None:
            async with self._turns:
                if away:
                    raise away[0]
                try:
                    return await self._write(work, shard, subjects)
                except ApiError as error:
                    if not error.status:
                        away.append(error)
                    raise

        writes = (write(shard, subjects) for shard, subjects in contents.items())
        return list(await asyncio.gather(*writes, return_exceptions=True))

    async def _write(self, work: _Work, shard: int, subjects: frozenset[Who]) -> Problem | None:
        place, name = work.place, binding_name(work.place, shard)
        actual = self._world.bindings_of(place).get(name, place.namespace)
        if actual is not None and not is_ours(actual):
            return None  # the plan has told
        if not subjects:
            if actual is not None:
                await self._delete(work, actual)
            return None
        if actual is not None and self._is_as_wanted(work, actual, subjects):
            SKIPPED.labels(_resource(place).plural).inc()
            return None
        desired = desired_binding(place, work.directory, subjects, shard=shard, shards=work.shards)
        desired = of_grant(desired, self._world.grants.uid(place))
        try:
            if actual is None:
                return await self._create(work, desired, subjects)
            return await self._change(work, actual, desired, subjects)
        except ApiError as error:
            problem = _problem(place, error)
            if problem is None:
                raise
            return problem

    def _is_as_wanted(self, work: _Work, actual: Mapping[str, Any], subjects: frozenset[Who]) -> bool:
        place, name = work.place, actual["metadata"]["name"]
        held = self._world.bindings_of(place).derived(name, place.namespace, content)
        if held is None or not is_as_wanted(actual, held, place, work.directory, subjects, work.shards):
            return False
        return not place.grant or grant_uid(actual) == self._world.grants.uid(place)

    async def _create(self, work: _Work, desired: Object, subjects: frozenset[Who]) -> Problem | None:
        place, name = work.place, desired["metadata"]["name"]
        try:
            with self._told.writing(work.writing(name, None, after=subjects)):
                body = work.stamped(desired)
                made = await self._client.create(_resource(place), body, namespace=place.namespace)
        except ApiError as error:
            if not error.already_exists:
                raise
            # Ours without its label (we watch by label), or somebody else's: the next plan tells.
            await self._look_again(place, name)
            raise AgainError from error
        self._saw(place, made, "binding created")
        return None

    async def _change(
        self, work: _Work, actual: Mapping[str, Any], desired: Object, subjects: frozenset[Who]
    ) -> Problem | None:
        place, name = work.place, actual["metadata"]["name"]
        if not gives(actual, place):  # a binding's role can't be changed
            await self._delete(work, actual, subjects)
            return await self._create(work, desired, subjects)
        try:
            with self._told.writing(work.writing(name, actual, after=subjects)):
                changed = work.stamped(merged(actual, desired))
                made = await self._client.replace(_resource(place), changed, namespace=place.namespace)
        except ApiError as error:
            # The same 404 tells of a role that is gone, when its name is none that we may bind.
            role_gone = error.not_found and f'"{name}"' not in error.message
            if error.conflict or (error.not_found and not role_gone):
                await self._look_again(place, name)
                raise AgainError from error
            if (error.role_refused or role_gone) and _takes_away(actual, desired):
                # Deleting needs no `bind`: better that all of them lose it than that a leaver keeps it.
                await self._delete(work, actual, subjects)
                return _not_allowed(place, "LeaverNotRemovable", _WHOLE_BINDING)
            raise
        self._saw(place, made, "binding changed")
        return None

    async def _delete(self, work: _Work, actual: Mapping[str, Any], lost: frozenset[Who] = _NOBODY) -> None:
        """`lost`: who should stand there, and has to be put into another one or can't be."""
        place, metadata = work.place, actual["metadata"]
        try:
            if metadata.get("finalizers"):
                actual = await self._empty(work, actual, lost)
                metadata = actual["metadata"]
            with self._told.writing(work.writing(metadata["name"], actual, gone=True, lost=lost)):
                await self._remove(place, metadata)
        except ApiError as error:
            if error.conflict:
                await self._look_again(place, metadata["name"])
                raise AgainError from error
            raise
        if not metadata.get("finalizers"):
            self._world.bindings_of(place).removed_by_us(actual)
        log.info("binding deleted", extra={"place": place._asdict()})

    async def _remove(self, place: Place, metadata: Mapping[str, Any]) -> None:
        """Gone is gone, by whomever. Raises ApiError."""
        seen = {"uid": metadata["uid"], "resource_version": metadata["resourceVersion"]}
        try:
            await self._client.delete(_resource(place), metadata["name"], namespace=place.namespace, **seen)
        except ApiError as error:
            if not error.not_found:
                raise

    async def _empty(self, work: _Work, actual: Mapping[str, Any], lost: frozenset[Who]) -> Mapping[str, Any]:
        """Nobody in it: while somebody's finalizer holds a deleted binding, it goes on to give its role."""
        if not actual.get("subjects"):
            return actual
        place, emptied = work.place, {**actual, "subjects": []}
        with self._told.writing(work.writing(actual["metadata"]["name"], actual, lost=lost)):
            made = await self._client.replace(_resource(place), emptied, namespace=place.namespace)
        self._saw(place, made, "binding emptied, since a finalizer holds it")
        return made

    async def _look_again(self, place: Place, name: str) -> None:
        """Know a binding as it is now."""
        try:
            found = await self._client.get(_resource(place), name, namespace=place.namespace)
        except ApiError as error:
            if not error.not_found:
                raise
            if known := self._world.bindings_of(place).get(name, place.namespace):
                self._told.read_anew(place, name, "DELETED", known)
                self._world.bindings_of(place).removed_by_us(known)
            return
        self._told.read_anew(place, name, "MODIFIED", found)
        self._world.bindings_of(place).read_anew(found)
        self._world.saw_binding(place, found)

    def _saw(self, place: Place, made: Object, what: str) -> None:
        self._world.bindings_of(place).put(made)
        self._world.saw_binding(place, made)
        log.info(what, extra={"place": place._asdict(), "subjects": len(made.get("subjects") or ())})


def _resource(place: Place) -> Resource:
    return CLUSTER_ROLE_BINDINGS if place.cluster_wide else ROLE_BINDINGS


def _union(contents: Contents) -> frozenset[Who]:
    return frozenset().union(*contents.values())


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
    where, value = "", f"value `grantable{place.kind}s`"
    if place.cluster_wide:
        where, value = " in the whole cluster", "values `grantableClusterRoles` and `clusterWideRoles`"
    message = (
        f"{place.kind} {place.role!r} is not among the roles that the operator may grant{where}; "
        f"to allow it, add it to the chart's {value}{more}"
    )
    return Problem("RoleNotAllowed", reason, message)
