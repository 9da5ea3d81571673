"""A company in the directory: its users, its groups of 5 to 500, and what access comes of them.

Of ten groups nine are named by a policy: three (view, edit, admin) for each team's namespace. So 10,000 users
have 1,000 groups and 300 namespaces, under 20 policies whatever the size. Nothing is random twice.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.scim import user_body
from scim_operator.directory.records import GROUPS, USERS, Meta, object_of, spec_of
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, policy

POLICIES = 20
_USERS_OF_A_GROUP = 10
_SMALLEST, _LARGEST = 5, 500
_ROLES = ("view", "edit", "admin")
# Beyond 20,000 users several groups share a namespace and role.
_MOST_TEAMS = 600
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)

# (namespace, role)
Place = tuple[str, str]


@dataclass
class Group:
    """members: numbers of users."""

    name: str
    members: tuple[int, ...]
    id: str = ""


@dataclass
class Tenant:
    """ids: of users, by number; left: who was disabled."""

    directory: str
    ids: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    left: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many users there are."""
        return len(self.ids)

    def apply_policies(self, cluster: Cluster) -> None:
        """Each names the groups of every twentieth team."""
        names = [f"bench-{number}" for number in range(POLICIES)]
        items = [
            policy(name, self.directory, f"{name}-{{team}}-{{role}}-*", namespace="bench-{team}")
            for name in names
        ]
        apply(cluster, {"apiVersion": "v1", "kind": "List", "items": items})

    def next_groups(self, users: int) -> list[Group]:
        """Those that come when it grows to so many users."""
        first = len(self.groups)
        return [_group(number, users) for number in range(first, users // _USERS_OF_A_GROUP)]

    def expected(self) -> dict[Place, set[str]]:
        """Who must stand in the bindings of which place."""
        found: dict[Place, set[str]] = defaultdict(set)
        for number, group in enumerate(self.groups):
            if place := place_of(number):
                found[place] |= {name_of(member) for member in group.members if member not in self.left}
        return {place: names for place, names in found.items() if names}

    def leavers(self, count: int) -> list[int]:
        """Active users with access, from all over the directory."""
        with_access = {
            member for number, group in enumerate(self.groups) if place_of(number) for member in group.members
        }
        able = sorted(with_access - self.left)
        return able[:: max(1, len(able) // count)][:count]

    def objects(self, users: int) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """Grows to so many users, as a restore would bring them: what is to be created."""
        for number in range(self.size, users):
            body = user_body(name_of(number), number)
            document = {key: value for key, value in body.items() if key not in ("schemas", "meta")}
            self.ids.append(f"00000000-0000-4000-8000-{number:012x}")
            yield USERS, object_of(f"tenant-{number}", self._spec(self.ids[number], document, ()))
        for group in self.next_groups(users):
            number = len(self.groups)
            group.id = f"00000000-0000-4000-9000-{number:012x}"
            self.groups.append(group)
            spec = self._spec(group.id, {"displayName": group.name}, group.members)
            yield GROUPS, object_of(f"tenant-group-{number}", spec, group.name)

    def _spec(self, identifier: str, document: dict[str, Any], members: tuple[int, ...]) -> dict[str, Any]:
        ids = dict.fromkeys(self.ids[member] for member in members)
        return spec_of(self.directory, identifier, document, ids, _META)


def name_of(number: int) -> str:
    """A userName."""
    return f"employee-{number}@bench.example.com"


def place_of(number: int) -> Place | None:
    """What the group with this number gives, if a policy names it."""
    team, role = _team_and_role(number)
    return (f"bench-{team}", role) if role in _ROLES else None


def _group(number: int, users: int) -> Group:
    """Small ones are many: sizes are spread evenly over their logarithm, about 107 in the middle."""
    chance = random.Random(number)
    size = math.exp(chance.uniform(math.log(_SMALLEST), math.log(_LARGEST)))
    members = chance.sample(range(users), min(users, round(size)))
    team, role = _team_and_role(number)
    return Group(f"bench-{team % POLICIES}-{team}-{role}-{number}", tuple(members))


def _team_and_role(number: int) -> tuple[int, str]:
    tens, ones = divmod(number, 10)
    if ones == 9:
        return tens, "mail"
    named = tens * 9 + ones
    return named // len(_ROLES) % _MOST_TEAMS, _ROLES[named % len(_ROLES)]
