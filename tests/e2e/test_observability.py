"""What somebody sees who runs it: metrics, Events, a request followed through the log, probes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, policy
from tests.entra import EntraClient, Person
from tests.eventually import becomes, eventually
from tests.installation import NAMESPACE, Installation
from tests.test_metrics import documented

Object = dict[str, Any]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
STATUS_SECONDS = 40.0


@pytest.fixture
def running(operator: Installation) -> Iterator[Installation]:
    """Whatever a test does to the operator, the next one finds it running."""
    yield operator
    if not operator.process.is_alive:
        operator.start()


def scrape(operator: Installation) -> Samples:
    """As Prometheus does."""
    with urllib.request.urlopen(operator.process.url("metrics") + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    """One sample."""
    return samples.get((f"scim_operator_{metric}", frozenset(labels.items())))


def summed(samples: Samples, name: str, **labels: str) -> float:
    """All samples with these labels."""
    return sum(
        number
        for (found, having), number in samples.items()
        if found == f"scim_operator_{name}" and labels.items() <= dict(having).items()
    )


def probe(operator: Installation, path: str) -> tuple[int, str]:
    """A probe's status and text; (0, "") when nobody answers."""
    try:
        with urllib.request.urlopen(operator.process.url("health") + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def log(operator: Installation) -> list[Object]:
    """The operator's log, which holds one JSON object a line and nothing else."""
    return [json.loads(line) for line in operator.process.log.read_text().splitlines()]


def described(cluster: Cluster, kind: str, name: str) -> str:
    """What an admin looks at."""
    return cluster.kubectl("describe", kind, name)


# --- metrics -----------------------------------------------------------------------------------------------


def test_metrics_of_a_small_provisioning(operator: Installation, directory: str) -> None:
    cluster = operator.cluster
    apply(cluster, policy(directory, directory, "seen-*", role="view", namespace=directory))
    entra = operator.client(directory)
    before = scrape(operator)
    names = [f"p{n}@seen.example.com" for n in range(3)]
    for name in names:
        entra.provision_user(Person(name, "Seen", "Tester"))
    entra.provision_group("seen-group", names)
    entra.set_active(names[0], False)
    entra.set_active(names[0], False)
    becomes(lambda: bindings(cluster, directory), {(directory, "view"): names[1:]})
    entra._once("GET", "/Users", None, None)
    stranger = EntraClient(entra.url, "wrong")
    stranger._once("GET", "/Users", None, None)

    after = scrape(operator)
    count = {
        (resource, operation, status): value(
            after,
            "requests_total",
            directory=directory,
            resource=resource,
            operation=operation,
            status=status,
        )
        for resource, operation, status in (
            ("users", "create", "201"),
            ("users", "filter", "200"),
            ("users", "patch", "200"),
            ("users", "list", "200"),
            ("groups", "create", "201"),
            ("groups", "patch", "200"),
        )
    }
    assert count == {
        ("users", "create", "201"): 3,
        ("users", "filter", "200"): 3,
        ("users", "patch", "200"): 2,
        ("users", "list", "200"): 1,
        ("groups", "create", "201"): 1,
        ("groups", "patch", "200"): 3,
    }
    patched = {"directory": directory, "resource": "users", "operation": "patch"}
    assert value(after, "request_duration_seconds_count", **patched) == 2
    assert (
        summed(after, "authentications_refused_total", reason="unknown")
        == summed(before, "authentications_refused_total", reason="unknown") + 1
    )
    assert value(after, "users", directory=directory, active="true") == 2
    assert value(after, "users", directory=directory, active="false") == 1
    assert value(after, "groups", directory=directory) == 1
    assert value(after, "bindings", policy=directory) == 1
    last = value(after, "last_request_timestamp_seconds", directory=directory)
    assert last is not None
    assert abs(time.time() - last) < 10

    def written(resource: str, verb: str) -> float:
        labels = {"resource": resource, "verb": verb, "result": "ok"}
        return summed(after, "api_writes_total", **labels) - summed(before, "api_writes_total", **labels)

    assert written("scimusers", "create") == 3
    assert written("scimusers", "update") == 1
    assert written("scimgroups", "update") == 3
    assert written("rolebindings", "create") >= 1
    timed = {"resource": "scimusers", "verb": "create"}
    counts = [summed(samples, "api_write_duration_seconds_count", **timed) for samples in (before, after)]
    assert counts[1] - counts[0] == 3
    skipped = {"resource": "scimusers"}
    assert (
        summed(after, "api_writes_skipped_total", **skipped)
        == summed(before, "api_writes_skipped_total", **skipped) + 1
    )
    eventually(
        lambda: value(scrape(operator), "condition", kind="AccessPolicy", name=directory, type="Ready"),
        lambda ready: ready == 1,
    )
    eventually(lambda: summed(scrape(operator), "queue_depth", queue="places"), lambda depth: depth == 0)
    assert not [key for key in after if "seen.example.com" in str(key)]
    cluster.kubectl("delete", "accesspolicy", directory)


def test_table_of_metrics_names_the_labels_there_are(operator: Installation, directory: str) -> None:
    done = operator.command("token", "create", directory, "-n", NAMESPACE, "--expires", "30d")
    assert done.returncode == 0
    entra = operator.client(directory)
    entra.test_connection()
    entra.call("POST", "/Users", {"userName": f"big-feet@{directory}.example.com", "shoeSize": 50})
    EntraClient(entra.url, "wrong")._once("GET", "/Users", None, None)
    apply(operator.cluster, policy(directory, directory, "x-*", role="view", namespace=directory))
    eventually(
        lambda: value(scrape(operator), "condition", kind="AccessPolicy", name=directory, type="Ready"),
        lambda ready: ready == 1,
    )
    lock = {"apiVersion": "scim-operator.io/v1alpha1", "kind": "AccessLock", "metadata": {"name": directory}}
    spec = {"subject": "nobody@example.com", "reason": "has a time to end", "until": "2099-01-01T00:00:00Z"}
    apply(operator.cluster, {**lock, "spec": spec})
    eventually(
        lambda: value(scrape(operator), "next_end_timestamp_seconds", kind="AccessLock"),
        lambda end: end == datetime(2099, 1, 1, tzinfo=UTC).timestamp(),
    )
    told = documented()
    seen = set()
    for sample, labels in scrape(operator):
        name = re.sub("_(bucket|count|sum|created)$", "", sample) if sample not in told else sample
        if name in told:
            assert {key for key, _ in labels} - {"le"} == told[name][1], sample
            seen.add(name)
    assert told.keys() - seen <= {
        "scim_operator_events_left_out_total",
        "scim_operator_api_writes_skipped_total",
        # When a client asks for too much.
        "scim_operator_requests_throttled_total",
        "scim_operator_connections_hung_up_total",
    }
    operator.cluster.kubectl("delete", "accesspolicy,accesslock", directory)


def test_series_of_a_deleted_directory_end(operator: Installation, directory: str) -> None:
    entra = operator.client(directory)
    becomes(lambda: entra.test_connection().status, 200)
    assert [key for key in scrape(operator) if directory in str(key)]
    operator.cluster.kubectl("delete", "scimdirectory", directory)
    becomes(lambda: [key for key in scrape(operator) if directory in str(key)], [])


# --- Events ------------------------------------------------------------------------------------------------


def test_a_policys_trouble_and_its_end_are_events(operator: Installation, directory: str, name: str) -> None:
    cluster = operator.cluster
    entra = operator.client(directory)
    entra.provision_user(Person("event@example.com", "Event", "Tester"))
    entra.provision_group(f"{name}-g", ["event@example.com"])
    apply(cluster, policy(name, directory, f"{name}-*", role="cluster-admin", namespace=name))
    shown = eventually(
        lambda: described(cluster, "accesspolicy", name), lambda text: "Warning  RoleNotAllowed" in text
    )
    assert "grantableClusterRoles" in shown
    group = json.loads(cluster.kubectl("get", "scimgroups", "-o", "json"))["items"]
    (object_name,) = [
        item["metadata"]["name"] for item in group if item["spec"]["displayName"] == f"{name}-g"
    ]
    eventually(
        lambda: described(cluster, "scimgroup", object_name), lambda text: "Warning  RoleNotAllowed" in text
    )
    apply(cluster, policy(name, directory, f"{name}-*", role="view", namespace=name))
    eventually(
        lambda: cluster.kubectl("events", "--for", f"accesspolicy/{name}", "-n", "default"),
        lambda text: re.search(r"Normal\s+Ready\s", text) is not None,
        10,
    )
    listed = json.loads(cluster.kubectl("get", "events.v1.events.k8s.io", "-n", "default", "-o", "json"))
    told = [
        item for item in listed["items"] if item["regarding"]["kind"] == "AccessPolicy"
    ]  # the directory is
    mine = [item["reason"] for item in told if item["regarding"]["name"] == name]  # as the directory
    assert sorted(mine) == ["Ready", "RoleNotAllowed"], "each once"


def test_the_first_request_of_a_directory_is_an_event(operator: Installation, directory: str) -> None:
    entra = operator.client(directory)
    for _ in range(3):
        becomes(lambda: entra.test_connection().status, 200)
    shown = eventually(
        lambda: described(operator.cluster, "scimdirectory", directory),
        lambda text: "Normal  FirstRequest" in text,
        STATUS_SECONDS,
    )
    assert shown.count("FirstRequest") == 1
    assert "FirstRequest" in operator.cluster.kubectl(
        "events", "--for", f"scimdirectory/{directory}", "-n", "default"
    )


# --- log ---------------------------------------------------------------------------------------------------


def test_a_request_can_be_followed_through_the_log(operator: Installation, directory: str, name: str) -> None:
    cluster = operator.cluster
    apply(cluster, policy(name, directory, f"{name}-*", role="view", namespace=name))
    entra = operator.client(directory)
    entra.provision_user(Person("followed@example.com", "Followed", "Tester"))
    entra.provision_group(f"{name}-g", [])
    added = entra.add_members(f"{name}-g", ["followed@example.com"])
    becomes(lambda: bindings(cluster, name), {(name, "view"): ["followed@example.com"]})
    request_id = added.headers["X-Request-Id"]
    lines = [line for line in log(operator) if line.get("request_id") == request_id]
    (request,) = [line for line in lines if line["message"] == "request"]
    assert (request["directory"], request["operation"], request["status"]) == (directory, "patch", 200)
    (cause,) = [line for line in lines if line["message"] == "access is looked at again"]
    assert (cause["id"], cause["kind"]) == (entra.ids[f"{name}-g"], "ScimGroup")
    text = operator.process.log.read_text()
    assert "followed@example.com" not in text
    assert "followed-example-com" not in text, "the object's name is made of the person's"
    assert entra.token not in text


# --- probes ------------------------------------------------------------------------------------------------


def test_probes_of_a_healthy_operator(operator: Installation) -> None:
    assert probe(operator, "/livez") == (200, "ok\n")
    assert probe(operator, "/readyz") == (200, "ok leader\n")
    status, text = probe(operator, "/readyz?verbose")
    assert (status, text.splitlines()) == (
        200,
        [
            *("[+]lease ok", "[+]inputs ok", "[+]overdue ok", "[+]tokens ok", "[+]shutdown ok"),
            "readyz check passed",
        ],
    )


def test_not_ready_before_everything_is_listed(running: Installation) -> None:
    api_server = running.cluster.processes["kube-apiserver"]
    running.process.terminate()
    running.process.start()
    os.kill(api_server.pid, signal.SIGSTOP)  # before the operator has got to its first list
    try:
        eventually(lambda: probe(running, "/livez"), lambda answer: answer[0] == 200, 15)
        status, text = probe(running, "/readyz")
        assert status == 503
        assert "[-]lease failed: waiting to learn which replica leads" in text
        assert "[-]inputs failed: waiting for the first list of scimusers" in text
        assert "[-]tokens failed: waiting for the first list of token Secrets" in text
        time.sleep(1)
        assert probe(running, "/livez") == (200, "ok\n"), "a restart would not bring the API server back"
    finally:
        os.kill(api_server.pid, signal.SIGCONT)
    eventually(lambda: probe(running, "/readyz"), lambda answer: answer == (200, "ok leader\n"), 30)


def test_ready_and_alive_while_the_api_server_is_away(running: Installation) -> None:
    api_server = running.cluster.processes["kube-apiserver"]
    api_server.kill()
    try:
        for _ in range(20):
            assert probe(running, "/readyz") == (200, "ok leader\n"), "reads go on from memory"
            assert probe(running, "/livez") == (200, "ok\n")
            time.sleep(0.2)
    finally:
        api_server.restart()
        running.cluster.wait_ready()


def test_unready_from_sigterm_on_while_a_request_ends(running: Installation, directory: str) -> None:
    entra = running.client(directory)
    becomes(lambda: entra.test_connection().status, 200)
    body = json.dumps({"userName": "slow@example.com"}).encode()
    url = urlsplit(entra.url)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=20) as slow:
        head = (
            f"POST {url.path}/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {entra.token}\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        slow.sendall(head.encode())
        assert slow.recv(65536).startswith(b"HTTP/1.1 100 "), "it has begun"
        slow.sendall(body[:5])
        os.kill(running.process.pid, signal.SIGTERM)
        status, text = eventually(lambda: probe(running, "/readyz"), lambda answer: answer[0] != 200)
        assert status == 503
        assert "[-]shutdown failed: the operator is ending" in text
        assert probe(running, "/livez") == (200, "ok\n")
        slow.sendall(body[5:])
        answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert running.process.process.wait(10), "it ends by itself once the request has"
    said = [json.loads(line)["message"] for line in running.process.log.read_text().splitlines()]
    assert any(message.startswith("stopping: ") for message in said[-20:])
    assert said[-1] == "stopped"


def test_a_hanging_process_is_not_alive(running: Installation) -> None:
    """The kubelet restarts what doesn't answer; what hangs inside is in tests/reconcile/test_queue.py."""
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        assert probe(running, "/livez") == (0, "")
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    assert probe(running, "/livez") == (200, "ok\n")
