"""As how many people a subject counts: a group as its members."""

from __future__ import annotations

from collections.abc import Iterable

from scim_operator.access.bindings import Who
from scim_operator.reconcile.naming import Naming
from scim_operator.reconcile.people import People


class Weights:
    """`sizes`: of groups by their names in bindings, how many members they had when last seen."""

    def __init__(self, naming: Naming, people: People) -> None:
        self._naming = naming
        self._people = people
        self.sizes: dict[str, int] = {}

    def of(self, who: Who) -> int | None:
        """A group as its members when last seen; None: nobody knows."""
        kind, name = who
        if kind == "User":
            return 1
        members = self._members(name)
        if members is None:
            return self.sizes.get(name)
        self.sizes[name] = len(members)
        return len(members)

    def of_all(self, groups: Iterable[Who]) -> int:
        """Of some groups together, each person once; those last seen in groups that are gone."""
        people: set[str] = set()
        gone = 0
        for _, name in groups:
            members = self._members(name)
            if members is None:
                gone += self.sizes.get(name, 0)
            else:
                people |= members
        return len(people) + gone

    def _members(self, name: str) -> set[str] | None:
        groups = list(self._naming.bearers(name, "Group"))
        keys = [(group.directory, group.id) for group in groups]
        if not keys or any(map(self._people.is_unknown, keys)):
            return None
        return {user.id for key in keys for user in self._people.members(key)}
