"""100 requests a second, ten leaders killed and three rolled; and the same while API calls fail."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from scim_operator import moments
from tests.cluster.cluster import Cluster
from tests.cluster.operator import OperatorProcess
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy
from tests.installation import NAMESPACE, Connection, Installation
from tests.replicas.comparing import assert_nothing_lost, at, under
from tests.replicas.load import Load
from tests.replicas.pods import another_pod, leader, lease, role
from tests.replicas.upheaval import End, end_leader, end_leaders, until_who_waits_is_answered

pytestmark = pytest.mark.long

ENDS = [End.KILL, End.CUT, End.CUT, End.ROLL] * 3 + [End.KILL]
# One way for each kill; each code where an API server gives it.
WAYS = [
    Fault(Kind.STATUS, 5.0, only=lambda call: call.method == "PUT", status=409),
    Fault(Kind.STATUS, 5.0, only=lambda call: call.method == "GET", status=410),
    *(Fault(Kind.STATUS, 5.0, status=status) for status in (429, 500, 503)),
    Fault(Kind.RESET, 5.0),
    Fault(Kind.RESET, 5.0, late=True),
    Fault(Kind.HANG, 5.0),
    Fault(Kind.CUT, 5.0, seconds=1.0),
    Fault(Kind.DELAY, 5.0, seconds=1.0),
]


async def test_ten_killed_and_three_rolled(
    operator: Installation, pods: list[OperatorProcess], load: Load
) -> None:
    before = lease(operator)["leaseTransitions"]
    await under(load, 100, lambda: end_leaders(pods, load, ENDS))
    await assert_nothing_lost(operator, load)
    assert load.cut, "nothing was under way at any leader that was killed"
    assert lease(operator)["leaseTransitions"] == before + len(ENDS), "and no other change of hands"


async def test_of_three_the_last_goes_on(
    operator: Installation, pods: list[OperatorProcess], load: Load
) -> None:
    """Each has answered who waited for it when it is killed: nobody waits more than 10 s for a leader."""
    third = another_pod(operator, "operator-c", "127.0.0.3")
    third.start()
    third.wait_ready()
    alive = [*pods, third]

    def until_one_is_left() -> None:
        while len(alive) > 1:
            leads = leader(alive, 60)
            until_who_waits_is_answered(load)
            alive.remove(leads)
            load.doomed.add(at(leads))
            load.targets.append(at(alive[0]))
            leads.kill()
        becomes(lambda: role(alive[0]), "leader", 60)

    try:
        await under(load, 30, until_one_is_left)
        await assert_nothing_lost(operator, load)
    finally:
        if third.is_alive:
            third.terminate()


@pytest.fixture
def proxy(cluster: Cluster, pods: list[OperatorProcess]) -> Iterator[FaultProxy]:
    """Between both pods and the API server."""
    with FaultProxy(cluster, name="replicas") as made:
        for pod in pods:
            if pod.is_alive:
                pod.terminate()
            pod.endpoint = made.endpoint
        yield made
        made.faults = ()
        for pod in pods:
            if pod.is_alive:
                pod.terminate()
            pod.endpoint = cluster.endpoint


async def test_ten_killed_while_api_calls_fail(
    operator: Installation, pods: list[OperatorProcess], proxy: FaultProxy, load: Load
) -> None:
    """A provider sees 503 then, and tries again under the same X-Request-Id."""
    load.patient = True

    def each_way() -> None:
        for way in WAYS:
            proxy.faults = (way,)
            end_leader(pods, load, End.KILL)
        proxy.faults = ()

    await under(load, 30, each_way)
    becomes(lambda: {role(pod) for pod in pods}, {"leader", "standby"})
    await assert_nothing_lost(operator, load)


async def test_a_leader_cut_off_from_the_api_server_is_none(
    operator: Installation, pods: list[OperatorProcess], load: Load
) -> None:
    """It lives, it is asked, what it had begun may still arrive: nothing of it comes through."""
    first, second = pods
    with FaultProxy(operator.cluster, name="cut-off") as proxy:
        first.terminate()
        first.endpoint = proxy.endpoint
        first.start()
        first.wait_ready()
        end_leader(pods, load, End.ROLL)
        assert role(first) == "leader"
        load.targets.append(at(second))

        def cut_off() -> None:
            proxy.faults = (Fault(Kind.HANG),)
            becomes(lambda: role(second), "leader", 60)
            headers = {"Authorization": f"Bearer {load.token}"}
            request = urllib.request.Request(f"{at(first)}/Users/{uuid4()}", None, headers, method="DELETE")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            assert (refused.value.code, "Retry-After" in refused.value.headers) == (503, True)
            time.sleep(2)
            proxy.faults = ()
            becomes(lambda: role(first), "standby", 60)

        await under(load, 20, cut_off)
        await assert_nothing_lost(operator, load)
        first.terminate()
        first.endpoint = operator.cluster.endpoint


Parts = tuple[OperatorProcess, OperatorProcess]


@contextmanager
def deaf(
    operator: Installation, parts: Parts, connection: Connection, name: str
) -> Iterator[tuple[FaultProxy, urllib.request.Request]]:
    """The standby's watches are dead, and it knows somebody as disabled who is active again.

    -> what it reaches the API server through, and a request for them.
    """
    leads, stands_by = parts
    entra = EntraClient(at(leads), connection.token)
    person = Person(f"{name}@load.example.com", "Dee", "Deaf")
    entra.provision_user(person)
    entra.set_active(person.user_name, False)
    with FaultProxy(operator.cluster, name=name) as proxy:
        proxy.faults = (Fault(Kind.SILENCE),)
        stands_by.terminate()
        stands_by.endpoint = proxy.endpoint
        stands_by.start()
        stands_by.wait_ready()
        entra.set_active(person.user_name, True)
        url = f"{at(stands_by)}/Users/{entra.ids[person.user_name]}"
        yield proxy, urllib.request.Request(url, headers={"Authorization": f"Bearer {connection.token}"})
        proxy.faults = ()
        becomes(lambda: role(stands_by), "leader", 60)
        stands_by.terminate()
        stands_by.endpoint = operator.cluster.endpoint


def lists_users(call: Call) -> bool:
    return call.path.endswith("/scimusers") and not call.watch


def test_a_standby_whose_watches_are_dead_shows_nothing_old(
    operator: Installation, parts: Parts, connection: Connection
) -> None:
    """While nobody leads it answers, and of what it takes for done an identity provider does nothing."""
    leads, stands_by = parts
    with deaf(operator, parts, connection, "deaf") as (proxy, request):
        proxy.faults = (*proxy.faults, Fault(Kind.STATUS, only=lists_users, status=500))
        leads.kill()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert (refused.value.code, "Retry-After" in refused.value.headers) == (503, True)
        proxy.faults = ()
        becomes(lambda: role(stands_by), "leader", 60)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["active"] is True


def test_a_standby_that_reaches_no_leader_lists_before_it_answers(
    operator: Installation, parts: Parts, connection: Connection
) -> None:
    """Whoever holds the Lease is out of its reach."""
    leads, stands_by = parts
    with deaf(operator, parts, connection, "far") as (_, request):
        leads.kill()
        give_the_lease_to(operator.cluster, "elsewhere|127.0.0.99", 600)  # an address where nobody answers
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert json.load(answer)["active"] is True
            assert role(stands_by) == "standby"
        finally:
            give_the_lease_to(operator.cluster, "", 6)


def give_the_lease_to(cluster: Cluster, holder: str, seconds: int) -> None:
    """As if it were renewed in this moment, for so long; nobody: it is free."""
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "renewTime": moments.microseconds(),
    }
    patch = json.dumps({"spec": spec})
    cluster.kubectl("patch", "lease", "scim-operator", "-n", NAMESPACE, "--type=merge", "-p", patch)
