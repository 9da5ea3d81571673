"""Killed and started again: the same access and the same identities as if nothing had happened."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.policies import apply, bindings, policy
from tests.entra import EntraClient, Exchange, Person
from tests.eventually import becomes, eventually
from tests.installation import Installation

Object = dict[str, Any]

TEAMS = ("red", "green", "blue")


@pytest.fixture
def running(operator: Installation) -> Iterator[Installation]:
    """Whatever a test does to the operator, the next one finds it running."""
    yield operator
    if not operator.process.is_alive:
        operator.start()


def _cycle(entra: EntraClient, tag: str, stop: threading.Event | None = None) -> None:
    """An initial cycle of 12 people in 3 groups, then an incremental one with a leaver and a mover."""
    people = [
        Person(f"p{i}@run.example.com", f"P{i}", "Tester", external_id=f"00000000-0000-0000-0000-{i:012}")
        for i in range(12)
    ]
    for person in people:
        entra.provision_user(person)
    for i, team in enumerate(TEAMS):
        members = [person.user_name for person in people[i * 4 : i * 4 + 4]]
        entra.provision_group(f"run-{team}-edit", members, external_id=f"group-{team}")
    entra.set_active("p0@run.example.com", False)
    entra.remove_members("run-green-edit", ["p4@run.example.com"])
    entra.add_members("run-blue-edit", ["p4@run.example.com"])
    entra.update_user("p5@run.example.com", {"name.familyName": "Renamed", "displayName": "P5 Renamed"})
    entra.delete("Users", "p11@run.example.com")
    if stop is not None:
        stop.set()


def _identities(operator: Installation, directory: str) -> Object:
    """Content of all users and groups of a directory, ids replaced by names, times left out."""
    found: Object = {}
    names = {}
    listed = {
        kind: [item for item in _list(operator, kind) if item["spec"]["directory"] == directory]
        for kind in ("scimusers", "scimgroups")
    }
    for kind, items in listed.items():
        for item in items:
            names[item["spec"]["id"]] = item["spec"].get("userName", item["spec"].get("displayName"))
            assert kind == "scimgroups" or item["spec"]["userName"]
    for kind, items in listed.items():
        for item in items:
            spec = {
                key: value for key, value in item["spec"].items() if key not in ("id", "meta", "directory")
            }
            # An id without a person is the deleted one's, which goes with the group's next write.
            spec["members"] = sorted(names[id_] for id_ in spec.get("members", []) if id_ in names)
            found[f"{kind}/{names[item['spec']['id']]}"] = spec
    return found


def _list(operator: Installation, kind: str) -> list[Object]:
    items: list[Object] = json.loads(operator.cluster.kubectl("get", kind, "-o", "json"))["items"]
    return items


def test_killed_in_the_middle_of_a_run_ends_as_an_undisturbed_one(running: Installation) -> None:
    cluster = running.cluster
    for directory in ("calm", "storm"):
        groups = policy(directory, directory, "run-{team}-{role}", namespace=f"{directory}-{{team}}")
        apply(cluster, groups)
    _cycle(running.client("calm"), "calm")

    done = threading.Event()
    kills = 0
    answers = itertools.count(1)

    def keep_pace(_: Exchange) -> None:
        """The run isn't over before it was disturbed three times."""
        due = min(next(answers) // 15, 3)
        eventually(lambda: kills, lambda seen: seen >= due, 60)

    entra = running.client("storm")
    entra.tell = keep_pace
    failed: list[BaseException] = []

    def provision() -> None:
        try:
            _cycle(entra, "storm", done)
        except BaseException as error:
            failed.append(error)
            done.set()

    run = threading.Thread(target=provision)
    run.start()
    moments = random.Random(7)
    while not done.wait(moments.uniform(0.01, 0.08)) and kills < 15:
        running.process.kill()
        kills += 1
        running.start()
    run.join(60)
    assert not failed, failed
    assert kills >= 3, "the run was over before it was disturbed"

    calm = {
        namespace.removeprefix("calm-"): people
        for (namespace, _), people in bindings(cluster, "calm").items()
    }
    assert calm.keys() == set(TEAMS)

    def storm() -> Object:
        return {
            namespace.removeprefix("storm-"): people
            for (namespace, _), people in bindings(cluster, "storm").items()
        }

    becomes(storm, calm)
    assert _identities(running, "storm") == _identities(running, "calm")


def test_what_changed_while_it_was_down_is_put_right(running: Installation) -> None:
    cluster = running.cluster
    for name in ("down-a", "down-b"):
        apply(cluster, policy(name, "access", f"{name}-*", role="view", namespace=name))
    entra = running.client("access")
    stays, goes = "stays@down.example.com", "goes@down.example.com"
    for user_name in (stays, goes):
        entra.provision_user(Person(user_name, "Down", "Tester"))
    for name in ("down-a", "down-b"):
        entra.provision_group(f"{name}-group", [stays, goes])
        becomes(partial(bindings, cluster, name), {(name, "view"): [goes, stays]})

    assert running.process.terminate(), "it should end by itself within the grace period"
    gone = entra.ids[goes]
    user = next(item for item in _list(running, "scimusers") if item["spec"]["id"] == gone)
    # Only the operator may; an admin who says to be it is one who may impersonate everybody.
    account = "--as=system:serviceaccount:scim-operator:scim-operator"
    cluster.kubectl("delete", "scimuser", user["metadata"]["name"], account)
    cluster.kubectl("delete", "accesspolicy", "down-b")
    assert bindings(cluster, "down-a") == {("down-a", "view"): [goes, stays]}, "nobody loses access by a stop"

    running.start()
    becomes(lambda: bindings(cluster, "down-a"), {("down-a", "view"): [stays]})
    becomes(lambda: bindings(cluster, "down-b"), {})
    assert cluster.can_list_pods(stays, "down-a") == 200
    assert cluster.can_list_pods(goes, "down-a") == 403
    cluster.kubectl("delete", "accesspolicy", "down-a")


def test_a_restart_without_changes_writes_nothing(running: Installation) -> None:
    before = _settled(running)
    running.process.terminate()
    running.start()
    assert _settled(running) == before


def _settled(running: Installation) -> set[tuple[str, str]]:
    """(name, resourceVersion) of all that the operator writes, once nothing moves any more."""
    seen: set[tuple[str, str]] = set()
    for _ in range(10):
        time.sleep(1.5)  # longer than statuses are held back
        now = {
            (item["metadata"]["name"], item["metadata"]["resourceVersion"]) for item in _everything(running)
        }
        if now == seen and running.is_idle():
            return now
        seen = now
    raise AssertionError("the operator goes on writing though nothing changes")


def _everything(running: Installation) -> list[Object]:
    bound = json.loads(
        running.cluster.kubectl(
            "get", "rolebindings", "-A", "-l", "app.kubernetes.io/managed-by=scim-operator", "-o", "json"
        )
    )
    return [*_list(running, "scimusers"), *_list(running, "scimgroups"), *bound["items"]]


def test_api_server_away(running: Installation) -> None:
    """Reads go on from memory, writes get 503 with Retry-After; all is well when it is back."""
    cluster = running.cluster
    entra = running.client("access")
    entra.provision_user(Person("away@example.com", "Away", "Tester"))
    api_server = cluster.processes["kube-apiserver"]
    api_server.kill()
    try:
        assert entra.get("Users", "away@example.com")["userName"] == "away@example.com"
        assert entra.find("Users", "userName", "nobody@example.com") is None
        body = {"schemas": [], "Operations": [{"op": "replace", "path": "active", "value": False}]}
        refused = entra._once("PATCH", f"/Users/{entra.ids['away@example.com']}", body, None)
        assert refused.status == 503
        assert refused.answer["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        api_server.restart()
        cluster.wait_ready()
    eventually(lambda: entra.set_active("away@example.com", False).status, lambda status: status == 200, 15)
    assert entra.get("Users", "away@example.com")["active"] is False


def test_leaver_right_after_an_outage(running: Installation) -> None:
    """Whoever watches is back as soon as the API server is, however long it was away."""
    cluster, name, person = running.cluster, "outage", "leaver@outage.example.com"
    apply(cluster, policy(name, "access", f"{name}-*", role="view", namespace=name))
    entra = running.client("access")
    entra.provision_user(Person(person, "Outage", "Tester"))
    entra.provision_group(f"{name}-group", [person])
    becomes(partial(bindings, cluster, name), {(name, "view"): [person]})
    api_server = cluster.processes["kube-apiserver"]
    api_server.kill()
    try:
        time.sleep(13)  # by then kopf's own pauses would have grown to 8 s
    finally:
        api_server.restart()
        cluster.wait_ready()
    eventually(lambda: entra.set_active(person, False).status, lambda status: status == 200, 15)
    becomes(lambda: cluster.can_list_pods(person, name), 403)
    # Tokens are watched too: a new one opens, and so a revoked one would not.
    new = running.client("access")
    becomes(lambda: new.test_connection().status, 200)
    cluster.kubectl("delete", "accesspolicy", name)
