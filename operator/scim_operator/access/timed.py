"""What an AccessGrant gives, until when, and what keeps it from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scim_operator.access.locks import seconds_at
from scim_operator.access.places import Place
from scim_operator.access.problems import Problem, quoted
from scim_operator.api.grant import TimedGrantSpec

_SHOWN = 5


@dataclass(frozen=True)
class TimedGrant:
    """A grant as far as it is known. `created`: seconds since 1970; `found`: the SCIM id of the person or
    group, empty while nobody was found; `ended`: its status says so, or its object is being deleted.
    """

    name: str
    spec: TimedGrantSpec
    created: float
    found: str = ""
    ended: bool = False

    @property
    def end(self) -> float:
        """When it ends, in seconds since 1970."""
        return seconds_at(self.spec.until)

    @property
    def place(self) -> Place:
        """Where it gives its role."""
        spec = self.spec
        kind, role = ("Role", spec.role) if spec.role else ("ClusterRole", spec.cluster_role or "")
        return Place("", role, spec.namespace or "", "Role" if kind == "Role" else "ClusterRole", self.name)

    def is_over(self, now: float) -> bool:
        """True from its end on, for good: not even a clock that is set back revives it."""
        return self.ended or now >= self.end

    def is_too_long(self, longest: float) -> bool:
        """True when it would last for longer than grants may."""
        return self.end - self.created > longest


def too_long(grant: TimedGrant, longest: float) -> Problem:
    """It gives nothing."""
    message = (
        f"it would last for {_hours(grant.end - grant.created)}, and the chart's value maxGrantDuration "
        f"allows {_hours(longest)}: nothing is granted; let spec.until come sooner, or raise the value"
    )
    return Problem("Stalled", "TooLong", message)


def not_found(spec: TimedGrantSpec, several: int = 0) -> Problem:
    """The person or group isn't there, or more than one group is."""
    if spec.group is not None:
        name = spec.group.display_name or spec.group.external_id or ""
        if several:
            message = (
                f"{several} groups of directory {spec.directory!r} are called {quoted(name)}; use externalId"
            )
            return Problem("Ambiguous", "SeveralGroups", f"{message}: nothing is granted")
        what = f"no group {quoted(name)} is in directory {spec.directory!r}"
        where = f" (a new name that waits is in: kubectl describe removalhold {spec.directory})"
    else:
        what = f"no user of directory {spec.directory!r} has the userName {quoted(spec.user_name or '')}"
        where = ""
    message = (
        f"{what}: nothing is granted until they come; kubectl get scimusers,scimgroups shows who is there"
        f"{where}"
    )
    return Problem("SubjectMissing", "NotFound", message)


def nobody_active(who: str) -> Problem:
    """The person is disabled, gone or locked, or the group has nobody else."""
    message = (
        f"{who}: nobody who is active and unlocked, so nobody has the role; if they come back, so does it"
    )
    return Problem("NobodyActive", "NobodyActive", message)


def held_back(names: Sequence[str], directory: str) -> Problem:
    """People who are to have the role wait for the guard, which keeps something else of theirs."""
    message = (
        f"{_waiting(names)}: the guard of ScimDirectory {directory!r} holds something of theirs, and until "
        "somebody approves that, they come nowhere else; what waits, and what to type: "
        f"kubectl describe removalhold {directory}"
    )
    return Problem("GuardTripped", "Held", message)


def locks_unknown(names: Sequence[str]) -> Problem:
    """The kind of AccessLocks isn't there."""
    message = (
        f"{_waiting(names)}: the API server doesn't know AccessLocks, so nobody knows who is locked, and "
        "nobody comes anywhere; to go on: scim-operator crds apply"
    )
    return Problem("Frozen", "InputMissing", message)


def not_given_yet(names: Sequence[str]) -> Problem:
    """For another reason."""
    message = f"{_waiting(names)}; it is tried again, and the operator's log says what keeps it from them"
    return Problem("Stalled", "NotGivenYet", message)


def _waiting(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"not given yet to {', '.join(map(quoted, names[:_SHOWN]))}{more}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
