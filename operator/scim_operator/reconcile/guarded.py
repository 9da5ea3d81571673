"""What the guard knows of one directory while the operator runs: its ledger, and where somebody waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Ledger
from scim_operator.access.places import Place
from scim_operator.access.tally import who_key
from scim_operator.api.directory import SubjectTemplate
from scim_operator.kube.cache import Object
from scim_operator.reconcile.additions import Additions
from scim_operator.reconcile.protection import Members
from scim_operator.reconcile.routes import GroupKey

_NOBODY: frozenset[Who] = frozenset()


@dataclass
class Step:
    """One decision for all who ask while the one before is being stored. `taking` decides and stores it."""

    losses: dict[Who, int | None] = field(default_factory=dict)
    gains: set[Who] = field(default_factory=set)
    # Those of `losses` who leave what a protected group gives them.
    protected: set[Who] = field(default_factory=set)
    taking: asyncio.Task[None] | None = None
    kept: frozenset[Who] = _NOBODY
    barred: frozenset[Who] = _NOBODY
    # Those among them who have to ask again, since the list is full.
    unlisted: frozenset[Who] = _NOBODY
    error: Exception | None = None


class Guarded:
    """`ledger` is None until the RemovalHold was read or made. `unseen`: the places nobody has looked at
    since something began that ends only when all is known: the operator, a freeze, other subjects.
    `slow`: somebody waited for too long until the ledger was stored. `wake`: something was approved, and
    those who waited are to be told. `renamed`: groups whose new names may wait. `inherits`: people had access
    before anything was known of their ledger. `released`: who was let go in the window, by their keys, as far
    as they are known; None: they don't stand anywhere. `members`: the people in protected groups.
    """

    def __init__(self, directory: str, renamed: set[GroupKey]) -> None:
        self.directory = directory
        self.additions = Additions(renamed)
        self.lock = asyncio.Lock()
        self.step = Step()
        self.ledger: Ledger | None = None
        self.stored: Object | None = None
        self.template: SubjectTemplate | None = None
        self.caused = False
        self.wake = False
        self.slow = False
        self.inherits = False
        self.released: dict[str, Who | None] = {}
        self.members: Members = {}
        self.unseen: set[Place] = set()
        self._losses: dict[Place, frozenset[Who]] = {}
        self._waiting: dict[Who, set[Place]] = defaultdict(set)

    @property
    def uid(self) -> str:
        """That of the RemovalHold."""
        return str(self.stored["metadata"]["uid"]) if self.stored else ""

    def note(self, place: Place, losses: frozenset[Who]) -> frozenset[Who]:
        """Who would lose access at a place, or stays there for now. -> who doesn't any more, anywhere."""
        self.unseen.discard(place)
        before = self._losses.pop(place, _NOBODY)
        if losses:
            self._losses[place] = losses
        if before == losses:
            return _NOBODY
        for who in losses - before:
            self._waiting[who].add(place)
        over = set()
        for who in before - losses:
            self._waiting[who].discard(place)
            if not self._waiting[who]:
                del self._waiting[who]
                over.add(who)
        return frozenset(over)

    def places(self) -> set[Place]:
        """Where anybody is to leave."""
        return set(self._losses)

    def only_approved(self) -> bool:
        """True when nobody is to leave who wasn't approved."""
        ledger = self.ledger
        return ledger is not None and all(ledger.removals.is_approved(who_key(who)) for who in self._waiting)

    def over(self) -> list[str]:
        """The keys of entries whose people don't leave anywhere any more, once every place was looked at."""
        if self.ledger is None or self.unseen or not self.ledger.removals.open:
            return []
        pending = {who_key(who) for who in self._waiting}
        return [entry.key for entry in self.ledger.removals.open if entry.key not in pending]
