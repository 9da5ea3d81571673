"""The guard between plan and bindings: nobody leaves before the ledger says so, and is stored.

A place that nobody leaves asks nothing and waits for nothing, unless `maxAdditions` counts who comes there.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.access.plan import Facts, Plan
from scim_operator.access.renames import Right
from scim_operator.access.restraint import Change, change_of, restrained
from scim_operator.access.tally import who_key
from scim_operator.api.kinds import WRITTEN_ANNOTATION
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.elsewhere import Elsewhere
from scim_operator.reconcile.keeper import Keeper
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.resources import LOCKS
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

_NOBODY: frozenset[Who] = frozenset()


class Restraint(NamedTuple):
    """A plan with what the guard leaves of it. `sure` False: it couldn't decide, and is to be asked again."""

    plan: Plan
    sure: bool = True


class Guard:
    """Decides for one place at a time."""

    def __init__(self, world: World, outcomes: Outcomes, keeper: Keeper) -> None:
        self._world = world
        self._outcomes = outcomes
        self._keeper = keeper
        self._holders = keeper.holders

    async def restrain(self, place: Place, facts: Facts, planned: Plan) -> Restraint:
        """The plan without the removals and additions that have to wait. Raises AgainError."""
        if self._world.vanished:
            await self._keeper.absence.look()
        directory = self._directory(place, facts)
        settled = planned.keep and facts.directory_exists
        if not directory or settled or self._keeper.is_over(directory):
            self._keeper.note(directory, place, _NOBODY)
            if not planned.keep:
                self._keeper.note_gains(directory, place, _NOBODY)
            return Restraint(planned)
        self._keeper.judge(self._keeper.guarded(directory))
        change = self._change(place, facts, planned)
        others = Elsewhere(self._world, self._holders)
        losses = change.losses - others.given(place) if change.losses else _NOBODY
        self._keeper.note(directory, place, losses | self._standing_still(place, facts))
        spec = self._world.directories.get(directory)
        if spec is None or spec.access == "Hold":
            return Restraint(self._on_hold(place, facts, planned, change))
        elsewhere = frozenset(
            who
            for who in change.gains
            if not self._stands_elsewhere(who, place) and others.leaves(who, place, directory)
        )
        # An AccessGrant is an admin's own word.
        counts = spec.guard.max_additions is not None and not place.grant
        gains = self._counted(place, change.gains) if counts else _NOBODY
        self._keeper.note_gains(directory, place, gains)
        if LOCKS in self._keeper.absence.missing:
            # Nobody knows who is locked: nobody comes anywhere.
            planned, gains = restrained(planned, facts, _NOBODY, change.gains), _NOBODY
        if not losses and not elsewhere and not gains:
            return Restraint(planned)
        try:
            step = await self._keeper.ask(directory, losses | elsewhere, gains)
        except ApiError as error:
            told = {"place": place._asdict(), "directory": directory, "error": str(error)}
            log.warning(
                "nobody leaves a place, or comes where that counts: the guard's RemovalHold can't be written",
                extra=told,
            )
            return Restraint(restrained(planned, facts, losses, elsewhere | gains), sure=False)
        barred = (step.kept & elsewhere) | (step.barred & gains)
        return Restraint(restrained(planned, facts, step.kept & losses, barred))

    def passed(self, place: Place, facts: Facts, planned: Plan) -> None:
        """A place was brought to its plan: who stands there now."""
        standing = self._world.standing(place)
        before, directory = self._holders.directory_of(place), self._directory(place, facts)
        self._holders.stand(place, directory, standing)
        self._keeper.note(directory, place, (planned.kept & standing) | self._standing_still(place, facts))
        self._keeper.came(place, standing)
        if before != directory:
            self._keeper.note(before, place, _NOBODY)

    def _directory(self, place: Place, facts: Facts) -> str:
        return facts.directory or self._holders.directory_of(place)

    def _change(self, place: Place, facts: Facts, planned: Plan) -> Change:
        """What the plan changes for those whom anything may keep."""
        change = change_of(planned, facts, self._written(place, facts, planned))
        at_once = {who for who in change.losses if self._world.at_once(place, who)}
        return change._replace(losses=change.losses - at_once) if at_once else change

    def _written(self, place: Place, facts: Facts, planned: Plan) -> dict[int, frozenset[Who]]:
        """Whom we wrote there; who is held is known by the ledger, too, where the mark was stripped."""
        shards = max(facts.shards, planned.shards)
        written = self._world.written(place, shards)
        ledger = self._keeper.guarded(self._directory(place, facts)).ledger
        if ledger is None or not ledger.removals.open:
            return written
        bindings, held = self._world.bindings(place, shards), self._world.held(place, shards)
        for shard in written:
            if WRITTEN_ANNOTATION not in (bindings[shard]["metadata"].get("annotations") or {}):
                known = (who for who in held[shard].standing if ledger.removals.find(who_key(who)))
                written[shard] |= frozenset(known)
        return written

    def _on_hold(self, place: Place, facts: Facts, planned: Plan, change: Change) -> Plan:
        """The directory is gone, or its `access` is Hold: what others did is put right, and no more."""
        if not facts.directory_exists and self._world.standing(place) <= change.losses:
            return planned
        restored = self._outcomes.of(place).subjects
        return restrained(planned, facts, change.losses, change.gains - restored)

    def _counted(self, place: Place, gains: frozenset[Who]) -> frozenset[Who]:
        """Those to whom the role is new there: it stands in no other binding, and nobody took it by hand."""
        restored = self._outcomes.of(place).subjects
        return frozenset(who for who in gains - restored if not self._stands_elsewhere(who, place))

    def _stands_elsewhere(self, who: Who, place: Place) -> bool:
        right = Right.of(place)
        return any(Right.of(other) == right for other in self._holders.places_of(who) - {place})

    def _standing_still(self, place: Place, facts: Facts) -> frozenset[Who]:
        """Who waits here for another binding, and may yet turn out to leave."""
        names = frozenset((facts.kind, name) for name in facts.moving)
        return names & self._holders.at(place) if names else _NOBODY
