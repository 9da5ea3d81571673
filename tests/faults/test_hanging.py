"""Calls to the API server that get no answer at all, and watches that stay open and say nothing any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.entra import EntraClient, Exchange
from tests.eventually import becomes, eventually
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy
from tests.faults.system import OURS, RBAC, System

# What SCIM writes comes back by the watches; where it doesn't, the operator lists after 5 s.
MISSED = 20.0
# kopf waits for 70 s and the reflector for 75 s: the API server sends a bookmark every minute.
NOTICED = 90.0
LISTED_INSTEAD = "users and groups are listed instead"


@pytest.fixture(scope="module")
def system(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System.running(tmp_path_factory.mktemp("hanging"), values=["identityEditors={admin}"]) as system:
        yield system


@pytest.fixture(scope="module")
def proxy(system: System) -> Iterator[FaultProxy]:
    with FaultProxy(system.cluster) as proxy:
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        yield proxy


def writes_a_group(call: Call) -> bool:
    return call.method == "PUT" and "/scimgroups/" in call.path


def test_who_waits_behind_a_call_that_hangs_is_answered_soon(system: System, proxy: FaultProxy) -> None:
    entra = system.connect("hanging")
    made = entra.call("POST", "/Groups", {"displayName": "hanging"}).answer
    proxy.faults = [Fault(Kind.HANG, only=writes_a_group)]

    def change(number: int) -> tuple[Exchange, float]:
        began = time.monotonic()
        operation = {"op": "Replace", "path": f"urn:example:2.0:Group:n{number}", "value": number}
        answer = entra._once("PATCH", f"/Groups/{made['id']}", {"Operations": [operation]}, None)
        return answer, time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    proxy.faults = ()
    print("\nanswered after", sorted(round(seconds, 1) for _, seconds in answers), "s")
    assert {answer.status for answer, _ in answers} == {503}
    assert all(answer.headers["Retry-After"] for answer, _ in answers)
    assert max(seconds for _, seconds in answers) < 15
    answer, _ = change(0)
    assert answer.status == 200
    assert entra.call("GET", f"/Groups/{made['id']}").answer["urn:example:2.0:Group"]["n0"] == 0


@pytest.mark.long
def test_dead_watches_are_noticed(system: System, proxy: FaultProxy) -> None:
    entra = system.connect("silent")
    names = [f"p{number}@silent.example.com" for number in range(3)]
    ids = [provision(entra, name) for name in names]
    entra.call("POST", "/Groups", {"displayName": "silent", "members": [{"value": one} for one in ids]})
    grant = {"clusterRole": "view", "namespaces": {"name": "silent", "create": {}}}
    groups = {"directory": "silent", "displayName": "silent"}
    system.put("AccessPolicy", "silent", spec={"groups": groups, "grants": [grant]})
    becomes(lambda: subjects(system), names, 10)
    watched: set[str] = set()

    def noted(call: Call) -> bool:
        if call.watch:
            watched.add(call.path)
        return True

    proxy.faults = [Fault(Kind.SILENCE, seconds=1.0, only=noted)]
    system.installation.process.terminate()
    system.installation.start()
    eventually(lambda: watched, {f"{OURS}/scimusers", f"{OURS}/scimgroups"}.issubset, 30)
    time.sleep(2)  # all watches are open and dead
    proxy.faults = ()
    entra.set_active(names[0], False)
    print(f"\nall watches dead: a leaver was out after {time_until(system, names[1:], MISSED):.0f} s,")
    entra.delete("Users", names[1])
    print(f"one who was deleted after {time_until(system, names[2:], MISSED):.0f} s,")
    log = system.installation.process.log
    eventually(lambda: log.read_text().count(LISTED_INSTEAD), lambda times: times >= 2, MISSED)
    (user,) = [one for one in system.list(f"{OURS}/scimusers") if one["spec"]["id"] == ids[2]]
    system.admin.request("DELETE", f"{OURS}/scimusers/{user['metadata']['name']}")
    print(f"one whom SCIM didn't delete after {time_until(system, [], NOTICED):.0f} s")


def time_until(system: System, names: list[str], seconds: float) -> float:
    """How long it takes until these alone stand in the binding."""
    since = time.monotonic()
    becomes(lambda: subjects(system), names, seconds)
    return time.monotonic() - since


def provision(entra: EntraClient, name: str) -> str:
    entra.ids[name] = entra.call("POST", "/Users", {"userName": name}).answer["id"]
    return entra.ids[name]


def subjects(system: System) -> list[str]:
    bindings = system.list(f"{RBAC}/rolebindings", "scim-operator.io/directory=silent")
    return sorted(subject["name"] for item in bindings for subject in item.get("subjects") or ())
