"""The guard between plan and bindings: nobody leaves before the ledger says so, and is stored.

A place that nobody leaves asks nothing and waits for nothing, unless `maxAdditions` counts who comes there or
somebody protected does.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import replace
from typing import NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts, Plan
from scim_operator.access.problems import Problem
from scim_operator.access.restraint import Change, change_of, on_hold, restrained
from scim_operator.access.tally import who_key
from scim_operator.api.directory import DirectorySpec
from scim_operator.api.kinds import WRITTEN_ANNOTATION
from scim_operator.directory.unhurried import paced
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.elsewhere import Elsewhere
from scim_operator.reconcile.keeper import Keeper
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.resources import LOCKS
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_NOBODY: frozenset[Who] = frozenset()


class Restraint(NamedTuple):
    """A plan with what the guard leaves of it. `sure` False: it couldn't decide, and is to be asked again.
    `owner`: the directory whose people stand there by that plan.
    """

    plan: Plan
    sure: bool
    owner: str


class _Asking(NamedTuple):
    """What is to change at a place. `losses`: who would lose access by that."""

    place: Place
    facts: Facts
    change: Change
    losses: frozenset[Who]
    others: Elsewhere


class _Answer(NamedTuple):
    """Who stays, and who doesn't come."""

    kept: frozenset[Who] = _NOBODY
    barred: frozenset[Who] = _NOBODY
    sure: bool = True
    problems: tuple[Problem, ...] = ()


