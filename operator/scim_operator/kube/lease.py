"""The Lease by which one replica leads (`coordination.k8s.io`): what is known of it, and what to do next.

Pure: times are seconds of a monotonic clock of one's own; the clocks of others don't matter, because a Lease
counts as running for its whole duration from the moment at which *we* saw it renewed. A leader counts its
own time from before it asked, and stops earlier: so two never lead at once while clocks run at much the same
speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Any

from scim_operator.kube.resources import Resource

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True)

# Seconds: others wait so long; a leader that couldn't renew for so long is none; how often it tries.
DURATION, RENEW_DEADLINE, RETRY = 6.0, 4.0, 1.0
# What lies between the end of our last write and the next leader's first read.
MARGIN = 0.5


class Step(Enum):
    """What to do about the Lease now."""

    MAKE = "make it"
    TAKE = "take it"
    RENEW = "renew it"
    WAIT = "wait"


@dataclass(frozen=True)
class Record:
    """A Lease as it was read. `holder` empty: it was released. `metadata`: as the API server has it.

    `acquired`: RFC 3339, since when the holder has it; for people.
    """

    holder: str
    transitions: int = 0
    duration: float = DURATION
    acquired: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Moves with every write."""
        return str(self.metadata.get("resourceVersion", ""))


def record_of(lease: Mapping[str, Any]) -> Record:
    """The record that an object holds; what others may have put into it is read with care."""
    spec = lease.get("spec") or {}
    return Record(
        holder=str(spec.get("holderIdentity") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        acquired=str(spec.get("acquireTime") or ""),
        metadata=lease["metadata"],
    )


class Candidate:
    """One replica's view. `identity` is its own, and nobody else's at the same time."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.record: Record | None = None
        self._seen_at = -inf
        self._until = -inf
        # The number of our term, and the transitions by which the Lease says that it is this one.
        self._term = 0
        self._held: int | None = None
        # Another has led since we did: our name in the Lease is no longer a sign of ours.
        self._passed = False
        # A time since when nobody but us can have led; None: somebody may.
        self.alone_since: float | None = None

    @property
    def held(self) -> int | None:
        """The term that began when we took the Lease and that nobody else's has ended; it may have lapsed."""
        return self._term if self._held is not None else None

    def left(self, now: float) -> float:
        """For how many seconds what we write may be under way: less than until anybody else may lead."""
        return self._until - now + DURATION - RENEW_DEADLINE - MARGIN if self.leads(now) else 0.0

    def leads(self, now: float) -> int | None:
        """The number of the term in which we lead at this moment; None: we don't."""
        return self.held if now < self._until else None

    def is_rewound(self, record: Record) -> bool:
        """Whether a Lease as it is read now is older than it was: etcd was restored. No other write can do
        that, whatever the revision etcd goes on with.
        """
        known = self.record
        if known is None or known.metadata.get("uid") != record.metadata.get("uid"):
            return False
        versions = record.version, known.version
        return all(map(str.isdecimal, versions)) and int(record.version) < int(known.version)

    def saw(self, record: Record | None, now: float) -> None:
        """The Lease is so; None: there is none."""
        known = self.record
        if not (record and known and self._is_alone(known, record)):
            self.alone_since = None
        if record is None:
            self.record = None  # when it was last seen still counts: its holder may go on for a while
        elif known is None or (record.version, record.holder) != (known.version, known.holder):
            self.record, self._seen_at = record, now
        ours = record is not None and record.holder == self.identity and record.transitions == self._held
        if not ours:
            self._held, self._until = None, -inf
        self._passed |= record is not None and record.holder not in ("", self.identity)
        is_ours = record is not None and record.holder == self.identity and not self._passed
        if self.alone_since is None and (is_ours or (record is not None and not record.holder)):
            self.alone_since = now

    def wrote(self, record: Record, asked_at: float, now: float) -> None:
        """Our write of the Lease, which began at a time, was answered with this."""
        self.record, self._seen_at = record, now
        if record.holder != self.identity:
            self._held, self._until = None, -inf
            return
        if record.transitions != self._held:
            self._term += 1
            self._held = record.transitions
            self.alone_since = now if self.alone_since is None else self.alone_since
        self._until, self._passed = asked_at + RENEW_DEADLINE, False

    def _is_alone(self, known: Record, record: Record) -> bool:
        """Whether nobody else can have had it since it was seen as `known`, free or ours: it is as it was, or
        as we have written it, of which we may not have heard.
        """
        if record.version == known.version:
            return record.holder == known.holder
        taken = record.transitions - known.transitions
        same = record.metadata.get("uid") == known.metadata.get("uid")
        return same and record.holder == self.identity and taken == (0 if known.holder else 1)

    def step(self, now: float) -> Step:
        """What to do now. Our own name in it is ours also after a restart: a pod never runs twice. When it
        comes back after another's it is not: etcd was restored.
        """
        if self.record is None:
            return Step.MAKE if now - self._seen_at >= DURATION else Step.WAIT
        if self.record.holder == self.identity and not self._passed:
            return Step.RENEW
        expired = now - self._seen_at >= self.record.duration
        return Step.TAKE if not self.record.holder or expired else Step.WAIT
