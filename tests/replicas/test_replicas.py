"""Two replicas of the chart's Deployment: what one is asked the other answers, and nothing is lost."""

from __future__ import annotations

import json
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections import Counter
from functools import partial

import pytest

from tests.cluster.operator import OperatorProcess
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.heard import Object, read
from tests.installation import NAMESPACE, Connection, Installation
from tests.replicas.comparing import DIRECTORY, assert_nothing_lost, at, under
from tests.replicas.load import Load
from tests.replicas.pods import lease, lines, role


def test_a_standby_passes_on_and_says_so(
    operator: Installation, parts: tuple[OperatorProcess, OperatorProcess], connection: Connection
) -> None:
    leads, stands_by = parts
    assert (role(leads), role(stands_by)) == ("leader", "standby")
    assert lease(operator)["holderIdentity"] == f"{leads.name}|{leads.plan.environment['POD_IP']}"
    began = stands_by.log.stat().st_size, leads.log.stat().st_size
    told = told_by(stands_by), told_by(leads)
    counts = counted(stands_by), counted(leads)
    entra = EntraClient(at(stands_by), connection.token)
    entra.provision_user(Person("passed-on@load.example.com", "Pat", "Hop"))
    answer = entra.call("GET", f"/Users/{entra.ids['passed-on@load.example.com']}")
    assert answer.status == 200
    # The links are those of the provider's URL, not of the hop.
    assert answer.answer["meta"]["location"].startswith(f"{operator.process.url('scim')}/")
    (here,) = (line for line in lines(stands_by, "request", began[0]) if line["operation"] == "get")
    (made,) = (line for line in lines(stands_by, "request", began[0]) if line["operation"] == "create")
    (there,) = (line for line in lines(leads, "request", began[1]) if line["operation"] == "get")
    assert here["leader"] == leads.plan.environment["POD_IP"]
    assert here["request_id"] == there["request_id"]
    assert "leader" not in there
    assert 'scim_operator_forwarded_requests_total{result="answered"}' in scraped(stands_by)
    assert counted(stands_by) == counts[0], "who answered counts"
    assert counted(leads) == counts[1] + 3, "look-up, creation, look-up"
    assert "scim_operator_leader 0.0" in scraped(stands_by)
    assert "scim_operator_leader 1.0" in scraped(leads)
    assert connection.token not in stands_by.log.read_text()
    assert told_by(stands_by) == told[0], "of the audit stream the leader alone is the author"
    (line,) = told_by(leads)[len(told[1]) :]
    assert (line["request"], line["after"]["userName"]) == (made["request_id"], "passed-on@load.example.com")


def told_by(pod: OperatorProcess) -> list[Object]:
    """What a pod told of users and groups in the audit stream."""
    told = map(read, pod.audit.read_text().splitlines())
    return [line for line in told if line["event"] == "identity"]


def scraped(pod: OperatorProcess) -> str:
    """Its metrics."""
    with urllib.request.urlopen(f"{pod.url('metrics')}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def counted(pod: OperatorProcess) -> float:
    """How many requests of the directory a pod has answered."""
    pattern = rf'^scim_operator_requests_total\{{directory="{DIRECTORY}".*\}} (.*)$'
    return sum(map(float, re.findall(pattern, scraped(pod), re.MULTILINE)))


def test_nobody_calls_the_internal_port_without_a_certificate(
    parts: tuple[OperatorProcess, OperatorProcess], connection: Connection
) -> None:
    leads, _ = parts
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"{leads.url('internal', 'https')}/scim/v2/{DIRECTORY}/Users",
        headers={"Authorization": f"Bearer {connection.token}"},
    )
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(request, timeout=5, context=context)


async def test_a_killed_leader_costs_no_request_of_the_other(
    operator: Installation, parts: tuple[OperatorProcess, OperatorProcess], load: Load
) -> None:
    leads, stands_by = parts
    before = lease(operator)["leaseTransitions"]
    await under(load, 20, leads.kill, lambda: becomes(lambda: role(stands_by), "leader", 30))
    await assert_nothing_lost(operator, load)
    assert lease(operator)["leaseTransitions"] == before + 1, "and no other change of hands"
    told = Counter((line["id"], line.get("version")) for pod in parts for line in told_by(pod))
    assert told.total() > 20
    assert max(told.values()) == 1, "no change is told twice, by whomever"


async def test_a_rolled_leader_hands_over_at_once(
    operator: Installation, parts: tuple[OperatorProcess, OperatorProcess], load: Load
) -> None:
    leads, _ = parts
    began = leads.log.stat().st_size
    await under(load, 20, lambda: _ended_by_itself(leads))
    await assert_nothing_lost(operator, load)
    # Others needn't wait for 6 s, as they do for a leader that vanished.
    assert lines(leads, "the Lease is held by nobody", began)


def _ended_by_itself(pod: OperatorProcess) -> None:
    assert pod.terminate(), "it had to be killed after its grace period"


def test_a_token_is_rotated_without_an_outage_and_refused_by_all_once_revoked(
    operator: Installation, parts: tuple[OperatorProcess, OperatorProcess]
) -> None:
    old, new = (made_token(operator) for _ in range(2))

    def statuses(token: str) -> list[int]:
        return [EntraClient(at(pod), token).test_connection().status for pod in parts]

    for made in (old, new):
        becomes(partial(statuses, made["token"]), [200, 200])
    stop = threading.Event()
    seen: list[int] = []

    def keep_asking() -> None:
        while not stop.is_set():
            seen.extend(statuses(new["token"]))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        revoked = operator.command("token", "revoke", old["secret"].partition("/")[2], "-n", NAMESPACE)
        assert revoked.returncode == 0, revoked.stderr
        becomes(lambda: statuses(old["token"]), [401, 401])
    finally:
        stop.set()
        asking.join()
    assert set(seen) == {200}


def made_token(operator: Installation) -> dict[str, str]:
    """As `scim-operator token create` prints it."""
    done = operator.command("token", "create", DIRECTORY, "-n", NAMESPACE, "-o", "json")
    assert done.returncode == 0, done.stderr
    made: dict[str, str] = json.loads(done.stdout)
    return made
