"""Where access is given: a place is (policy, role, namespace), the unit of planning and of work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scim_operator.access.problems import Problem

_ALWAYS_PROTECTED = frozenset({"default"})

RoleKind = Literal["ClusterRole", "Role"]


class Place(NamedTuple):
    """Where a policy, or an AccessGrant, gives a role. Compares and sorts by its names.

    No namespace is the whole cluster. `grant`: the AccessGrant's name; there is no policy then.
    """

    policy: str
    role: str
    namespace: str
    kind: RoleKind = "ClusterRole"
    grant: str = ""

    @property
    def cluster_wide(self) -> bool:
        """True when the role is given in the whole cluster."""
        return not self.namespace


class Creation(NamedTuple):
    """How a policy makes a namespace. `template` empty: a bare one; `delete_after`: seconds unused."""

    template: str = ""
    adopt: bool = False
    delete_after: float = math.inf


@dataclass(frozen=True)
class Opening:
    """How a place came about: `captured` names need the namespace's consent; `creations` make it.

    `selected`: by the namespace's labels alone, so that nobody thought of this one.
    """

    captured: bool
    creations: frozenset[Creation] = frozenset()
    selected: bool = False

    @property
    def create(self) -> bool:
        """True when a missing namespace is made."""
        return bool(self.creations)

    @property
    def adopts(self) -> bool:
        """True when a namespace of others is taken over."""
        return any(creation.adopt for creation in self.creations)


@dataclass(frozen=True)
class Settings:
    """What the chart's values say. `protected`: namespaces besides kube-* and default.

    `literal`: protected ones that a policy may name all the same. `deletion`: whether unused namespaces may
    be deleted. `template_kinds`: (apiVersion, kind) of what templates may hold besides. `longest_grant`: how
    long an AccessGrant may last, in seconds.
    """

    protected: frozenset[str]
    literal: frozenset[str] = frozenset()
    deletion: bool = False
    template_kinds: frozenset[tuple[str, str]] = frozenset()
    longest_grant: float = math.inf

    def is_protected(self, namespace: str) -> bool:
        """True for namespaces that no capture or selector may ever reach (rule 14)."""
        return namespace.startswith("kube-") or namespace in _ALWAYS_PROTECTED | self.protected

    def is_closed(self, namespace: str) -> bool:
        """True for namespaces that not even a literal name reaches; the chart's admission says the same."""
        return self.is_protected(namespace) and namespace not in self.literal


class Selected(NamedTuple):
    """A role in all namespaces that a selector, in words, selects."""

    kind: RoleKind
    role: str
    selector: str


@dataclass(frozen=True)
class Opened:
    """What one group, or a policy's people, open under one policy.

    `missed`: why a group isn't meant that is near to it, in words. `selected`: the roles that are given by a
    selector, in whatever namespaces.
    """

    matched: bool = False
    places: tuple[tuple[Place, Opening], ...] = ()
    problems: tuple[Problem, ...] = ()
    missed: str = ""
    selected: frozenset[Selected] = frozenset()


# What an author wrote out, not a capture.
LITERAL = Opening(captured=False)


def widest(openings: Sequence[Opening]) -> Opening:
    """Several grants or groups meet in one place: the author's literal name and wish to create count."""
    return Opening(
        captured=all(opening.captured for opening in openings),
        creations=frozenset(creation for opening in openings for creation in opening.creations),
        selected=all(opening.selected for opening in openings),
    )
