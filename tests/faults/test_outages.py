"""The API server and etcd stop, restart and come back older, under a provisioning load.

Reads go on from memory; writes are told to come back, and do; nothing is lost, nothing is there twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from scim_operator.kube.lease import RENEW_DEADLINE
from tests.e2e.replay import Replay
from tests.entra import Person
from tests.eventually import becomes, eventually
from tests.faults.asking import Asker, Endpoint, Try
from tests.faults.killing import deployed
from tests.faults.load import Load, access
from tests.faults.outages import resident, rewound, without
from tests.faults.system import System


@pytest.fixture(scope="module")
def system(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System.running(tmp_path_factory.mktemp("outages")) as system:
        system.installation.start()
        yield system


def loaded(system: System, directory: str, rate: float = 40.0) -> Load:
    """A load on a directory of its own, not begun yet."""
    entra = system.connect(directory)
    load = Load([Endpoint(entra.url, entra.token)], directory, rate=rate, patience=200)
    load.policy(system)
    return load


def reads_go_on(load: Load, endpoint: Endpoint, seconds: float) -> int:
    """For so long everybody and somebody is asked for, and is there. -> how often"""
    tries: list[Try] = []
    asker = Asker([endpoint], tries.append, patience=1)
    (known, *_), over = load.expected.living(), time.monotonic() + seconds
    while time.monotonic() < over:
        assert asker.ask("GET", f"/Groups/{load.expected.ids[load.expected.groups[0]]}").status == 200
        assert asker.ask("GET", "/Users", count="1").body["totalResults"] > 0
        found = asker.ask("GET", "/Users", filter=f'userName eq "{known.name}"')
        assert found.status == 200
        time.sleep(0.2)
    asker.close()
    assert {one.status for one in tries} == {200}
    return len(tries)


def api_server_away(system: System, directory: str, seconds: float) -> None:
    load = loaded(system, directory)
    entra = system.installation.process
    endpoint = load.endpoints[0]
    with load:
        time.sleep(3)
        before = resident(entra.pid)
        gone = time.monotonic()
        with without(system.cluster, "kube-apiserver"):
            reads = reads_go_on(load, endpoint, seconds)
            grown = resident(entra.pid) - before
            assert_nobody_is_said_to_be_missing(endpoint)
            returns = time.monotonic()
        back = time.monotonic()
        eventually(lambda: load.tries[-1].status in (200, 201, 204), bool, 10)
        time.sleep(10)
    meanwhile = [one for one in load.tries if gone < one.began < back]
    refused = [one for one in meanwhile if one.status == 503]
    assert refused
    assert all(one.retry_after for one in refused)
    without_leader = [one for one in meanwhile if gone + RENEW_DEADLINE + 1 < one.began < returns]
    assert {one.status for one in without_leader} <= {200, 503}
    assert {one.status for one in load.tries} <= {200, 201, 204, 404, 503}
    late = [one for one in load.tries if one.status == 503 and one.began > back + 10]
    assert late == []
    load.check(system, 10)
    slowest = max(one.seconds for one in meanwhile)
    print(
        f"\nAPI server away for {back - gone:.0f} s: {reads} reads answered, {len(refused)} tries told to"
        f" come back, the slowest after {slowest:.1f} s; memory {before:.0f} MiB, {grown:+.1f}"
    )
    assert grown < 40
    assert slowest < 12


def assert_nobody_is_said_to_be_missing(endpoint: Endpoint) -> None:
    """That is for a leader to say: rule 6."""
    tries: list[Try] = []
    asker = Asker([endpoint], tries.append, patience=0)
    for path, query in (
        ("/Users/nobody", {}),
        ("/Users", {"filter": 'userName eq "nobody"'}),
        ("/Groups", {"filter": 'displayName eq "nobody"', "excludedAttributes": "members"}),
    ):
        with pytest.raises(TimeoutError):
            asker.ask("GET", path, None, **query)
    asker.close()
    assert {(one.status, bool(one.retry_after)) for one in tries} == {(503, True)}


def test_api_server_is_away(system: System) -> None:
    api_server_away(system, "away", 20)


@pytest.mark.long
def test_api_server_is_away_for_two_minutes(system: System) -> None:
    api_server_away(system, "away-long", 120)


def test_etcd_and_api_server_restart_under_load(system: System) -> None:
    load = loaded(system, "restarts")
    with load, deployed(system.installation.process):
        for names in (("etcd",), ("kube-apiserver",), ("etcd", "kube-apiserver")):
            time.sleep(3)
            with without(system.cluster, *names):
                time.sleep(1)
        time.sleep(3)
    load.check(system)
    assert {one.status for one in load.tries} <= {200, 201, 204, 404, 503}
    print(f"\nrestarts: {dict(load.statuses())}, most tries {load.most_tries()}")


@pytest.mark.parametrize("bump", [0, pytest.param(2000, marks=pytest.mark.long)])
def test_etcd_is_restored_to_an_older_state(system: System, bump: int) -> None:
    """With a bump revisions run ahead, so that by them alone nobody can tell."""
    name = f"restored-{bump}"
    load = loaded(system, name)
    with load:
        time.sleep(5)
    load.check(system)
    entra = system.connect(f"after-{bump}")
    operator = system.installation.process
    before, began = operator.pid, operator.log.stat().st_size
    kept = access(system, name)
    with deployed(operator):
        with rewound(system.cluster, bump):
            operator_answers(load)
            hundred_writes(load)
        since = time.monotonic()
        replay = Replay(system.cluster)
        becomes(lambda: is_as_answered(load, system), True, 60)
        print(f"\nrestored: the index follows within {time.monotonic() - since:.1f} s")
    assert operator.pid != before
    becomes(lambda: access(system, name), kept, 10)
    for moment in replay.moments():
        held = {(name, space) for name, _, space in moment}
        assert {(name, space) for space, names in kept.items() for name in names} <= held
    assert "the cluster was restored to an older state" in operator.log.read_text()[began:]
    entra.provision_user(Person("later@after.example.com", "La", "Ter"))


def operator_answers(load: Load) -> None:
    """The snapshot is taken with everything stopped: writes are possible again."""
    asker = Asker(load.endpoints, lambda _: None, patience=60)
    person = load.expected.living()[0]
    assert asker.ask("PUT", f"/Users/{person.id}", person.document()).status == 200
    asker.close()


def hundred_writes(load: Load) -> None:
    """Of which nobody will know: people come, change, leave and go."""
    asker = Asker(load.endpoints, lambda _: None, patience=60)
    people = load.expected.living()
    for number in range(40):
        made = asker.ask("POST", "/Users", {"userName": f"lost{number}@restored.example.com"})
        assert made.status == 201, made
    for person in people[:20]:
        assert asker.ask("PUT", f"/Users/{person.id}", {**person.document(), "active": False}).status == 200
    for person in people[20:40]:
        assert asker.ask("PUT", f"/Users/{person.id}", {**person.document(), "title": "x"}).status == 200
    for person in people[40:60]:
        assert asker.ask("DELETE", f"/Users/{person.id}").status == 204
    asker.close()


def is_as_answered(load: Load, system: System) -> bool:
    """Whether SCIM tells of the state of the snapshot, by the same ids."""
    try:
        load.check_records(system)
    except (AssertionError, TimeoutError, KeyError):
        return False
    return True
