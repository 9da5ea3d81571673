"""The guard: no sudden mass removal. Who may lose access now, and who keeps it until somebody says so; and,
with `maxAdditions`, who may gain it now.

A pure function of those who would lose access, what the ledger remembers, and the clock. Strangers, locked
people and grants that ended never come here: they go at once, and aren't counted.

| in this order | then |
| --- | --- |
| approved, with everybody who waits while the directory is frozen | goes |
| `protected` | waits |
| the directory is frozen | waits |
| the directory's `subjects` were changed and not everybody is renamed | waits |
| waits already | goes on waiting |
| let go in this window, at another place | goes |
| within the limit | goes, and is counted |
| else | waits |
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.tally import Tally, who_key
from scim_operator.api.directory import GuardSpec, SubjectTemplate
from scim_operator.api.durations import seconds

# A percentage of few people is next to nobody.
_FEWEST = 5


class Freeze(NamedTuple):
    """Why nobody loses access; `since` in RFC 3339."""

    reason: str
    message: str
    since: str = ""


# Who is protected, as listed -> their names in bindings.
Protected = dict[Who, frozenset[str]]


@dataclass
class Ledger:
    """All that the guard remembers of a directory. `subjects`: the template that was last fully applied."""

    removals: Tally = field(default_factory=Tally)
    additions: Tally = field(default_factory=Tally)
    frozen: Freeze | None = None
    subjects: SubjectTemplate | None = None
    protected: Protected = field(default_factory=dict)

    def is_protected(self, who: Who) -> bool:
        """True for somebody who only goes when that was approved."""
        return any(kind == who[0] and who[1] in names for (kind, _), names in self.protected.items())

    def freeze(self, freeze: Freeze) -> None:
        """From now on nobody loses access; what was approved before has to be approved again."""
        if self.frozen is None and self.removals.approved:
            self.removals.ask_anew()
        since = self.frozen.since if self.frozen else freeze.since
        self.frozen = freeze._replace(since=since)

    def thaw(self) -> None:
        """The cause is gone and nobody waits for it any more."""
        self.frozen = None


@dataclass(frozen=True)
class Setting:
    """What decides besides the ledger. `holders`: how many people have access now; `now`: RFC 3339; `moving`:
    the subjects' template differs from the one last applied; `unlocked`: locks may be missing, so that nobody
    comes unasked.
    """

    spec: GuardSpec
    holders: int
    now: str
    moving: bool = False
    unlocked: bool = False


def limit_of(spec: GuardSpec, people: int) -> float:
    """How many may lose access in a window, of so many: those who have it and those let go in it."""
    percent, most = spec.max_percent, spec.max_removals
    share = math.inf if percent is None or percent == 100 else max(_FEWEST, percent * people // 100)
    return min(share, math.inf if most is None else most)


def decide(ledger: Ledger, losses: Mapping[Who, int | None], setting: Setting) -> frozenset[Who]:
    """Who of those who would lose access keeps it. The ledger remembers, and has to be stored before anybody
    goes. `losses`: who, and as how many people they count; None: nobody knows, so they wait.
    """
    tally = ledger.removals
    tally.forget(setting.now, seconds(setting.spec.window))
    spent = tally.spent()
    limit = limit_of(setting.spec, setting.holders + spent)
    kept = set()
    for who in _in_order(losses):
        key, reason = who_key(who), _reason(ledger, who, setting)
        if tally.is_approved(key):
            continue
        if not reason and tally.find(key) is None:
            weight = losses[who]
            if limit == math.inf or key in tally.released:
                continue
            if weight is not None and spent + weight <= limit:
                tally.release(key, setting.now, weight)
                spent += weight
                continue
        tally.hold(key, who[0], who[1], reason or "Limit", setting.now)
        kept.add(who)
    return frozenset(kept)


def admit(ledger: Ledger, gains: Iterable[Who], setting: Setting) -> frozenset[Who]:
    """Who of those who would gain a right doesn't get it yet. As with `decide`: the ledger has to be stored
    before anybody comes; a group counts as one.
    """
    tally, most = ledger.additions, 0 if setting.unlocked else setting.spec.max_additions
    tally.forget(setting.now, seconds(setting.spec.window))
    if most is None:
        return frozenset()
    spent, barred = tally.spent(), set()
    for who in _in_order(gains):
        key = who_key(who)
        if tally.is_approved(key):
            continue
        if tally.find(key) is None:
            if key in tally.released and not setting.unlocked:
                continue
            if spent < most:
                tally.release(key, setting.now)
                spent += 1
                continue
        tally.hold(key, who[0], who[1], "Frozen" if setting.unlocked else "Limit", setting.now)
        barred.add(who)
    return frozenset(barred)


def _reason(ledger: Ledger, who: Who, setting: Setting) -> str:
    if ledger.is_protected(who):
        return "Protected"
    if ledger.frozen:
        return "Frozen"
    return "Subjects" if setting.moving else ""


def _in_order(subjects: Iterable[Who]) -> list[Who]:
    """By name, so that who goes first is no accident."""
    return sorted(subjects, key=lambda who: (who[1], who[0]))
