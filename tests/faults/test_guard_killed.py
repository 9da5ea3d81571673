"""Killed at any write while the guard counts: 40 people leave, five go, 35 wait, and no kill changes it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.entra import Person
from tests.eventually import becomes
from tests.faults.killing import restarting
from tests.faults.proxy import FaultProxy, Moment
from tests.faults.system import OURS, RBAC, System

PEOPLE, PLACES, LIMIT, SECONDS = 40, 3, 5, 40.0
# Of the ten or so writes from the request on.
SAMPLE = (1, 2, 4)


class Departure:
    """One directory whose people are to leave, behind a proxy that kills the operator at a write."""

    def __init__(self, system: System, proxy: FaultProxy) -> None:
        self.system, self.proxy = system, proxy
        self.runs = 0

    def holding(self, tag: str) -> int:
        """How many have access, in all places together."""
        path, selector = f"{RBAC}/rolebindings", f"scim-operator.io/policy={tag}"
        return sum(len(item.get("subjects") or ()) for item in self.system.list(path, selector))

    def waiting(self, tag: str) -> int:
        """How many removals wait."""
        found = self.system.admin.request("GET", f"{OURS}/removalholds/{tag}").body
        return int((found.get("status") or {}).get("waiting", 0))

    def rest(self) -> None:
        """Wait until everything is told as well, and nothing written any more."""
        seen = -1
        for _ in range(30):
            if seen == len(self.proxy.writes):
                return
            seen = len(self.proxy.writes)
            time.sleep(2)
        raise AssertionError("it goes on writing")

    def run(self, number: int, moment: Moment) -> bool:
        """All leave, and the operator dies at its write of that number. -> whether it came to that"""
        self.runs += 1
        tag = f"guard{self.runs:03}"
        entra = self.system.connect(tag, {"guard": {"maxRemovals": LIMIT, "window": "1h"}})
        people = [f"p{n:02}@{tag}.example.com" for n in range(PEOPLE)]
        for name in people:
            entra.provision_user(Person(name, name, "Tester"))
        groups = {"directory": tag, "displayName": tag}
        # Several bindings each: a kill falls between the removals that were let through, or approved.
        names = [f"{tag}-{number}" for number in range(PLACES)]
        grants = [{"clusterRole": "view", "namespaces": {"name": name, "create": {}}} for name in names]
        self.system.put("AccessPolicy", tag, spec={"groups": groups, "grants": grants})
        entra.provision_group(tag, people)
        becomes(partial(self.holding, tag), PEOPLE * PLACES, SECONDS)
        with restarting(self.system.installation.process, self.proxy):
            self.proxy.strike_at(number, moment, self.system.installation.process.kill)
            self.system.drop("AccessPolicy", tag)
            becomes(partial(self.waiting, tag), PEOPLE - LIMIT, SECONDS)
            becomes(partial(self.holding, tag), (PEOPLE - LIMIT) * PLACES, SECONDS)
            # Approved, and killed in the middle of that as well when there was no write so late before.
            self.system.approve(tag)
            becomes(partial(self.holding, tag), 0, SECONDS)
            becomes(partial(self.waiting, tag), 0, SECONDS)
        return self.proxy.struck.is_set()


@pytest.fixture(scope="module")
def departure(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Departure]:
    with (
        System.running(tmp_path_factory.mktemp("guard-killed")) as system,
        FaultProxy(system.cluster) as proxy,
    ):
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        yield Departure(system, proxy)


@pytest.mark.long
@pytest.mark.parametrize("moment", Moment)
def test_killed_at_every_write(departure: Departure, moment: Moment) -> None:
    count = next(n for n in itertools.count(1) if not departure.run(n, moment)) - 1
    assert count > len(SAMPLE), "too few writes: was anything killed at all?"
    print(f"killed at each of {count} writes, {moment.value}")


@pytest.mark.parametrize("number", SAMPLE)
def test_killed_at_some_writes(departure: Departure, number: int) -> None:
    assert departure.run(number, Moment.AFTER)


def test_killed_in_the_middle_of_280_approved_removals(departure: Departure) -> None:
    """300 leave, of whom 20 may; 280 are approved, and the operator dies after some 100 of them."""
    system, operator = departure.system, departure.system.installation.process
    tag, each, teams = "middle", 20, 15
    entra = system.connect(tag, {"guard": {"maxRemovals": 20, "maxPercent": 10, "window": "10m"}})
    grants = [{"clusterRole": "view", "namespaces": {"name": "{team}", "create": {}}}]
    system.put(
        "AccessPolicy", tag, spec={"groups": {"directory": tag, "displayName": "{team}"}, "grants": grants}
    )
    for team in range(teams):
        people = [f"p{team:02}{n:02}@{tag}.example.com" for n in range(each)]
        for name in people:
            entra.provision_user(Person(name, name, "Tester"))
        entra.provision_group(f"{tag}-{team:02}", people)
    becomes(partial(departure.holding, tag), teams * each, SECONDS)
    system.drop("AccessPolicy", tag)
    becomes(partial(departure.waiting, tag), (teams - 1) * each, SECONDS)
    becomes(partial(departure.holding, tag), (teams - 1) * each, SECONDS)

    departure.rest()
    # One write says what was approved; then each takes 20 away.
    departure.proxy.strike_at(1 + 100 // each, Moment.AFTER, operator.kill)
    system.approve(tag)
    assert departure.proxy.struck.wait(SECONDS)
    left = departure.holding(tag)
    assert 0 < left < (teams - 1) * each
    print(f"killed with {left} of 280 still to go")
    # Somebody takes the approval out of the spec again: it was recorded, and holds.
    system.specify("RemovalHold", tag, lambda _: {})
    operator.process.restart()
    becomes(partial(departure.holding, tag), 0, SECONDS)
    becomes(partial(departure.waiting, tag), 0, SECONDS)
