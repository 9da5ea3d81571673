"""Keeps the guard's ledgers: reads and stores them, takes approvals, freezes directories and thaws them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.guard import Freeze, Ledger, Setting, protected_as
from scim_operator.access.ledger import from_status, to_status
from scim_operator.access.places import Place
from scim_operator.access.renames import Held
from scim_operator.access.tally import Entry, who_key
from scim_operator.api.directory import GuardSpec
from scim_operator.kube.cache import Object
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.absence import Absence
from scim_operator.reconcile.additions import name_key, rename_key
from scim_operator.reconcile.decided import Decided
from scim_operator.reconcile.decisions import AT_ONCE, decide_on, in_parts, lingering
from scim_operator.reconcile.freezing import cause_of
from scim_operator.reconcile.guarded import Guarded, Step
from scim_operator.reconcile.hold_status import hold_status
from scim_operator.reconcile.holders import Holders
from scim_operator.reconcile.ledgers import Ledgers
from scim_operator.reconcile.protection import members_at, protected_members, protected_names
from scim_operator.reconcile.queue import AgainError, KeyedQueue
from scim_operator.reconcile.resources import LOCKS
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.serving import serve
from scim_operator.reconcile.world import World

log = logging.getLogger(__name__)

# What was done, or isn't wanted any more, is taken off the list in bursts.
_TIDY_SECONDS = 0.3
# So long a place waits until a ledger is stored; that goes on, and it asks again.
_PATIENCE_SECONDS = 1.0
_DEFAULT = GuardSpec()


class Keeper:
    """One ledger per directory. `now`: RFC 3339; `look_at` makes places due, `look_at_names` groups'
    names."""

    def __init__(
        self,
        client: KubeClient,
        world: World,
        decided: Decided,
        now: Callable[[], str],
        look_at: Callable[[Iterable[Place]], None],
        look_at_names: Callable[[Iterable[GroupKey]], None],
    ) -> None:
        self._world = world
        self._decided = decided
        self._now = now
        self._look_at = look_at
        self._look_at_names = look_at_names
        self._ledgers = Ledgers(client, world)
        self._known: dict[str, Guarded] = {}
        self._taking: set[asyncio.Task[None]] = set()
        # Place -> the directory whose people are to come there and have to be counted.
        self._gaining: dict[Place, str] = {}
        self.absence = Absence(client, world, self._tend_all)
        self.holders = Holders(world.weights.of_all)
        self.queue: KeyedQueue[str] = KeyedQueue()

    # --- asked by places -----------------------------------------------------------------------------------

    def guarded(self, directory: str) -> Guarded:
        """What is known of a directory."""
        if directory not in self._known:
            renamed = {group for group in self._world.routes.renamed if group[0] == directory}
            guarded = self._known[directory] = Guarded(directory, renamed)
            self._look_at_names(renamed)
            guarded.inherits = directory in self.holders.directories()
            spec = self._world.directories.get(directory)
            guarded.template = spec.subjects if spec else None
            self._look_anew(guarded)
            self.queue.add(directory)
        return self._known[directory]

    def note(self, directory: str, place: Place, losses: frozenset[Who]) -> None:
        """Who is to leave a place, or stays there for now."""
        for name, other in self._known.items():
            if name != directory and place in other.unseen:
                other.unseen.discard(place)
                self.queue.add_later(name, _TIDY_SECONDS)
        guarded = self.guarded(directory) if losses else self._known.get(directory)
        if guarded is None:
            return
        settled = not guarded.unseen
        over = guarded.note(place, losses)
        if over and settled and guarded.ledger is not None and len(over) <= AT_ONCE:
            self._close(guarded.ledger, map(who_key, over))
            self._settle(guarded, guarded.ledger)
        if over or settled is bool(guarded.unseen):
            self.queue.add_later(directory, _TIDY_SECONDS)

    def protected_at(self, directory: str, place: Place, losses: frozenset[Who]) -> frozenset[Who]:
        """Who of those who leave a place has it by a protected group."""
        return members_at(place, losses, self.guarded(directory).members, self._world)

    def protected_people(self, directory: str) -> frozenset[str]:
        """Under which names protected people stand, or would stand, in bindings."""
        ledger = self.guarded(directory).ledger
        known = ledger.protected if ledger else protected_names(directory, {}, self._world)
        return protected_as(known, "User")

    async def ask(
        self, directory: str, asked: frozenset[Who], gains: frozenset[Who], protected: frozenset[Who]
    ) -> Step:
        """Who of them may not leave now, the `protected` ones never unasked, and who of `gains` may not come.
        Those who ask while a ledger is stored come into the next step. Nobody waits for long: other places,
        and locks, need a worker as well.

        Raises ApiError when the ledger can't be stored, or not yet, AgainError when it has to be read again.
        """
        guarded = self.guarded(directory)
        step = guarded.step
        step.losses.update({who: self._world.weights.of(who) for who in asked})
        step.gains |= gains
        step.protected |= protected
        if step.taking is None:
            step.taking = asyncio.create_task(self._take(guarded, step))
            self._taking.add(step.taking)
            step.taking.add_done_callback(self._taking.discard)
        try:
            async with asyncio.timeout(0 if guarded.slow else _PATIENCE_SECONDS):
                await asyncio.shield(step.taking)
        except TimeoutError:
            guarded.slow = True
            why = (
                f"RemovalHold {directory} is still being read or written; who waits for it is asked for again"
            )
            raise ApiError(0, "Slow", why) from None
        if step.error is not None:
            raise step.error
        return step

    async def _take(self, guarded: Guarded, step: Step) -> None:
        async with guarded.lock:
            guarded.step = Step()
            try:
                await self.absence.look()
                ledger = await self._open(guarded)
                self.judge(guarded)
                await decide_on(step, guarded, ledger, await self._setting(guarded, ledger, step))
                await self._store(guarded, ledger)
            except Exception as error:
                step.error = error
        if guarded.slow:
            guarded.slow = False
            self._look_at(guarded.places() | guarded.additions.places())

    def is_over(self, directory: str) -> bool:
        """True for a directory that is gone with everything that belonged to it."""
        there = self._world.directories.get(directory) or self._world.holds.get(directory)
        return not there and directory not in self.holders.directories()

    def note_gains(self, directory: str, place: Place, gains: frozenset[Who]) -> None:
        """Who is to come to a place and isn't there yet, where only so many may at a time."""
        former = self._gaining.pop(place, directory)
        if gains:
            self._gaining[place] = directory
        for name in {former, directory}:
            guarded = self._known.get(name)
            if guarded and guarded.additions.note(place, gains if name == directory else frozenset()):
                self.queue.add_later(name, _TIDY_SECONDS)

    def came(self, place: Place, standing: frozenset[Who]) -> None:
        """Who stands at a place now, after a pass over it."""
        directory = self._gaining.get(place, "")
        if guarded := self._known.get(directory):
            self.note_gains(directory, place, guarded.additions.pending(place) - standing)

    # --- asked by groups -----------------------------------------------------------------------------------

    def may_be_called(self, group: GroupKey, held: Held) -> bool:
        """Whether somebody approved that a group's access goes by a name that gives it more."""
        return self.guarded(group[0]).additions.is_approved(rename_key(group, held))

    def is_listed(self, group: GroupKey, name: str) -> bool | None:
        """Whether the ledger says that a group's new name waits, for whatever it was found to give; None: the
        ledger wasn't read yet."""
        ledger, key = self.guarded(group[0]).ledger, name_key(group, name)
        return None if ledger is None else ledger.additions.lists(key)

    def await_rename(self, group: GroupKey, held: Held | None) -> None:
        """A group's new name waits; None: it has none that does."""
        directory = group[0]
        known = self._known.get(directory) or (self.guarded(directory) if held else None)
        if known is not None and known.additions.await_rename(group, held):
            self.queue.add_later(directory, _TIDY_SECONDS)

    # --- tending a directory -------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything is listed: know who has access."""
        for place, directory in self._world.bound_places():
            self.holders.stand(place, directory, self._world.standing(place))
        for name in self._names():
            self.guarded(name)

    async def run(self) -> None:
        """Keep the ledgers up to date until cancelled."""
        failed = "a RemovalHold couldn't be brought up to date"
        try:
            await serve(self.queue, self._tend, failed, _identity)
        finally:
            for task in self._taking:
                task.cancel()

    async def _tend(self, directory: str) -> None:
        if self.is_over(directory):
            self._known.pop(directory, None)
            return
        guarded = self.guarded(directory)
        async with guarded.lock:
            await self.absence.look()
            ledger = await self._open(guarded)
            self.judge(guarded)
            self._approve(guarded, ledger)
            async for keys in in_parts(guarded.over()):
                self._close(ledger, keys)
            if not guarded.unseen:
                guarded.additions.tidy(ledger.additions)
            self._settle(guarded, ledger)
            await self._store(guarded, ledger)
        if guarded.wake:
            guarded.wake = False
            # Where they go to first, so that they have one before they lose the other (rule 12).
            async for part in in_parts(ledger.removals.approved_ones):
                self._look_at(place for entry in part for place in self._places_for(entry))
            self._look_at(guarded.places() | guarded.additions.places())
        self._look_at_names(guarded.additions.approved_renames())

    def _tend_all(self) -> None:
        for name in self._names():
            self.queue.add(name)

    def _names(self) -> set[str]:
        held = (str(obj["metadata"]["name"]) for obj in self._world.holds)
        return {*self._world.directories.names(), *self.holders.directories(), *held}

    def _approve(self, guarded: Guarded, ledger: Ledger) -> None:
        """What was approved is stored first; until then it wakes nobody, however often that fails."""
        spec = (guarded.stored or {}).get("spec") or {}
        text, more = spec.get("approve") or "", spec.get("approveAdditions") or ""
        if ledger.additions.approve(more, guarded.uid):
            guarded.wake = True
            told = {"directory": guarded.directory, "hash": more, "additions": ledger.additions.approved}
            log.warning("additions were approved", extra=told)
        if ledger.removals.approve(text, guarded.uid, whole=ledger.frozen is not None):
            guarded.wake = True
            told = {"directory": guarded.directory, "hash": text, "removals": ledger.removals.approved}
            log.warning("removals were approved", extra=told)

    def _close(self, ledger: Ledger, keys: Iterable[str]) -> None:
        """They don't wait any more, and may come to the places they belong to."""
        over = [entry for key in keys if (entry := ledger.removals.find(key))]
        ledger.removals.close(entry.key for entry in over)
        self._look_at({place for entry in over for place in self._places_for(entry)})

    def _settle(self, guarded: Guarded, ledger: Ledger) -> None:
        """End what lasts until all is known and nobody waits."""
        if guarded.unseen or guarded.caused:
            return
        barred = any(entry.reason == "Frozen" for entry in ledger.additions.waiting)
        if ledger.frozen and not ledger.removals.waiting and not barred and guarded.only_approved():
            log.warning("a directory isn't frozen any more", extra={"directory": guarded.directory})
            ledger.thaw()
        if not ledger.frozen and not ledger.removals.open and not guarded.places():
            ledger.subjects = guarded.template or ledger.subjects

    def _places_for(self, entry: Entry) -> set[Place]:
        kinds: Mapping[str, SubjectKind] = {"User": "User", "Group": "Group"}
        if entry.kind not in kinds:
            return set()
        records = self._world.naming.called(entry.name, kinds[entry.kind])
        return {place for record in records for place in self._world.places_of(record)}

    # --- what is known -------------------------------------------------------------------------------------

    def _places_of(self, directory: str) -> set[Place]:
        return self._world.places_of_directory(directory) | self.holders.places_in(directory)

    async def _open(self, guarded: Guarded) -> Ledger:
        """The ledger as it is stored; a new one where nobody has any."""
        obj = await self._ledgers.find(guarded.directory)
        stored, ledger = guarded.stored, guarded.ledger
        same = stored is not None and (obj.get("status") or {}) == (stored.get("status") or {})
        same = same and stored is not None and stored["metadata"]["uid"] == obj["metadata"]["uid"]
        if ledger is None or not same:
            if ledger is not None:
                self._look_anew(guarded)
            ledger = guarded.ledger = await self._read(guarded, obj.get("status") or {})
        guarded.stored = obj
        return ledger

    async def _read(self, guarded: Guarded, status: Mapping[str, Any]) -> Ledger:
        ledger, told = await self._parsed(guarded.directory, status)
        people = guarded.directory in self.holders.directories()
        if not told and people and (guarded.inherits or guarded.stored is not None):
            message = (
                "the RemovalHold was new or empty while people had access, so nobody knows what was counted, "
                "held and approved before; it ends when nobody is to lose access, or by approval"
            )
            self._freeze(guarded, ledger, Freeze("LedgerLost", message, self._now()))
        return ledger

    async def _parsed(self, directory: str, status: Mapping[str, Any]) -> tuple[Ledger, bool]:
        """The ledger in a RemovalHold's status, and whether there was one."""
        told = "round" in status
        try:
            ledger = await asyncio.to_thread(from_status, status)  # rule 21
        except (ValueError, KeyError) as error:
            extra = {"directory": directory, "error": str(error)}
            log.error("a RemovalHold's status can't be read", extra=extra)
            told, ledger = False, Ledger()
        if not told:
            spec = (self._ledgers.known(directory) or {}).get("spec") or {}
            ledger.removals.consumed = spec.get("approve") or ""
            ledger.additions.consumed = spec.get("approveAdditions") or ""
        return ledger, told

    def judge(self, guarded: Guarded) -> None:
        """Notice what freezes a directory, when that has ended, and other subjects. Costs next to nothing."""
        ledger, spec = guarded.ledger, self._world.directories.get(guarded.directory)
        guarded.members = protected_members(guarded.directory, guarded.members, self._world)
        if ledger is None:
            return
        if spec is not None:
            ledger.subjects = ledger.subjects or guarded.template or spec.subjects
            ledger.protected = protected_names(guarded.directory, ledger.protected, self._world)
            if guarded.template is not None and guarded.template != spec.subjects:
                self._look_anew(guarded)
            guarded.template = spec.subjects
        cause = cause_of(guarded.directory, self._world, self.holders, self.absence, self._now)
        if cause is not None:
            self._freeze(guarded, ledger, cause)
        elif guarded.caused:
            self._look_anew(guarded)
        guarded.caused = cause is not None

    def _freeze(self, guarded: Guarded, ledger: Ledger, freeze: Freeze) -> None:
        if ledger.frozen is None or ledger.frozen.reason != freeze.reason:
            told = {"directory": guarded.directory, "reason": freeze.reason, "why": freeze.message}
            log.warning("a directory is frozen: nobody of it loses access", extra=told)
            self.queue.add_later(guarded.directory, 0.0)
        ledger.freeze(freeze)

    def _look_anew(self, guarded: Guarded) -> None:
        """Nothing counts as settled before every place was looked at again."""
        guarded.unseen = self._places_of(guarded.directory)
        self._look_at(guarded.unseen)
        self.queue.add_later(guarded.directory, _TIDY_SECONDS)

    async def _setting(self, guarded: Guarded, ledger: Ledger, step: Step) -> Setting:
        released = await lingering(guarded, ledger, self.holders)
        spec = self._world.directories.get(guarded.directory)
        return Setting(
            spec=spec.guard if spec else _DEFAULT,
            holders=self.holders.count(guarded.directory),
            now=self._now(),
            moving=spec is not None and ledger.subjects != spec.subjects,
            unlocked=self._world.is_unrestored(LOCKS),
            lingering=released,
            members=frozenset(step.protected),
        )

    async def _as_stored(self, directory: str, obj: Object, ledger: Ledger, error: Exception) -> Ledger:
        """What couldn't be stored is as if it had never been: it is decided anew."""
        fresh, _ = await self._parsed(directory, obj.get("status") or {})
        await asyncio.to_thread(fresh.resume, ledger)  # rule 21
        if isinstance(error, ApiError) and error.too_large:
            fresh.most = (fresh.records + ledger.records) // 2
        return fresh

    async def _store(self, guarded: Guarded, ledger: Ledger) -> None:
        obj = guarded.stored
        if obj is None:
            raise AgainError
        guarded.additions.bring(ledger.additions, self._now())
        fields = to_status(ledger, guarded.uid)
        try:
            guarded.stored = await self._ledgers.store(obj, hold_status(obj, fields, ledger, self._now()))
        except Exception as error:
            guarded.ledger = await self._as_stored(guarded.directory, obj, ledger, error)
            raise
        guarded.additions.stored(ledger)
        self._decided.stored(guarded.directory, obj.get("status") or {}, guarded.stored["status"], ledger)


def _identity(directory: str) -> dict[str, str]:
    return {"directory": directory}
