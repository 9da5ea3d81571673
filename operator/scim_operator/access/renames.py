"""What becomes of a group's new displayName: in the provider, a group's owner may rename it (section 5a).

A group's access goes by its effective name. A new name that gives nothing new becomes the effective one at
once; one that gives a role or a place that the group doesn't have yet waits until somebody approves it. What
it was found to give is remembered while it waits: a policy that is away for a moment approves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scim_operator.access.grants import GroupNames
from scim_operator.access.places import Opening, Place, RoleKind
from scim_operator.access.problems import Problem, quoted

_GAINS_SHOWN = 3


class Right(NamedTuple):
    """What a group's name gives to its members, by whichever policy; no namespace: in the whole cluster.

    `subject`: User or Group, what stands in the bindings. `selector`: in whatever namespaces it selects, now
    or later. `grant`: by this AccessGrant, which waits for a group of that name.
    """

    kind: RoleKind
    role: str
    namespace: str
    subject: str = "User"
    selector: str = ""
    grant: str = ""

    @classmethod
    def of(cls, place: Place, subject: str = "User") -> Right:
        """The right that a place gives."""
        return cls(place.kind, place.role, place.namespace, subject, "", place.grant)

    def __str__(self) -> str:
        if self.selector:
            return f"{self.kind} {self.role!r} in every namespace with {self.selector}"
        where = f"namespace {self.namespace!r}" if self.namespace else "the whole cluster"
        by = f" by AccessGrant {self.grant!r}" if self.grant else ""
        return f"{self.kind} {self.role!r} in {where}{by}"


# Policy -> what a group of some name opens under it, and how, for the policies that hold renames.
Rights = Mapping[str, Mapping[Right, Opening]]


@dataclass(frozen=True)
class Outlook:
    """`given`: what a group has at this moment, people and brakes aside; `old`, `new`: what the name that its
    access goes by opens, and what its displayName would, each where names are held; `followed`: what it has
    where names are followed; `granted`: what AccessGrants wait to give it.
    """

    given: frozenset[Right]
    old: Rights
    new: Rights
    followed: frozenset[Right] = frozenset()
    granted: frozenset[Right] = frozenset()

    def gains(self) -> frozenset[Right]:
        """What the displayName would give besides. What the old name only opens counts where the new one
        opens the very same in the same way: whatever is in its way there goes on to be."""
        opened = {
            right
            for policy, rights in self.new.items()
            for right, opening in rights.items()
            if not _covers(self.old.get(policy, {}).get(right), opening)
        }
        return self.granted | (opened - self.given)

    def differing(self) -> frozenset[str]:
        """The policies under which the displayName makes a difference."""
        policies = self.old.keys() | self.new.keys()
        return frozenset(
            policy
            for policy in policies
            if self.old.get(policy, {}).keys() != self.new.get(policy, {}).keys()
        )


@dataclass(frozen=True)
class Held:
    """A displayName that waits. `old`: the name that the access goes by, empty for none; `gains`: what the
    new one would give besides, sorted; `policies`: those under which it would make a difference;
    `forgotten`: it waited before the operator started, and nothing tells any more what it would give.
    """

    old: str
    new: str
    gains: tuple[Right, ...]
    policies: frozenset[str]
    protected: bool = False
    forgotten: bool = False


def decide(
    names: GroupNames, look: Callable[[], Outlook], before: Held | None, listed: bool
) -> Literal["stays", "moves"] | Held:
    """`before`: what is known of a displayName that waits; `listed`: the ledger says that this one does.

    -> `moves`: the displayName becomes the effective name at once; Held: it waits.
    """
    if names.granted_as == names.display_name:
        return "stays"
    if names.granted_as is None and not names.protected:
        return "moves"
    outlook, known = look(), before if before and before.new == names.display_name else None
    had = outlook.given | outlook.followed
    gains = outlook.gains() | (frozenset(known.gains) - had if known else frozenset())
    forgotten = not gains and (known.forgotten if known else listed)
    if not gains and not forgotten and not names.protected:
        return "moves"
    return Held(
        names.granted_as or "",
        names.display_name,
        tuple(sorted(gains)),
        outlook.differing(),
        names.protected,
        forgotten,
    )


def _covers(known: Opening | None, wanted: Opening) -> bool:
    """True for a place that is opened in no narrower way already."""
    if known is None:
        return False
    return known.creations >= wanted.creations and (wanted.captured or not known.captured)


def rename_held(held: Held, directory: str) -> Problem:
    """The condition that tells of it, and what to type."""
    message = f"{told(held)}; who waits, and how to approve it: kubectl describe removalhold {directory}"
    return Problem("RenameHeld", "ProtectedName" if held.protected else "NewRights", message)


def told(held: Held) -> str:
    """What waits, and what it would give."""
    known = f"goes on as {quoted(held.old)}" if held.old else "has no access yet"
    return f"the new name of group {quoted(held.new)} {_why(held)}, so the group {known}"


def _why(held: Held) -> str:
    if held.protected:
        return "is protected in its directory"
    if held.forgotten:
        return "was waiting already, and the policies that told what it would give are gone"
    return f"would give {_listed(held.gains)}"


def _listed(gains: tuple[Right, ...]) -> str:
    more = f" (and {len(gains) - _GAINS_SHOWN} more)" if len(gains) > _GAINS_SHOWN else ""
    return ", ".join(map(str, gains[:_GAINS_SHOWN])) + more
