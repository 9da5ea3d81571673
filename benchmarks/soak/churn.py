"""Who comes, changes, leaves and returns, request by request; and who must have access after all of it.

Drawn from a seed: what is planned never depends on an answer or on the time it took. As many go as come.
Nobody and nothing is touched twice within REST requests; so whoever has answers to all but the last REST
requests before sending the next one sends none that depends on another under way.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.soak import request as ask
from benchmarks.soak.request import Made, Request
from benchmarks.tenant import Place, Tenant, name_of, place_of

REST = 64
# Of all people, so many are disabled at a time. At most so many members come in one PATCH, or go.
_AWAY, _MOST_JOIN, _MOST_LEAVE = 0.02, 100, 5
# A look-up before each POST finds nobody.
_STRANGERS = 0.2
EVERYBODY = "bench-0-0-view-everybody"
_LONG_AGO = -REST


@dataclass
class Employee:
    """touched: by which request last."""

    number: int
    id: str = ""
    active: bool = True
    touched: int = _LONG_AGO


@dataclass
class Circle:
    """A group. size: of how many members it wants to be; members: a set that keeps its order."""

    name: str
    place: Place | None
    size: int
    members: dict[int, None]
    generation: int = 0
    id: str = ""
    touched: int = _LONG_AGO

    def successor(self, now: int) -> Circle:
        """Of its kind, with a name of its own and nobody in it."""
        base, generation = self.name.removesuffix(f"x{self.generation}"), self.generation + 1
        return Circle(f"{base}x{generation}", self.place, self.size, {}, generation, touched=now)


T = TypeVar("T", Employee, Circle)


class Churn:
    """Begins with a tenant's people and groups, and one group of everybody, still empty."""

    def __init__(self, tenant: Tenant, seed: int) -> None:
        self.directory = tenant.directory
        self.people = {number: Employee(number, identifier) for number, identifier in enumerate(tenant.ids)}
        # Those that change; everybody is joined by all, and left by who is deleted.
        self.circles: dict[str, Circle] = {}
        for number, group in enumerate(tenant.groups):
            members = dict.fromkeys(group.members)
            circle = Circle(group.name, place_of(number), len(members), members, id=group.id)
            self.circles[circle.name] = circle
        self.everybody = Circle(EVERYBODY, place_of(0), 0, {})
        self._size, self._groups = len(self.people), len(self.circles)
        self._hired = self._size
        # Each group that ended has a successor.
        self._ended: deque[Circle] = deque()
        self._chance = random.Random(seed)
        self._now = 0
        self._later: deque[tuple[int, Callable[[], Request | None]]] = deque()
        # Of a thousand requests. On top come those that follow from one REST requests before: whoever was
        # hired joins everybody, a new group gets its first members.
        self._mix: dict[Callable[[], Request | None], int] = {
            self._look_up_user: 200,
            self._look_up_external_id: 60,
            self._look_up_group: 120,
            self._get_user: 130,
            self._get_group: 56,
            self._change_user: 150,
            self._create_or_delete_user: 80,
            self._disable_or_enable: 80,
            self._change_members: 120,
            self._create_or_delete_group: 4,
        }

    def gather(self) -> Iterable[Request]:
        """The group of everybody; one request after the other."""
        yield ask.create_group(EVERYBODY, _naming(self.everybody))
        waiting = list(self.people)
        while waiting:
            some, waiting = waiting[:_MOST_JOIN], waiting[_MOST_JOIN:]
            yield self._join(self.everybody, some)

    def next(self) -> Request:
        """One more; where nobody is left to do it to, somebody unknown is looked up."""
        self._now += 1
        if self._later and self._later[0][0] <= self._now:
            plan = self._later.popleft()[1]
        else:
            plan = self._chance.choices(list(self._mix), list(self._mix.values()))[0]
        return plan() or self._look_up_stranger()

    def expected(self) -> dict[Place, set[str]]:
        """Who must stand in the bindings of which place."""
        found: dict[Place, set[str]] = defaultdict(set)
        for circle in (*self.circles.values(), self.everybody):
            if circle.place:
                found[circle.place] |= {name_of(one) for one in circle.members if self.people[one].active}
        return {place: names for place, names in found.items() if names}

    # --- reading -------------------------------------------------------------------------------------------

    def _look_up_stranger(self) -> Request:
        return ask.look_up_user("userName", f"stranger-{self._now}@bench.example.com", known=False)

    def _look_up_user(self) -> Request | None:
        person = None if self._chance.random() < _STRANGERS else self._pick(self.people.values())
        return ask.look_up_user("userName", name_of(person.number)) if person else None

    def _look_up_external_id(self) -> Request | None:
        person = self._pick(self.people.values())
        return ask.look_up_external_id(person.number) if person else None

    def _look_up_group(self) -> Request | None:
        circle = self._pick(self.circles.values())
        return ask.look_up_group(circle.name) if circle else None

    def _get_user(self) -> Request | None:
        person = self._pick(self.people.values())
        return ask.get_user(person.id, person.number) if person else None

    def _get_group(self) -> Request | None:
        circle = self._pick(self.circles.values())
        return ask.get_group(circle.id, circle.name) if circle else None

    # --- people --------------------------------------------------------------------------------------------

    def _change_user(self) -> Request | None:
        person = self._pick(self.people.values())
        value = {"displayName": f"Bench {self._now}"}
        return ask.patch_user("change user", person.id, value) if person else None

    def _create_or_delete_user(self) -> Request | None:
        if len(self.people) < self._size:
            return self._hire()
        return self._delete_user() or self._switch(active=False)

    def _hire(self) -> Request:
        person = Employee(self._hired, touched=self._now)
        self._hired += 1
        self.people[person.number] = person
        self._later.append((self._now + REST, lambda: self._join(self.everybody, [person.number])))
        return ask.create_user(person.number, _naming(person))

    def _delete_user(self) -> Request | None:
        """Of those who are disabled."""
        if not (person := self._pick(one for one in self.people.values() if not one.active)):
            return None
        del self.people[person.number]
        for circle in (*self.circles.values(), self.everybody):
            circle.members.pop(person.number, None)
        return ask.delete_user(person.id)

    def _disable_or_enable(self) -> Request | None:
        away = sum(not person.active for person in self.people.values())
        return self._switch(active=away >= _AWAY * self._size)

    def _switch(self, *, active: bool) -> Request | None:
        if not (person := self._pick(one for one in self.people.values() if one.active != active)):
            return None
        person.active = active
        return ask.patch_user("enable user" if active else "disable user", person.id, {"active": active})

    # --- groups --------------------------------------------------------------------------------------------

    def _change_members(self) -> Request | None:
        circle = self._pick(self.circles.values())
        return self._fill_or_empty(circle) if circle else None

    def _fill_or_empty(self, circle: Circle) -> Request | None:
        """Up to its size, or some below."""
        circle.touched = self._now
        absent = circle.size - len(circle.members)
        return self._fill(circle, absent) if absent > 0 else self._empty(circle)

    def _fill(self, circle: Circle, absent: int) -> Request | None:
        able = [one for one in self.people.values() if self._rests(one) and one.number not in circle.members]
        joins = self._chance.sample(able, min(absent, _MOST_JOIN, len(able) // 2))
        for person in joins:
            person.touched = self._now
        return self._join(circle, [person.number for person in joins]) if joins else None

    def _join(self, circle: Circle, numbers: list[int]) -> Request:
        circle.members.update(dict.fromkeys(numbers))
        return ask.patch_members("add", circle.id, [self.people[number].id for number in numbers])

    def _empty(self, circle: Circle) -> Request:
        most = min(_MOST_LEAVE, len(circle.members))
        numbers = self._chance.sample(list(circle.members), self._chance.randint(1, most))
        for number in numbers:
            del circle.members[number]
        return ask.patch_members("remove", circle.id, [self.people[number].id for number in numbers])

    def _create_or_delete_group(self) -> Request | None:
        if len(self.circles) < self._groups:
            circle = self._ended.popleft().successor(self._now)
            self.circles[circle.name] = circle
            self._later.append((self._now + REST, lambda: self._fill_or_empty(circle)))
            return ask.create_group(circle.name, _naming(circle))
        if not (ends := self._pick(self.circles.values())):
            return None
        del self.circles[ends.name]
        self._ended.append(ends)
        return ask.delete_group(ends.id)

    # --- chance --------------------------------------------------------------------------------------------

    def _pick(self, among: Iterable[T]) -> T | None:
        """One that nobody has touched for long enough; touched from now on."""
        rested = [one for one in among if self._rests(one)]
        if not rested:
            return None
        chosen = self._chance.choice(rested)
        chosen.touched = self._now
        return chosen

    def _rests(self, one: Employee | Circle) -> bool:
        return one.touched <= self._now - REST


def _naming(one: Employee | Circle) -> Made:
    def made(identifier: str) -> None:
        one.id = identifier

    return made
