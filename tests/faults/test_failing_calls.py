"""5 % of the operator's calls to the API server fail, in one way after the other, under a provisioning load.

Nothing that was answered is lost or doubled, one retry suffices, and everybody's access is right at the end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.entra import Person
from tests.eventually import becomes
from tests.faults.asking import Endpoint
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.load import Load
from tests.faults.proxy import FaultProxy
from tests.faults.system import System

PERCENT = 5.0
WAYS = {
    **{str(code): Fault(Kind.STATUS, PERCENT, status=code) for code in (409, 410, 429, 500, 503)},
    "reset": Fault(Kind.RESET, PERCENT),
    "reset-late": Fault(Kind.RESET, PERCENT, late=True),
    "delay": Fault(Kind.DELAY, PERCENT, seconds=1.0),
}


@pytest.fixture(scope="module")
def failing(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, FaultProxy]]:
    with (
        System.running(tmp_path_factory.mktemp("failing")) as system,
        FaultProxy(system.cluster, seed=5) as proxy,
    ):
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        yield system, proxy


def under_load(
    failing: tuple[System, FaultProxy], directory: str, faults: list[Fault], seconds: float, rate: float
) -> Load:
    """A load of that long, whose calls fail; checked, and measured."""
    system, proxy = failing
    entra = system.connect(directory)
    load = Load([Endpoint(entra.url, entra.token)], directory, rate=rate)
    load.policy(system)
    pid = system.installation.process.pid
    with load:
        proxy.faults = faults
        time.sleep(seconds)
        proxy.faults = ()
    load.check(system)
    assert set(load.statuses()) <= {200, 201, 204, 404, 503}, load.statuses()
    assert all(one.retry_after for one in load.tries if one.status == 503)
    assert system.installation.process.pid == pid
    assert system.installation.process.is_alive
    print(
        f"\n{directory}: {len(load.tries)} requests, {dict(load.statuses())}, most tries {load.most_tries()}"
    )
    return load


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_one_call_in_twenty_fails(failing: tuple[System, FaultProxy], way: str) -> None:
    load = under_load(failing, f"way-{way}", [WAYS[way]], 15, 100)
    assert load.most_tries() <= 2


def test_calls_fail_in_every_way(failing: tuple[System, FaultProxy]) -> None:
    """Any of them at 5 %: every third call fails in some way."""
    under_load(failing, "ways", list(WAYS.values()), 10, 30)


class Once:
    """The first change of each path, of a namespace or a guard's ledger; and all calls that were seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def of(self, path: str) -> list[str]:
        """The methods of the first two calls of a path."""
        return [method for method, asked in self.seen if asked == path][:2]

    def __call__(self, call: Call) -> bool:
        asked = call.method, call.path.removesuffix("/status")
        first = call.method == "PATCH" and asked not in self.seen
        self.seen.append(asked)
        return first and bool(re.search(r"/(namespaces|removalholds)/[^/]+$", asked[1]))


def test_who_was_not_the_first_reads_again(failing: tuple[System, FaultProxy]) -> None:
    """A namespace or a ledger that somebody else changed is looked at before it is written."""
    system, proxy = failing
    entra = system.connect("second", {"guard": {"maxRemovals": 20}})
    entra.provision_user(Person("ada@second.example.com", "Ada", "Tester", external_id="second-ada"))
    entra.provision_group("second-a", ["ada@second.example.com"])
    Load([], "second").policy(system)
    becomes(lambda: system.cluster.can_list_pods("ada@second.example.com", "second-a"), 200)
    calls = Once()
    proxy.faults = [Fault(Kind.STATUS, only=calls, status=409)]
    system.cluster.kubectl("label", "namespace", "second-a", "scim-operator.io/policy-")
    entra.remove_members("second-a", ["ada@second.example.com"])
    for path in ("/api/v1/namespaces/second-a", "/apis/scim-operator.io/v1alpha1/removalholds/second"):
        becomes(partial(calls.of, path), ["PATCH", "GET"])
    proxy.faults = ()
    becomes(lambda: system.cluster.can_list_pods("ada@second.example.com", "second-a"), 403)
