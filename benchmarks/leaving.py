"""The leavers section: people provisioned as Entra does, then some of them disabled one at a time."""

from __future__ import annotations

import http.client
import ssl
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Spread
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, policy
from tests.entra import Dialect, EntraClient, Person

_POLICY = "bench"
_LONGEST = 30.0


@dataclass(frozen=True)
class Plan:
    """Everybody is in one group; users are a multiple of groups."""

    users: int
    groups: int
    leavers: int


@dataclass(frozen=True)
class Figures:
    """converged_seconds: from Entra's last answer until the last binding is right."""

    users: int
    groups: int
    provisioning_seconds: float
    provisioning_requests_per_second: float
    converged_seconds: float
    from_answer: Spread
    from_request: Spread


def measure(state: Path, url: str, token: str, plan: Plan) -> Figures:
    """Runs in the load client's process."""
    cluster = Cluster.load(state)
    apply(cluster, policy(_POLICY, "entra", "bench-{team}-{role}", namespace="bench-{team}"))
    sent: list[float] = []
    entra = EntraClient(url, token, Dialect.MODERN, tell=lambda _: sent.append(time.perf_counter()))
    began = time.perf_counter()
    _provision(entra, plan)
    answered = time.perf_counter()
    _converge(cluster, plan)
    converged = time.perf_counter()
    times = [_leave(cluster, entra, number, plan) for number in _spread_out(plan)]
    return Figures(
        plan.users,
        plan.groups,
        round(answered - began, 1),
        round(len(sent) / (answered - began), 1),
        round(converged - answered, 2),
        from_answer=Spread.of([after for after, _ in times]),
        from_request=Spread.of([after for _, after in times]),
    )


def _provision(entra: EntraClient, plan: Plan) -> None:
    for number in range(plan.users):
        entra.provision_user(Person(_name(number), "Leaver", str(number)))
        if number % 250 == 249:
            print(f"{number + 1} of {plan.users} people provisioned", file=sys.stderr, flush=True)
    for group in range(plan.groups):
        members = [_name(number) for number in range(group, plan.users, plan.groups)]
        entra.provision_group(f"bench-t{group}-view", members)
    print(f"{plan.groups} groups provisioned", file=sys.stderr, flush=True)


def _converge(cluster: Cluster, plan: Plan) -> None:
    deadline = time.monotonic() + _LONGEST
    while sum(map(len, bindings(cluster, _POLICY).values())) < plan.users:
        if time.monotonic() > deadline:
            raise AssertionError(f"bindings aren't complete {_LONGEST:.0f} s after the last answer")


def _leave(cluster: Cluster, entra: EntraClient, number: int, plan: Plan) -> tuple[float, float]:
    """Seconds until the first 403 with their own token: from the answer, from the request."""
    server = urllib.parse.urlsplit(cluster.server)
    context = ssl.create_default_context(cafile=str(cluster.ca))
    connection = http.client.HTTPSConnection(server.hostname or "", server.port, context=context, timeout=10)
    headers = {"Authorization": f"Bearer {cluster.person_token(_name(number))}"}
    # From the watch cache, so that the time to the answer is RBAC's own.
    path = f"/api/v1/namespaces/bench-t{number % plan.groups}/pods?resourceVersion=0&limit=1"

    def status() -> int:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as response:
            response.read()
            return response.status

    if (before := status()) != 200:
        raise AssertionError(f"{_name(number)} has no access to lose: {before}")
    sent = time.perf_counter()
    entra.set_active(_name(number), False)
    answered = time.perf_counter()
    while (seen := status()) != 403:
        if seen != 200 or time.perf_counter() - answered > _LONGEST:
            raise AssertionError(f"{_name(number)}: {seen} {_LONGEST:.0f} s after the answer")
    refused = time.perf_counter()
    connection.close()
    return refused - answered, refused - sent


def _spread_out(plan: Plan) -> range:
    """Leavers from all over the directory."""
    return range(0, plan.users, max(1, plan.users // plan.leavers))[: plan.leavers]


def _name(number: int) -> str:
    return f"leaver-{number}@bench.example.com"
