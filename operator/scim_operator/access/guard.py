"""The guard: no sudden mass removal. Who may lose access now, and who keeps it until somebody says so; and,
with `maxAdditions` or for a protected name, who may gain it now.

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

Whoever would have to be written down where nothing fits in any more stays as well, and is asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.tally import Tally, who_key
from scim_operator.api.directory import GuardSpec, SubjectTemplate
from scim_operator.api.durations import seconds

# A percentage of few people is next to nobody.
_FEWEST = 5
# So many people fit into a ledger: 11 bytes each in an object of 1.5 MiB, beside what is shown of them.
MOST_RECORDS = 105_000


class Freeze(NamedTuple):
    """Why nobody loses access; `since` in RFC 3339."""

    reason: str
    message: str
    since: str = ""


# Who is protected, as listed -> their names in bindings.
Protected = dict[Who, frozenset[str]]


def protected_as(protected: Protected, kind: SubjectKind) -> frozenset[str]:
    """The names of all that are protected of a kind."""
    return frozenset().union(*(names for (listed, _), names in protected.items() if listed == kind))


class Verdict(Enum):
    """What becomes of somebody who asks. `UNLISTED`: they wait too, but the list is full."""

    GOES = "goes"
    WAITS = "waits"
    UNLISTED = "unlisted"


Verdicts = Iterator[tuple[Who, Verdict]]


@dataclass
class Ledger:
    """All that the guard remembers of a directory. `subjects`: the template that was last fully applied;
    `most`: how many people fit into it.
    """

    removals: Tally = field(default_factory=Tally)
    additions: Tally = field(default_factory=Tally)
    frozen: Freeze | None = None
    subjects: SubjectTemplate | None = None
    protected: Protected = field(default_factory=dict)
    most: int = MOST_RECORDS

    def is_protected(self, who: Who) -> bool:
        """True for somebody who only goes when that was approved."""
        return who[1] in protected_as(self.protected, who[0])

    @property
    def records(self) -> int:
        """How many people are written down."""
        going, coming = self.removals, self.additions
        return len(going.entries) + len(going.released) + len(coming.entries) + len(coming.released)

    @property
    def is_full(self) -> bool:
        """True when nobody can be written down any more."""
        return self.records >= self.most

    def has_room(self) -> bool:
        """Whether somebody more can be written down; who is done with makes room."""
        if self.is_full:
            self.removals.compact()
            self.additions.compact()
        return not self.is_full

    def freeze(self, freeze: Freeze) -> None:
        """From now on nobody loses access; what was approved before has to be approved again."""
        if self.frozen is None and self.removals.approved:
            self.removals.ask_anew()
        since = self.frozen.since if self.frozen else freeze.since
        self.frozen = freeze._replace(since=since)

    def resume(self, unstored: Ledger) -> None:
        """This one is as it was stored; of what came since and couldn't be, keep what keeps people."""
        self.removals.recall(unstored.removals)
        self.additions.recall(unstored.additions)
        if unstored.frozen:
            self.freeze(unstored.frozen)
        self.subjects = self.subjects or unstored.subjects
        self.protected, self.most = unstored.protected, unstored.most

    def thaw(self) -> None:
        """The cause is gone and nobody waits for it any more."""
        self.frozen = None


@dataclass(frozen=True)
class Setting:
    """What decides besides the ledger. `holders`: how many people have access now; `lingering`: how many of
    them were let go in the window, and are counted there; `now`: RFC 3339; `moving`: the subjects' template
    differs from the one last applied; `unlocked`: locks may be missing, so that nobody comes unasked;
    `members`: who would lose what a protected group gives them.
    """

    spec: GuardSpec
    holders: int
    now: str
    moving: bool = False
    unlocked: bool = False
    lingering: int = 0
    members: frozenset[Who] = frozenset()


