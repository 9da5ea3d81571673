"""What directories must look like: as simple as can be, with nothing of ours but how names are compared."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scim_operator.scim.attributes import fold

Json = dict[str, Any]
REFERENCE = "bulkId:"


@dataclass(frozen=True)
class One:
    """A user or group: single values by name (a manager by id) and, of a group, its members' ids."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    version: int = 1


@dataclass(frozen=True)
class Write:
    """A request that changes something, and what it means: `effect` makes of what is there what must be.

    `id`: with POST the name by which others of a Bulk know it, `bulkId:x`. `joins`: whom it makes members.
    `version`: the one that it expects.
    """

    method: str
    kind: str
    id: str
    body: Json | None = None
    effect: Callable[[One | None], One | None] = lambda before: None
    joins: frozenset[str] = frozenset()
    version: int | None = None

    @property
    def path(self) -> str:
        """Below the directory."""
        return f"/{self.kind}" if self.method == "POST" else f"/{self.kind}/{self.id}"

    @property
    def references(self) -> list[str]:
        """To what others of a Bulk make."""
        return re.findall(rf'{REFERENCE}[^ /"\\]*', f"{self.path} {json.dumps(self.body)}")

    def operation(self) -> Json:
        """As one of a Bulk's."""
        optional = {
            "bulkId": self.id.removeprefix(REFERENCE) if self.method == "POST" else None,
            "data": self.body,
            "version": None if self.version is None else f'W/"{self.version}"',
        }
        sent = {name: value for name, value in optional.items() if value is not None}
        return {"method": self.method, "path": self.path, **sent}


@dataclass(frozen=True)
class Outcome:
    """A status, and the version afterwards where something is there."""

    status: int
    version: int | None = None


@dataclass
class Place:
    """One directory: users and groups by id."""

    people: dict[str, One] = field(default_factory=dict)
    teams: dict[str, One] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, One]:
        """All of them."""
        return self.people if kind == "Users" else self.teams

    def holder(self, kind: str, name: str) -> str | None:
        """Who has a name, in any spelling."""
        return next((id_ for id_, one in self.of(kind).items() if fold(one.name) == fold(name)), None)

    def ids(self, kind: str = "") -> list[str]:
        """Of all users or groups, of both without a kind."""
        return [*(self.people if kind != "Groups" else ()), *(self.teams if kind != "Users" else ())]

    def forget(self, id_: str) -> None:
        """A user or group goes, and out of every group, which is no change of that."""
        self.people.pop(id_, None)
        self.teams.pop(id_, None)
        for group, team in self.teams.items():
            self.teams[group] = dataclasses.replace(team, members=team.members - {id_})

    def teams_of(self, id_: str) -> set[str]:
        """The groups somebody is in."""
        return {group for group, team in self.teams.items() if id_ in team.members}

    def carry_out(self, write: Write) -> Outcome:
        """What must come of a request. What has no effect is no new version."""
        there = self.of(write.kind)
        before = there.get(write.id)
        if write.method != "POST":
            if before is None:
                return Outcome(404)
            if write.version not in (None, before.version):
                return Outcome(412)
        after = write.effect(before)
        if after is None:
            self.forget(write.id)
            return Outcome(204)
        if not write.joins <= {*self.people, *self.teams}:
            return Outcome(400)
        if self.holder(write.kind, after.name) not in (None, write.id):
            return Outcome(409)
        if before is not None and after != before:
            after = dataclasses.replace(after, version=before.version + 1)
        there[write.id] = after
        return Outcome(201 if before is None else 200, after.version)

    def carry_out_all(self, writes: Sequence[Write], errors: int | None) -> dict[int, Outcome]:
        """What must come of a Bulk without circles, by place in the list: one after the other, except that
        what names something waits until that was made, or wasn't.
        """
        makers = {write.id: number for number, write in enumerate(writes) if write.method == "POST"}
        outcomes: dict[int, Outcome] = {}
        waiting: list[int] = []

        def is_ready(number: int) -> bool:
            return all(makers.get(name, -1) in {-1, *outcomes} for name in writes[number].references)

        for last in range(len(writes)):
            waiting.append(last)
            while (number := next(filter(is_ready, waiting), None)) is not None:
                if sum(outcome.status >= 400 for outcome in outcomes.values()) == errors:
                    return outcomes
                waiting.remove(number)
                makings = [outcomes.get(makers.get(name, -1)) for name in writes[number].references]
                outcomes[number] = _missing(makings) or self.carry_out(writes[number])
        return outcomes

    def called(self, alias: str, id_: str) -> None:
        """What a POST made has an id by now."""

        def renamed(one: One) -> One:
            values = {name: id_ if value == alias else value for name, value in one.values.items()}
            members = frozenset(id_ if member == alias else member for member in one.members)
            return dataclasses.replace(one, values=values, members=members)

        for there in (self.people, self.teams):
            for key in list(there):
                there[id_ if key == alias else key] = renamed(there.pop(key))


def _missing(makings: Sequence[Outcome | None]) -> Outcome | None:
    """What comes of an operation that names what nobody makes (None), or what couldn't be made."""
    if None in makings:
        return Outcome(400)
    return Outcome(409) if any(making and making.status != 201 for making in makings) else None
