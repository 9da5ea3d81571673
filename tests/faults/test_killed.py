"""Killed at any write to the API server and started again: the same final state as if nothing had happened.

All runs share one control plane; each has a directory, names and a scenario of its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.e2e.replay import Replay
from tests.eventually import becomes
from tests.faults.killing import restarting
from tests.faults.proxy import FaultProxy, Moment
from tests.faults.scenario import KEPT, SECONDS, Kept, Scenario
from tests.faults.snapshot import Object, differences, directory_status, snapshot
from tests.faults.system import System

# Spread over the scenario's 60 or so.
SAMPLE = {Moment.BEFORE: (5, 31), Moment.AFTER: (18, 44)}


class Killer:
    """The operator behind the proxy: killed at a write, started again at once."""

    def __init__(self, system: System, proxy: FaultProxy) -> None:
        self.system = system
        self.proxy = proxy
        self.operator = system.installation.process
        self.wanted: Object = {}
        self.tags: list[str] = []

    def run(self, number: int = 0, moment: Moment = Moment.BEFORE) -> tuple[bool, Object, Replay, Scenario]:
        """One scenario with a kill at its write of that number (0: none).

        -> whether it came to that, the state at the end, what was to be seen meanwhile.
        """
        tag = f"run{len(self.tags):04}"
        self.tags.append(tag)
        scenario = Scenario(self.system, self.system.connect(tag), tag)
        replay = Replay(self.system.cluster)
        with restarting(self.operator, self.proxy):
            if number:
                self.proxy.strike_at(number, moment, self.operator.kill)
            scenario.run()
            found = self._settled(tag)
        return self.proxy.struck.is_set(), found, replay, scenario

    def _is_settled(self, found: Object, before: Object) -> bool:
        if self.wanted:
            return found == self.wanted
        return found == before and self.system.installation.is_idle()

    def _settled(self, tag: str) -> Object:
        """The state as soon as it is the one wanted; when none is known yet, once it stands still."""
        deadline = time.monotonic() + SECONDS
        before: Object = {}
        while True:
            found = snapshot(self.system, tag)
            if time.monotonic() > deadline or self._is_settled(found, before):
                return found
            before = found
            time.sleep(0.05 if self.wanted else 3)


@pytest.fixture(scope="module")
def killer(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with (
        System.running(tmp_path_factory.mktemp("killed")) as system,
        FaultProxy(system.cluster) as proxy,
    ):
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        killer = Killer(system, proxy)
        _, killer.wanted, replay, scenario = killer.run()
        assert lost(replay, scenario) == []
        yield killer


def lost(replay: Replay, scenario: Scenario) -> list[Kept]:
    """Who had to keep something, and was seen without it after they had got it."""
    moments = replay.moments()
    return [kept for kept in KEPT if _loses(kept, scenario.tag, moments)]


def _loses(kept: Kept, tag: str, moments: list[frozenset[tuple[str, str, str]]]) -> bool:
    names = {f"{name}@{tag}.example.com" for name in kept.names}
    namespace = kept.namespace and f"{tag}-{kept.namespace}"
    has = [any(subject in names and where == namespace for subject, _, where in held) for held in moments]
    assert True in has, f"{kept} was never there"
    return False in has[has.index(True) :]


def check(killer: Killer, number: int, moment: Moment) -> bool:
    """One run with a kill. -> False when there are fewer writes than that."""
    try:
        killed, found, replay, scenario = killer.run(number, moment)
    except AssertionError as error:
        raise AssertionError(f"killed at write {number}, {moment.value}: {error}") from error
    wrong = differences(found, killer.wanted)
    assert not wrong, f"killed at write {number}, {moment.value}:\n{wrong}"
    assert lost(replay, scenario) == [], f"killed at write {number}, {moment.value}"
    scenario.end()
    return killed


def check_directories(killer: Killer) -> None:
    """Those of all runs say the same; they have 10 s to."""

    def users() -> list[object]:
        return [directory_status(killer.system, tag).get("users") for tag in killer.tags]

    becomes(users, [4] * len(killer.tags), SECONDS)

    def different() -> list[object]:
        first, *others = (directory_status(killer.system, tag) for tag in killer.tags)
        return [status for status in others if status != first]

    becomes(different, [], SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("moment", Moment)
def test_killed_at_every_write(killer: Killer, moment: Moment) -> None:
    since = time.monotonic()
    count = next(number for number in itertools.count(1) if not check(killer, number, moment)) - 1
    print(f"\nkilled at each of {count} writes, {moment.value}: {time.monotonic() - since:.0f} s")
    assert count > 50
    check_directories(killer)


@pytest.mark.parametrize("moment", Moment)
def test_killed_at_some_writes(killer: Killer, moment: Moment) -> None:
    for number in SAMPLE[moment]:
        assert check(killer, number, moment)
    check_directories(killer)
