"""What a load's answers came to: who must be there, in which state, and who stands where."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.system import OURS, System

# userName, title, active, version
State = tuple[str, str, bool, int]


@dataclass
class Hired:
    """Somebody as last answered. `version`: one for the POST and one for each change since."""

    name: str
    id: str
    title: str = "t0"
    active: bool = True
    version: int = 1
    groups: set[str] = field(default_factory=set)
    gone: bool = False

    def state(self) -> State:
        """What every answer about them says."""
        return self.name, self.title, self.active, self.version

    def document(self) -> dict[str, Any]:
        """For a PUT."""
        return {
            "userName": self.name,
            "active": self.active,
            "title": self.title,
            "externalId": f"x-{self.name}",
        }


class Expected:
    """Grows with every answer; whole once the load is over."""

    def __init__(self, groups: Sequence[str]) -> None:
        self.groups = list(groups)
        self.ids: dict[str, str] = {}
        self.people: list[Hired] = []
        self._changes = Counter(groups)
        self._lock = threading.Lock()

    def changed(self, group: str, effect: bool) -> None:
        """A change of a group's members was answered."""
        with self._lock:
            self._changes[group] += effect

    def living(self) -> list[Hired]:
        """Those who weren't deleted."""
        return [person for person in self.people if not person.gone]

    def as_stored(self) -> Counter[tuple[str, State]]:
        """(id, state) of everybody; a second object of one person would be one too many."""
        return Counter((person.id, person.state()) for person in self.living())

    def groups_as_stored(self) -> dict[str, tuple[int, set[str]]]:
        """Name -> version, ids of the members who are there."""
        return {
            name: (self._changes[name], {person.id for person in self.living() if name in person.groups})
            for name in self.groups
        }

    def access(self) -> dict[str, set[str]]:
        """Namespace (a group's name) -> who may be there."""
        active = [person for person in self.living() if person.active]
        found = {name: {person.name for person in active if name in person.groups} for name in self.groups}
        return {name: people for name, people in found.items() if people}


def stored_people(system: System, directory: str) -> Counter[tuple[str, State]]:
    """(id, state) of each ScimUser."""
    users = system.list(f"{OURS}/scimusers", f"scim-operator.io/directory={directory}")
    specs = [user["spec"] for user in users]
    return Counter(
        (spec["id"], (spec["userName"], spec["title"], spec["active"], spec["meta"]["version"]))
        for spec in specs
    )


def stored_groups(system: System, directory: str) -> dict[str, tuple[int, set[str]]]:
    """Name -> version, ids of the members."""
    groups = system.list(f"{OURS}/scimgroups", f"scim-operator.io/directory={directory}")
    specs = [group["spec"] for group in groups]
    return {spec["displayName"]: (spec["meta"]["version"], set(spec.get("members") or ())) for spec in specs}