def limit_of(spec: GuardSpec, people: int) -> float:
    """How many may lose access in a window, of so many: those who have it and those let go in it."""
    percent, most = spec.max_percent, spec.max_removals
    share = math.inf if percent is None or percent == 100 else max(_FEWEST, percent * people // 100)
    return min(share, math.inf if most is None else most)


def by_name(who: Who) -> tuple[str, str]:
    """The order in which people are decided on: who goes first is no accident."""
    return who[1], who[0]


def decide(ledger: Ledger, losses: Mapping[Who, int | None], setting: Setting) -> frozenset[Who]:
    """Who of those who would lose access keeps it. The ledger remembers, and has to be stored before anybody
    goes. `losses`: who, and as how many people they count; None: nobody knows, so they wait.
    """
    verdicts = deciding(ledger, sorted(losses, key=by_name), losses, setting)
    return frozenset(who for who, verdict in verdicts if verdict is not Verdict.GOES)


def deciding(
    ledger: Ledger, asked: Iterable[Who], weights: Mapping[Who, int | None], setting: Setting
) -> Verdicts:
    """As `decide`, one after the other as they are `asked` for, in the order of `by_name`: with 100,000 of
    them the caller may do something else in between.
    """
    tally = ledger.removals
    tally.forget(setting.now, seconds(setting.spec.window))
    spent = tally.spent()
    limit = limit_of(setting.spec, setting.holders + spent - setting.lingering)
    for who in asked:
        key, reason, weight = who_key(who), _reason(ledger, who, setting), weights[who]
        known = tally.find(key) is not None
        free = not reason and not known and (limit == math.inf or key in tally.released)
        if free or tally.is_approved(key):
            yield who, Verdict.GOES
        elif not known and not ledger.has_room():
            yield who, Verdict.UNLISTED
        elif not reason and not known and weight is not None and spent + weight <= limit:
            tally.release(key, setting.now, weight)
            spent += weight
            yield who, Verdict.GOES
        else:
            tally.hold(key, who[0], who[1], reason or "Limit", setting.now)
            yield who, Verdict.WAITS


def admit(ledger: Ledger, gains: Iterable[Who], setting: Setting) -> frozenset[Who]:
    """Who of those who would gain a right doesn't get it yet. As with `decide`: the ledger has to be stored
    before anybody comes; a group counts as one. A protected person waits always: the provider may have given
    somebody their name.
    """
    verdicts = admitting(ledger, sorted(gains, key=by_name), setting)
    return frozenset(who for who, verdict in verdicts if verdict is not Verdict.GOES)


def admitting(ledger: Ledger, asked: Iterable[Who], setting: Setting) -> Verdicts:
    """As `admit`, one after the other, as with `deciding`."""
    tally, most = ledger.additions, 0 if setting.unlocked else setting.spec.max_additions
    tally.forget(setting.now, seconds(setting.spec.window))
    spent = tally.spent()
    for who in asked:
        key, reason = who_key(who), _reason_to_come(ledger, who, setting)
        known = tally.find(key) is not None
        free = not reason and (most is None or (not known and key in tally.released))
        if free or tally.is_approved(key):
            yield who, Verdict.GOES
        elif not known and not ledger.has_room():
            yield who, Verdict.UNLISTED
        elif not reason and not known and most is not None and spent < most:
            tally.release(key, setting.now)
            spent += 1
            yield who, Verdict.GOES
        else:
            tally.hold(key, who[0], who[1], reason or "Limit", setting.now)
            yield who, Verdict.WAITS


def _reason(ledger: Ledger, who: Who, setting: Setting) -> str:
    if who in setting.members or ledger.is_protected(who):
        return "Protected"
    if ledger.frozen:
        return "Frozen"
    return "Subjects" if setting.moving else ""


def _reason_to_come(ledger: Ledger, who: Who, setting: Setting) -> str:
    if setting.unlocked:
        return "Frozen"
    return "Protected" if who[0] == "User" and ledger.is_protected(who) else ""
