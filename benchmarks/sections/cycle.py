"""c. An initial cycle as Entra's, until the last binding is right; then one in which nothing has changed.

Each user is looked up and posted, each group looked up, posted without members and given them by PATCH.
Entra works on several objects at the same time, and puts several members into one PATCH; it says of neither
how many. Here it is 8 connections and at most 100 members.
"""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.chart import Chart, Panel, Series
from benchmarks.goals import Goal
from benchmarks.load import for_each
from benchmarks.mirror import watching
from benchmarks.scim import Endpoint, group_body, members_body, user_body
from benchmarks.stage import Stage
from benchmarks.tenant import POLICIES, Group, Tenant, name_of
from benchmarks.wire import Wire, query

_CONNECTIONS, _MEMBERS = 8, 100
_LONGEST_SECONDS = 300.0
# What a cycle without changes must leave alone.
_QUIET = ("scimusers", "scimgroups", "scimgroupshards", "rolebindings", "clusterrolebindings", "namespaces")


@dataclass(frozen=True)
class Step:
    """From one size to the next. converged_seconds: from the last answer until the last binding was right."""

    users: int
    groups: int
    memberships: int
    requests: int
    seconds: float
    converged_seconds: float
    writes: dict[str, int]


@dataclass(frozen=True)
class Second:
    """The cycle in which nothing has changed."""

    requests: int
    seconds: float
    writes: dict[str, int]


@dataclass(frozen=True)
class Figures:
    """steps: those that led to the size; second: at the end."""

    letter: ClassVar[str] = "c"
    title: ClassVar[str] = "Initial cycle: writes to the API server by kind"
    users: int
    groups: int
    memberships: int
    namespaces: int
    steps: Sequence[Step]
    second: Second

    @classmethod
    def of(cls, tenant: Tenant, steps: Sequence[Step], second: Second) -> Figures:
        """Of a company that came by these steps."""
        memberships = sum(len(group.members) for group in tenant.groups)
        namespaces = len({namespace for namespace, _ in tenant.expected()})
        return cls(tenant.size, len(tenant.groups), memberships, namespaces, list(steps), second)

    @property
    def writes(self) -> dict[str, int]:
        """Of all steps. Those of people's statuses go on for a while afterwards, at most 50 a second."""
        kinds = sorted({kind for step in self.steps for kind in step.writes})
        return {kind: sum(step.writes.get(kind, 0) for step in self.steps) for kind in kinds}

    def table(self) -> list[str]:
        """110 columns."""
        requests, seconds = (
            sum(getattr(step, name) for step in self.steps) for name in ("requests", "seconds")
        )
        return [
            f"{self.users} users, {self.groups} groups with {self.memberships} memberships, "
            f"{POLICIES} policies, {self.namespaces} namespaces:",
            f"  {requests} requests in {seconds:.0f} s, {requests / seconds:.0f}/s, on {_CONNECTIONS} "
            "connections",
            "  bindings right after the last answer of each step: "
            + ", ".join(f"{step.converged_seconds:.2f} s" for step in self.steps),
            *_written(self.writes),
            f"second cycle: {self.second.requests} requests in {self.second.seconds:.0f} s",
            *_written(self.second.writes),
        ]

    def goals(self) -> list[Goal]:
        """Of convergence, and of the second cycle."""
        converged = max(step.converged_seconds for step in self.steps)
        needless = sum(self.second.writes.get(kind, 0) for kind in _QUIET)
        return [
            Goal("bindings converged after the last request", converged, 10, " s"),
            Goal("second cycle: writes to identities, bindings, namespaces", needless, 0),
        ]

    def chart(self) -> Chart:
        """Writes by kind."""
        kinds = list(self.writes)
        series = [
            Series("initial", [self.writes[kind] for kind in kinds]),
            Series("second", [self.second.writes.get(kind, 0) for kind in kinds]),
        ]
        return Chart(self.title, [Panel("writes", "", kinds, series, "bars")])


