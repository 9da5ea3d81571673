"""What directories must look like: as simple as can be, with nothing of ours but how names are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_operator.scim.attributes import fold

Json = dict[str, Any]


@dataclass
class Person:
    """A user: single values by name, `active` among them."""

    name: str
    values: Json

    def shown(self) -> Json:
        """What a GET must show of it, but for what is derived."""
        return {"userName": self.name, **self.values}


@dataclass
class Team:
    """A group with its members' ids."""

    name: str
    members: set[str] = field(default_factory=set)


@dataclass
class Place:
    """One directory, by ids."""

    people: dict[str, Person] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)

    def holder(self, kind: str, name: str) -> str | None:
        """Who has a name, in any spelling."""
        holders: dict[str, Mapping[str, Person | Team]] = {"Users": self.people, "Groups": self.teams}
        return next((id_ for id_, one in holders[kind].items() if fold(one.name) == fold(name)), None)

    def ids(self, kind: str = "") -> list[str]:
        """Of all users or groups, of both without a kind; the newest first."""
        people = list(self.people) if kind != "Groups" else []
        return [*people, *(self.teams if kind != "Users" else ())][::-1]

    def knows(self, id_: str) -> bool:
        """Whether somebody, or a group, has the id."""
        return id_ in self.people or id_ in self.teams

    def forget(self, id_: str) -> None:
        """A user or group goes, and out of every group."""
        self.people.pop(id_, None)
        self.teams.pop(id_, None)
        for team in self.teams.values():
            team.members.discard(id_)

    def teams_of(self, id_: str) -> set[str]:
        """The groups somebody is in."""
        return {group for group, team in self.teams.items() if id_ in team.members}