class Guard:
    """Decides for one place at a time."""

    def __init__(self, world: World, outcomes: Outcomes, keeper: Keeper) -> None:
        self._world = world
        self._outcomes = outcomes
        self._keeper = keeper
        self._holders = keeper.holders

    async def restrain(self, place: Place, facts: Facts, planned: Plan) -> Restraint:
        """The plan without the removals and additions that have to wait. Raises AgainError."""
        locked = self._locked(place)
        # Whether an AccessGrant has ended is only known when its kind is there.
        if self._world.vanished and (place.grant or not locked):
            await self._keeper.absence.look()
        directory, former = self._directory(place, facts), self._former(place, facts)
        settled = planned.keep and facts.directory_exists
        if not directory or settled or self._keeper.is_over(former):
            self._keeper.note(former, place, _NOBODY)
            if not planned.keep:
                self._keeper.note_gains(directory, place, _NOBODY)
            elif self._is_on_hold(directory):
                # It waits for its namespace, which isn't made meanwhile.
                planned = replace(planned, problems=(*planned.problems, on_hold(directory)))
            return Restraint(planned, True, self._owner(place, facts, planned))
        for name in {directory, former}:
            # One that is gone with all of its people has nothing to guard, and would be forgotten at once.
            if not self._keeper.is_over(name):
                self._keeper.judge(self._keeper.guarded(name))
        change = self._change(place, facts, planned)
        if locked and (change.losses or change.gains):
            # They go first, whatever all the others have to wait for.
            left_over = restrained(planned, facts, change.losses, change.gains)
            return Restraint(left_over, False, self._owner(place, facts, left_over))
        others = Elsewhere(self._world, self._holders)
        losses = change.losses - others.given(place) if change.losses else _NOBODY
        self._keeper.note(former, place, losses | self._standing_still(place, facts))
        ask = _Asking(place, facts, change, losses, others)
        if former == directory or not facts.directory_exists:
            answer = await self._answer(directory, ask)
        else:
            # The policy's directory was changed: those of the old one leave under its own guard.
            left = await self._answer(former, ask._replace(change=change._replace(gains=_NOBODY)))
            came = await self._answer(
                directory, ask._replace(change=change._replace(losses=_NOBODY), losses=_NOBODY)
            )
            problems = tuple(dict.fromkeys((*left.problems, *came.problems)))
            answer = _Answer(left.kept, came.barred, left.sure and came.sure, problems)
        left_over = restrained(planned, facts, answer.kept, answer.barred)
        if answer.problems:
            left_over = replace(left_over, problems=(*left_over.problems, *answer.problems))
        return Restraint(left_over, answer.sure, self._owner(place, facts, left_over))

    def passed(self, place: Place, facts: Facts, planned: Plan) -> None:
        """A place was brought to its plan: who stands there now."""
        standing = self._world.standing(place)
        before, owner = self._holders.directory_of(place), self._owner(place, facts, planned)
        self._holders.stand(place, owner, standing)
        self._keeper.note(owner, place, (planned.kept & standing) | self._standing_still(place, facts))
        self._keeper.came(place, standing)
        if before != owner:
            self._keeper.note(before, place, _NOBODY)

    def _owner(self, place: Place, facts: Facts, planned: Plan) -> str:
        """Whose people stand at a place by this plan: the former directory's while any of them is held."""
        return self._former(place, facts) if planned.kept or planned.keep else self._directory(place, facts)

    def _is_on_hold(self, directory: str) -> bool:
        spec = self._world.directories.get(directory)
        return spec is not None and spec.access == "Hold"

    def _directory(self, place: Place, facts: Facts) -> str:
        return facts.directory or self._holders.directory_of(place)

    def _former(self, place: Place, facts: Facts) -> str:
        return self._holders.directory_of(place) or facts.directory

    async def _answer(self, directory: str, ask: _Asking) -> _Answer:
        """What one directory's ledger says to what is to change at a place."""
        place, change, losses = ask.place, ask.change, ask.losses
        spec = self._world.directories.get(directory)
        if spec is None or spec.access == "Hold":
            return self._on_hold(ask, () if spec is None else (on_hold(directory),))
        elsewhere = frozenset(
            [
                who
                async for who in paced(change.gains)
                if not ask.others.has(who, place) and ask.others.leaves(who, place, directory)
            ]
        )
        # Some of them may be locked, as soon as somebody restores the locks.
        unlocked = self._world.is_unrestored(LOCKS)
        gains = change.gains if unlocked else self._counted(ask, directory, spec)
        self._keeper.note_gains(directory, place, gains)
        if LOCKS in self._keeper.absence.missing:
            # Nobody knows who is locked: nobody comes anywhere.
            elsewhere, gains, unknown = _NOBODY, _NOBODY, change.gains
        else:
            unknown = _NOBODY
        if not losses and not elsewhere and not gains:
            return _Answer(barred=unknown)
        try:
            protected = self._keeper.protected_at(directory, place, losses)
            step = await self._keeper.ask(directory, losses | elsewhere, gains, protected)
        except ApiError as error:
            told = {"place": place._asdict(), "directory": directory, "error": str(error)}
            log.warning(
                "nobody leaves a place, or comes where that counts: the guard's RemovalHold can't be written",
                extra=told,
            )
            return _Answer(losses, elsewhere | gains | unknown, sure=False)
        barred = (step.kept & elsewhere) | (step.barred & gains) | unknown
        # Whom the list has no room for has to ask again.
        return _Answer(step.kept & losses, barred, sure=step.unlisted.isdisjoint(losses | elsewhere | gains))

    def _locked(self, place: Place) -> bool:
        """Whether anybody stands there who is locked."""
        locked: list[Who] = [("User", name) for name in self._world.locks.names()]
        return not self._holders.at(place).isdisjoint(locked)

    def _change(self, place: Place, facts: Facts, planned: Plan) -> Change:
        """What the plan changes for those whom anything may keep."""
        change = change_of(planned, facts, self._written(place, facts, planned))
        at_once = {who for who in change.losses if self._world.at_once(place, who)}
        return change._replace(losses=change.losses - at_once) if at_once else change

    def _written(self, place: Place, facts: Facts, planned: Plan) -> dict[int, frozenset[Who]]:
        """Whom we wrote there; who is held is known by the ledger, too, where the mark was stripped."""
        shards = max(facts.shards, planned.shards)
        written = self._world.written(place, shards)
        ledger = self._keeper.guarded(self._former(place, facts)).ledger
        if ledger is None or not ledger.removals.open:
            return written
        bindings, held = self._world.bindings(place, shards), self._world.held(place, shards)
        for shard in written:
            if WRITTEN_ANNOTATION not in (bindings[shard]["metadata"].get("annotations") or {}):
                known = (who for who in held[shard].standing if ledger.removals.find(who_key(who)))
                written[shard] |= frozenset(known)
        return written

    def _on_hold(self, ask: _Asking, problems: tuple[Problem, ...]) -> _Answer:
        """The directory is gone, or its `access` is Hold: what others did is put right, and no more."""
        if not ask.facts.directory_exists and self._world.standing(ask.place) <= ask.change.losses:
            return _Answer()
        restored = self._outcomes.of(ask.place).subjects
        kept, barred = ask.change.losses, ask.change.gains - restored
        return _Answer(kept, barred, problems=problems if kept or barred else ())

    def _counted(self, ask: _Asking, directory: str, spec: DirectorySpec) -> frozenset[Who]:
        """Those to whom the role is new there, everybody or the protected ones alone: it stands in no other
        binding, nobody took it by hand, and they don't have it by the name they had before (rule 12).
        """
        new = ask.change.gains - self._outcomes.of(ask.place).subjects
        if not new or ask.place.grant:
            return _NOBODY  # an AccessGrant is an admin's own word
        protected = self._keeper.protected_people(directory) if spec.protected.users else frozenset[str]()
        if spec.guard.max_additions is None:
            new &= {("User", name) for name in protected}
        standing = {name for _, name in _NOBODY.union(*self._world.written(ask.place).values())}
        return frozenset(
            who
            for who in new
            if not ask.others.has(who, ask.place)
            # Who takes over a protected name has nothing by it that they had by their own.
            and not self._renamed(who, standing & protected if who[1] in protected else standing)
        )

    def _renamed(self, who: Who, standing: Set[str]) -> bool:
        naming = self._world.naming
        bearers = naming.bearers(who[1], "User") if who[0] == "User" else ()
        return any(not naming.former(user).isdisjoint(standing) for user in bearers)

    def _standing_still(self, place: Place, facts: Facts) -> frozenset[Who]:
        """Who waits here for another binding, and may yet turn out to leave."""
        names = frozenset((facts.kind, name) for name in facts.moving)
        return names & self._holders.at(place) if names else _NOBODY
