"""Calls to the API server that get no answer at all, and watches that stay open and say nothing any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.entra import EntraClient, Exchange
from tests.eventually import becomes
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy
from tests.faults.system import OURS, RBAC, System

# kopf waits for 70 s and the reflector for 75 s: the API server sends a bookmark every minute.
NOTICED = 90.0


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
    ids = [provision(entra, number) for number in range(2)]
    entra.call("POST", "/Groups", {"displayName": "silent", "members": [{"value": one} for one in ids]})
    grant = {"clusterRole": "view", "namespaces": {"name": "silent", "create": {}}}
    groups = {"directory": "silent", "displayName": "silent"}
    system.put("AccessPolicy", "silent", spec={"groups": groups, "grants": [grant]})
    becomes(lambda: subjects(system), ["p0@silent.example.com", "p1@silent.example.com"], 10)
    proxy.faults = [Fault(Kind.SILENCE, seconds=1.0)]
    system.installation.process.terminate()
    system.installation.start()
    time.sleep(3)  # all watches are open and dead
    proxy.faults = ()
    since = time.monotonic()
    entra.set_active("p0@silent.example.com", False)
    becomes(lambda: subjects(system), ["p1@silent.example.com"], NOTICED)
    print(f"\nall watches dead: a leaver was out after {time.monotonic() - since:.0f} s")
    (user,) = [one for one in system.list(f"{OURS}/scimusers") if one["spec"]["id"] == ids[1]]
    system.admin.request("DELETE", f"{OURS}/scimusers/{user['metadata']['name']}")
    becomes(lambda: subjects(system), [], 10)


def provision(entra: EntraClient, number: int) -> str:
    name = f"p{number}@silent.example.com"
    entra.ids[name] = entra.call("POST", "/Users", {"userName": name}).answer["id"]
    return entra.ids[name]


def subjects(system: System) -> list[str]:
    bindings = system.list(f"{RBAC}/rolebindings", "scim-operator.io/directory=silent")
    return sorted(subject["name"] for item in bindings for subject in item.get("subjects") or ())
