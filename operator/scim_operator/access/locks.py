"""What an AccessLock denies, and how that is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scim_operator.access.problems import Problem, quoted
from scim_operator.api.lock import LockSpec
from scim_operator.scim.instants import instant

_SHOWN = 5


def seconds_at(moment: str | None) -> float:
    """RFC 3339 -> seconds since 1970; infinite when there is no such moment."""
    found = instant(moment) if moment else None
    return found[0] + found[1] / 1e9 if found else math.inf


@dataclass(frozen=True)
class Lock:
    """A lock as far as it is known. `names`: those in bindings that it denies, in the order they were found;
    `person`: the SCIM id of whom its userName meant. Both are empty while nobody was found.
    """

    name: str
    spec: LockSpec
    names: tuple[str, ...] = ()
    person: str = ""

    @property
    def subject(self) -> str:
        """The name that was found first; empty while there is none."""
        return self.names[0] if self.names else ""

    @property
    def end(self) -> float:
        """When it ends, in seconds since 1970."""
        return seconds_at(self.spec.until)

    def meaning(self, person: str, called: str) -> Lock:
        """With whom it means, and what they are called now, if anything: no name is ever let go."""
        return replace(
            self, person=person, names=tuple(dict.fromkeys((*self.names, *([called] if called else []))))
        )

    def denied(self, now: float) -> frozenset[str]:
        """The names it denies at a time."""
        return frozenset(self.names) if now < self.end else frozenset()


def told(lock: Lock) -> Problem:
    """What a locked person's status says."""
    until = lock.spec.until or "it is deleted"
    message = (
        f"locked by AccessLock {lock.name} until {until}, everything is denied: {lock.spec.reason} "
        f"(to unlock: kubectl delete accesslock {lock.name})"
    )
    return Problem("Locked", "AccessLock", message)


def nobody_yet(spec: LockSpec) -> Problem:
    """The person to be locked isn't there."""
    message = (
        f"no user of directory {spec.directory!r} has the userName {quoted(spec.user_name or '')}: nobody is "
        f"locked yet; it takes effect as soon as they come (kubectl get scimusers shows who is there; for a "
        "name that stands in bindings make a lock with spec.subject)"
    )
    return Problem("SubjectMissing", "NotFound", message)


def out_of_reach(groups: Sequence[tuple[str, str]]) -> Problem:
    """(policy, group): the policies that bind a group which a locked person is a member of."""
    shown = ", ".join(f"{policy} (group {quoted(group)})" for policy, group in groups[:_SHOWN])
    more = f" and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    message = (
        f"policies that bind groups still give access to the person: {shown}{more}; take them out of these "
        "groups in the provider, or set `subjects: Users` in the policies"
    )
    return Problem("RevocationDelayed", "GroupSubjects", message)


def still_standing(where: Sequence[str]) -> Problem:
    """The name is locked, and couldn't be taken out everywhere yet."""
    more = f" and {len(where) - _SHOWN} more" if len(where) > _SHOWN else ""
    message = (
        f"the name still stands in {', '.join(where[:_SHOWN])}{more}; it is tried again, and the operator's "
        "log says what keeps it"
    )
    return Problem("Stalled", "NotRemovedYet", message)
