"""What becomes of a group's new displayName: in the provider, a group's owner may rename it (section 5a).

A group's access goes by its effective name. A new name that gives nothing new becomes the effective one at
once; one that gives a role or a place that the group doesn't have yet waits until somebody approves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scim_operator.access.grants import GroupNames
from scim_operator.access.places import Place, RoleKind
from scim_operator.access.problems import Problem, quoted

_GAINS_SHOWN = 3


class Right(NamedTuple):
    """What a group's name gives to its members, by whichever policy; no namespace: in the whole cluster."""

    kind: RoleKind
    role: str
    namespace: str

    @classmethod
    def of(cls, place: Place) -> Right:
        """The right that a place gives."""
        return cls(place.kind, place.role, place.namespace)

    def __str__(self) -> str:
        where = f"namespace {self.namespace!r}" if self.namespace else "the whole cluster"
        return f"{self.kind} {self.role!r} in {where}"


# Policy -> what a group of some name has under it, for the policies that hold renames.
Rights = Mapping[str, frozenset[Right]]


@dataclass(frozen=True)
class Held:
    """A displayName that waits. `old`: the name that the access goes by, empty for none; `gains`: what the
    new one would give besides, sorted; `policies`: those under which it would make a difference.
    """

    old: str
    new: str
    gains: tuple[Right, ...]
    policies: frozenset[str]
    protected: bool = False


def decide(names: GroupNames, rights: Callable[[str], Rights]) -> Literal["stays", "moves"] | Held:
    """`rights`: what a group of some name would have, were that the name its access goes by.

    -> `moves`: the displayName becomes the effective name at once; Held: it waits.
    """
    if names.granted_as == names.display_name:
        return "stays"
    if names.granted_as is None and not names.protected:
        return "moves"
    old = names.granted_as or ""
    now, then = rights(old), rights(names.display_name)
    gains = _union(then) - _union(now)
    if not gains and not names.protected:
        return "moves"
    differing = {policy for policy in now.keys() | then.keys() if now.get(policy) != then.get(policy)}
    return Held(old, names.display_name, tuple(sorted(gains)), frozenset(differing), names.protected)


def rename_held(held: Held, directory: str) -> Problem:
    """The condition that tells of it, and what to type."""
    message = f"{told(held)}; who waits, and how to approve it: kubectl describe removalhold {directory}"
    return Problem("RenameHeld", "ProtectedName" if held.protected else "NewRights", message)


def told(held: Held) -> str:
    """What waits, and what it would give."""
    known = f"goes on as {quoted(held.old)}" if held.old else "has no access yet"
    why = "is protected in its directory" if held.protected else f"would give {_listed(held.gains)}"
    return f"the new name of group {quoted(held.new)} {why}, so the group {known}"


def _listed(gains: tuple[Right, ...]) -> str:
    more = f" (and {len(gains) - _GAINS_SHOWN} more)" if len(gains) > _GAINS_SHOWN else ""
    return ", ".join(map(str, gains[:_GAINS_SHOWN])) + more


def _union(rights: Rights) -> frozenset[Right]:
    return frozenset().union(*rights.values())
