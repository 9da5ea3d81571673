"""The level-triggered heart: what is concerned becomes due, workers plan and apply what they find then.

It doesn't matter which event was seen, in which order, or how often: a worker reads the state as it is when
it comes to a place. Nothing is planned before every input of this start has been listed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts, plan
from scim_operator.access.problems import Problem
from scim_operator.directory.audit import Audit
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.feed import until_listed
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unhurried import paced, portions
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.aftermath import after_namespace, after_place
from scim_operator.reconcile.applier import Applier
from scim_operator.reconcile.causes import request_of, tell_cause
from scim_operator.reconcile.clock import Clock
from scim_operator.reconcile.concerned import Concerned
from scim_operator.reconcile.decided import Decided
from scim_operator.reconcile.events import Recorder, warning
from scim_operator.reconcile.guard import Guard
from scim_operator.reconcile.inputs import Inputs
from scim_operator.reconcile.keeper import Keeper
from scim_operator.reconcile.listening import listen
from scim_operator.reconcile.moving import Moving
from scim_operator.reconcile.namespaces import Namespaces
from scim_operator.reconcile.outcomes import NamespaceOutcome, Outcome
from scim_operator.reconcile.overdue import Overdue
from scim_operator.reconcile.patience import Patience
from scim_operator.reconcile.previews import Previews
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.renames import Renames
from scim_operator.reconcile.resources import GRANTS, LOCKS, POLICIES
from scim_operator.reconcile.roles import role_exists
from scim_operator.reconcile.serving import serve
from scim_operator.reconcile.standing import overdue as places_overdue
from scim_operator.reconcile.status_writer import StatusWriter
from scim_operator.reconcile.statuses import Statuses, Subject
from scim_operator.reconcile.strays import Strays
from scim_operator.reconcile.told import Told
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_WORKERS = 8
_FAILED = "a place couldn't be brought up to date"
_SWEEP_SECONDS = 300.0
_DIRECTORY_STATUS_SECONDS = 10.0
# A refusal may end without an event we would see (the operator's own role was changed by an upgrade).
_REFUSED_AGAIN_SECONDS = 30.0
# How soon to look whether those who move to another binding stand in it.
_MOVED_SECONDS = 0.02
# So often may the writing of those who come fail before those who leave stop waiting for them.
_PATIENCE = 3
# How long somebody may have what has ended, if the clock is set while we sleep.
_LONGEST_SLEEP = 1.0
# A place may be made due by many requests before its turn comes.
_MOST_CAUSES = 20


class Reconciler:
    """`monotonic`: a clock in seconds; `now`: RFC 3339; `returned`: called when a missing kind is back."""

    def __init__(
        self,
        client: KubeClient,
        world: World,
        statuses: Statuses,
        recorder: Recorder,
        audit: Audit,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], str],
        returned: Callable[[], None],
    ) -> None:
        self._client = client
        self._returned = returned
        self._world = world
        self._inputs = Inputs(world)
        self._audit = audit
        self._decided = Decided(audit)
        self._applier = Applier(client, world, Told(audit, world, self._decided.is_approved))
        self._strays = Strays(client, world)
        self._recorder = recorder
        self._statuses = statuses
        self._monotonic = monotonic
        self._places: KeyedQueue[Place] = KeyedQueue()
        self._clock = Clock(world.now, monotonic)
        told = self.observe, self._conclude_namespace
        self._namespaces = Namespaces(client, world, statuses.outcomes, *told, audit, now, self._clock.steady)
        self._moving = Moving(world, self._pending, lambda place: self._places.failures(place) > 0)
        self._moving_since: dict[Place, float] = {}
        busy = (self._namespaces.queue, self._places)
        self._keeper = Keeper(
            client,
            world,
            self._decided,
            now,
            self._look_at_places,
            lambda groups: self._renames.look_at(groups),
        )
        self._guard = Guard(world, statuses.outcomes, self._keeper)
        self._writer = StatusWriter(client, statuses, recorder, busy, self._wrote_status)
        self._previews = Previews(client, world, statuses.outcomes, self._writer.mark, now)
        self._renames = Renames(
            client, world, statuses.outcomes, self.observe, self._writer.mark, self._keeper, audit
        )
        self._ahead = Patience(self._places, monotonic)
        # The SCIM requests that made places due, the last of them.
        self._causes: dict[Place, tuple[str, ...]] = {}
        self._directory_written: dict[str, float] = {}
        self._overdue = Overdue(self._places)
        self._started = False

    @property
    def missing(self) -> list[str]:
        """What has to be listed before anything is planned, in words; empty once it runs."""
        return self._inputs.missing

    @property
    def overdue(self) -> int | None:
        """At how many places somebody may stand who must be out before anything else; None: nobody knows."""
        return self._overdue.left

    @property
    def queues(self) -> dict[str, KeyedQueue[Any]]:
        """What is due, by what it is."""
        return {
            "places": self._places,
            "ledger": self._keeper.queue,
            "renames": self._renames.queue,
            **self._namespaces.queues,
            "previews": self._previews.queue,
            **self._writer.queues,
        }

    def observe(self, resource: Resource, event: str | None, obj: Mapping[str, Any]) -> None:
        """Take in one event. Never blocks, never fails because of what the object holds."""
        self._audit.observe(resource, event, obj)
        concerned = self._inputs.observe(resource, event, obj)
        if self._started and concerned.places:
            self._note_cause(resource, event, obj, concerned)
        self._look_at(concerned)

    async def run(self) -> None:
        """List all but users and groups, which this term knows already, then reconcile until cancelled."""
        await until_listed(lambda: self._inputs.list_others(self._client), self._returned)
        self._started = True
        overdue = places_overdue(self._world)
        self._look_at(Concerned(overdue))
        self._overdue.begin(overdue)
        self._keeper.start()
        everything = self._inputs.everything()
        log.info(
            "everything is listed, reconciling begins",
            extra={"places": len(everything.places), "objects": self._world.index.population},
        )
        self._look_at(everything)
        await self._mark(self._inputs.everybody())
        index = self._world.index
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(_WORKERS):
                    tasks.create_task(serve(self._places, self._reconcile, _FAILED, _identity))
                tasks.create_task(self._keeper.run())
                tasks.create_task(self._keeper.absence.run(self._list_again, self._returned))
                tasks.create_task(self._namespaces.run())
                tasks.create_task(self._renames.run())
                tasks.create_task(self._previews.run())
                tasks.create_task(self._writer.run())
                tasks.create_task(self._sweep())
                tasks.create_task(listen(index.echoes, index.lists, self._monotonic, self._list_identities))
                tasks.create_task(self._refresh_directories())
                tasks.create_task(self._watch_the_clock())
        finally:
            self._places.close()
            self._writer.close()

    # --- becoming due --------------------------------------------------------------------------------------

    def _look_at(self, concerned: Concerned) -> None:
        if not self._started:
            return  # all of it becomes due when the lists are complete
        self._look_at_places(concerned.places)
        for directory in concerned.ledgers:
            self._keeper.queue.add(directory)
        self._renames.look_at(concerned.renamed)
        self._namespaces.look_at(concerned.namespaces)
        self._namespaces.tend(concerned.unhurried)
        if concerned.places or concerned.unhurried:
            self._previews.look_at()
        directories = {subject for subject in concerned.statuses if subject.resource == DIRECTORIES}
        self._writer.mark(concerned.statuses - directories)
        for subject in directories:
            self._mark_directory(subject)

    def _look_at_places(self, places: Iterable[Place]) -> None:
        for place in places:
            self._places.add(place)

    def _note_cause(
        self, resource: Resource, event: str | None, obj: Mapping[str, Any], concerned: Concerned
    ) -> None:
        """Which SCIM request it was, kept with what is written because of it; none for what admins do."""
        if resource in (POLICIES, DIRECTORIES, GRANTS, LOCKS):
            for place in concerned.places:
                self._causes.pop(place, None)
        if resource not in (USERS, GROUPS, SHARDS):
            return
        if resource == SHARDS and not (concerned.places or concerned.people):
            return  # a new set, not in force yet, or what was in force before it came to the shard
        request = request_of(event, obj, self._audit.deletion)
        for place in concerned.places:
            known = self._causes.pop(place, ())
            if request:
                self._causes[place] = (*(one for one in known if one != request), request)[-_MOST_CAUSES:]
        if request:
            self._statuses.outcomes.note_cause(concerned.people, request)
        tell_cause(obj, request, len(concerned.places))

    def _mark_directory(self, subject: Subject) -> None:
        """A directory's counts move with every request; its status is written now and then, and at once when
        somebody edited it."""
        since = self._monotonic() - self._directory_written.get(subject.name, float("-inf"))
        edited = self._world.directories.is_edited(subject.name)
        self._writer.mark([subject], 0.3 if edited else max(0.3, _DIRECTORY_STATUS_SECONDS - since))

    def _wrote_status(self, subject: Subject, written: dict[str, Any]) -> None:
        """Our own write moved the resourceVersion: know it, so that the next SCIM write doesn't conflict."""
        if subject.resource == DIRECTORIES:
            self._directory_written[subject.name] = self._monotonic()
        self._statuses.told(subject)
        self.observe(subject.resource, "MODIFIED", written)

    # --- working -------------------------------------------------------------------------------------------

    def _pending(self, place: Place) -> bool:
        """True while the work on a place, or on the namespace it waits for, is ahead or under way."""
        ahead = self._places.pending(place) or self._ahead.waits(place)
        return ahead or self._namespaces.queue.pending(place.namespace)

    async def _reconcile(self, place: Place) -> bool:
        """-> False when something is waited for that no event will tell."""
        # Nobody gets by a group's former name what its new one doesn't give.
        if self._ahead.postpones(place, self._world.is_ahead(place) or self._renames.concern(place)):
            return True
        asked = await role_exists(self._client, place) if place.kind == "Role" else None
        facts = self._world.facts(place, asked)
        facts = replace(facts, moving=await self._moving_from(place, facts))
        requests = self._causes.pop(place, ())
        allowed = self._world.limits.allowed(place.policy)
        await asyncio.sleep(0)  # rule 21: a place of 20,000 people takes some time
        try:
            problems, refused, sure = await self._carry_out(place, facts, requests)
        except BaseException:
            if requests:
                self._causes.setdefault(place, requests)
            raise
        # A binding that went makes room under maxNamespaces.
        self._look_at_places(self._world.limits.turned(place.policy, allowed))
        if refused:
            self._places.add_later(place, _REFUSED_AGAIN_SECONDS)
        for shard in facts.bindings.keys() - facts.ours.keys():
            # Somebody else's lies outside of what we watch: look again later whether it is still there.
            self._world.bindings_of(place).discard(facts.bindings[shard])
            self._places.add_later(place, _REFUSED_AGAIN_SECONDS)
        if facts.moving:
            self._places.add_later(place, _MOVED_SECONDS)
        else:
            self._moving_since.pop(place, None)
        if facts.namespace is None and not place.cluster_wide and requests:
            self._causes.setdefault(place, requests)
        await self._conclude(place, facts, Outcome(*self._standing(place), problems))
        if removed := [problem.message for problem in refused if problem.reason == "LeaverNotRemovable"]:
            await self._tell(place, removed[0])
        waits_for_role = asked is False and any(item.condition == "RoleMissing" for item in problems)
        return sure and not waits_for_role

    async def _carry_out(
        self, place: Place, facts: Facts, requests: tuple[str, ...]
    ) -> tuple[tuple[Problem, ...], list[Problem], bool]:
        """-> all problems, those among them that only the API server could tell, whether the guard knew."""
        patient = self._places.failures(place) < _PATIENCE
        planned, sure, owner = await self._guard.restrain(place, facts, plan(place, facts))
        refused = await self._applier.apply(place, owner, planned, facts, requests, patient=patient)
        if refused and facts.moving:
            # Who comes is refused; that must not keep those who go.
            facts = replace(facts, moving=frozenset())
            planned, sure, owner = await self._guard.restrain(place, facts, plan(place, facts))
            refused += await self._applier.apply(place, owner, planned, facts, requests, patient=patient)
        self._guard.passed(place, facts, planned)
        return (*planned.problems, *refused), refused, sure

    async def _moving_from(self, place: Place, facts: Facts) -> frozenset[str]:
        """Who moves to another binding. From one whose policy only looks on, nobody does."""
        if facts.staying is not None:
            return frozenset()
        since = self._moving_since.get(place, self._monotonic())
        moving = await self._moving.from_place(place, facts, self._monotonic() - since)
        if moving:
            self._moving_since[place] = since
        return moving

    def _standing(self, place: Place) -> tuple[int, frozenset[Who]]:
        """How many bindings of ours are there after the pass, and who stands in them: what an audit asks."""
        return len(self._world.held(place)), self._world.standing(place)

    async def _conclude(self, place: Place, facts: Facts, outcome: Outcome) -> None:
        before = self._statuses.outcomes.set(place, outcome, opened=facts.opening is not None)
        await self._mark(after_place(self._world, place, before, outcome))

    def _conclude_namespace(self, name: str, outcome: NamespaceOutcome) -> None:
        before = self._statuses.outcomes.set_namespace(name, outcome)
        self._writer.mark(after_namespace(self._world, name, before, outcome))

    async def _tell(self, place: Place, message: str) -> None:
        grants, policies = self._world.grants.objects, self._world.policies
        giver = grants.get(place.grant) if place.grant else policies.get(place.policy)
        if giver is not None:
            told = warning("RoleNotAllowed", "DeleteBinding", message)
            kind = GRANTS.kind if place.grant else POLICIES.kind
            await self._recorder.tell(kind, giver["metadata"], told)

    # --- listing -------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """kopf reports no deletion that fell into a gap of its watch; this finds it, and any drift."""
        await self._try(self._find_strays)
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await self._try(self._list_again)

    async def _list_again(self) -> None:
        self._look_at(await self._inputs.list_all(self._client))
        self._world.rosters.forget_names()  # whatever was missed, nobody stays in them
        await self._find_strays()
        self._look_at(self._inputs.everything())
        await self._mark(self._inputs.everybody())

    async def _mark(self, subjects: Iterable[Subject]) -> None:
        """These may be as many as there are people."""
        async for some in paced(portions(subjects)):
            self._writer.mark(some)

    async def _list_identities(self) -> None:
        await self._try(self._hear_identities)

    async def _hear_identities(self) -> None:
        self._look_at(await self._inputs.list_identities(self._client))

    async def _find_strays(self) -> None:
        self._look_at(Concerned(await self._strays.find()))

    async def _try(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except ApiError as error:
            log.warning("listing again failed; the next time follows", extra={"error": str(error)})
        except Exception:
            log.exception("listing again failed; the next time follows")

    async def _watch_the_clock(self) -> None:
        """What ends at a time ends then."""
        while True:
            await asyncio.sleep(min(_LONGEST_SLEEP, self._inputs.seconds_to_next_end))
            self._clock.steady()  # so that a step is seen when it happens
            self._look_at(self._inputs.time_passed())

    async def _refresh_directories(self) -> None:
        """The time of the last request moves without any event."""
        while True:
            await asyncio.sleep(_DIRECTORY_STATUS_SECONDS)
            for name in self._world.directories.names():
                self._mark_directory(Subject(DIRECTORIES, name))


def _identity(place: Place) -> dict[str, Any]:
    return {"place": place._asdict()}