def _written(writes: dict[str, int]) -> list[str]:
    """Kinds are many: over several lines."""
    told = ", ".join(f"{kind} {count}" for kind, count in writes.items()) or "nothing"
    return textwrap.wrap(f"written: {told}", 108, initial_indent="  ", subsequent_indent="    ")


def grow(stage: Stage, tenant: Tenant, users: int) -> tuple[Tenant, Step]:
    """By SCIM, to so many users. -> the company as it is then."""
    before = stage.counters()
    tenant, step = stage.away(_grow, stage.cluster.kubeconfig, stage.endpoint, tenant, users)
    return tenant, replace(step, writes=stage.counters().since(before).writes)


def again(stage: Stage, tenant: Tenant) -> Second:
    """A cycle that finds everything as it should be."""
    before = stage.counters()
    second = stage.away(_again, stage.endpoint, tenant)
    return replace(second, writes=stage.counters().since(before).writes)


def _grow(kubeconfig: Path, endpoint: Endpoint, tenant: Tenant, users: int) -> tuple[Tenant, Step]:
    return asyncio.run(_growing(kubeconfig, endpoint, tenant, users))


async def _growing(kubeconfig: Path, endpoint: Endpoint, tenant: Tenant, users: int) -> tuple[Tenant, Step]:
    numbers, groups = range(tenant.size, users), tenant.next_groups(users)
    tenant.ids += [""] * len(numbers)
    tenant.groups += groups
    async with watching(kubeconfig, tenant.directory, tenant.expected()) as mirror, endpoint.wire() as wire:
        cycle = _Cycle(wire, tenant)
        began = time.perf_counter()
        await cycle.run(numbers, groups)
        answered = time.perf_counter()
        right = await mirror.right(_LONGEST_SECONDS)
    return tenant, Step(
        tenant.size,
        len(tenant.groups),
        sum(len(group.members) for group in groups),
        cycle.requests,
        round(answered - began, 2),
        round(max(0.0, right - answered), 3),
        {},
    )


def _again(endpoint: Endpoint, tenant: Tenant) -> Second:
    return asyncio.run(_going_again(endpoint, tenant))


async def _going_again(endpoint: Endpoint, tenant: Tenant) -> Second:
    async with endpoint.wire() as wire:
        cycle = _Cycle(wire, tenant)
        began = time.perf_counter()
        await cycle.run(range(tenant.size), tenant.groups)
        return Second(cycle.requests, round(time.perf_counter() - began, 2), {})


class _Cycle:
    """Who is known already is found by the look-up, and posted by nobody."""

    def __init__(self, wire: Wire, tenant: Tenant) -> None:
        self.requests = 0
        self._wire = wire
        self._tenant = tenant

    async def run(self, numbers: Sequence[int], groups: Sequence[Group]) -> None:
        """All users, then all groups."""
        await for_each(_CONNECTIONS, numbers, self._user)
        await for_each(_CONNECTIONS, groups, self._group)

    async def _user(self, number: int) -> None:
        name = name_of(number)
        target = "/Users" + query(filter=f'userName eq "{name}"')
        self._tenant.ids[number] = await self._found(target, "/Users", user_body(name, number))

    async def _group(self, group: Group) -> None:
        expression = f'displayName eq "{group.name}"'
        target = "/Groups" + query(excludedAttributes="members", filter=expression)
        group.id = await self._found(target, "/Groups", group_body(group.name))
        ids = [self._tenant.ids[member] for member in group.members]
        for first in range(0, len(ids), _MEMBERS):
            body = members_body("add", ids[first : first + _MEMBERS])
            await self._call("PATCH", f"/Groups/{group.id}", 200, body)

    async def _found(self, target: str, path: str, body: Any) -> str:
        found = (await self._call("GET", target, 200))["Resources"]
        return str((found[0] if found else await self._call("POST", path, 201, body))["id"])

    async def _call(self, method: str, target: str, wanted: int, body: Any = None) -> dict[str, Any]:
        self.requests += 1
        return await self._wire.call(method, target, wanted, body)
