"""What stands in for the kubelet must not be kinder than a kubelet."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.deployment import expand, plan_pod
from tests.cluster.operator import OperatorProcess
from tests.cluster.ports import free_ports
from tests.cluster.process import processes
from tests.cluster.waiting import ClusterError

# Ready at the second question, and tells what it was given.
PROGRAM = """
import http.server, json, os, sys
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        self.send_response(200 if asked > 1 else 503)
        self.end_headers()
        told = {"environment": dict(os.environ), "arguments": sys.argv[1:], "folder": os.listdir()}
        self.wfile.write(json.dumps(told).encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster.start(tmp_path_factory.mktemp("operator") / "state", tied=True)
    yield running
    running.stop()


def deployment(port: int = 8081, **container: Any) -> dict[str, Any]:
    first = {
        "name": "probe",
        "image": "localhost/probe:1",
        "command": ["python"],
        "args": ["-c", PROGRAM, "--place=$(POD_NAMESPACE)/$(POD_NAME)", "$$(PORT)", "$(NOBODY)"],
        "env": [
            {"name": "PORT", "value": str(port)},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "ADDRESS", "value": "$(POD_NAME).local"},
        ],
        "ports": [{"name": "health", "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "health"}},
    }
    pod = {"serviceAccountName": "robot", "containers": [first | container]}
    labels = {"app": "probe"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "probe", "namespace": "robots"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_it_runs_as_the_live_deployment_says(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_TEST_RUN", "must not get in")
    (port,) = free_ports(1)
    cluster.kubectl("create", "namespace", "robots")
    cluster.kubectl("create", "serviceaccount", "robot", "-n", "robots")
    cluster.kubectl("apply", "-f", "-", input=json.dumps(deployment(port)))
    operator = OperatorProcess.from_deployment(cluster, "robots", "probe", {"EXTRA": "1"}, pod_name="robot-0")
    operator.start()
    operator.wait_ready(20)

    with urllib.request.urlopen(operator.url("health"), timeout=5) as response:
        told = json.loads(response.read())
    assert told["arguments"] == ["--place=robots/robot-0", "$(PORT)", "$(NOBODY)"]
    assert told["folder"] == []
    environment = told["environment"]
    assert environment["ADDRESS"] == "robot-0.local"
    assert environment["EXTRA"] == "1"
    assert "OF_THE_TEST_RUN" not in environment

    users = json.loads(Path(environment["KUBECONFIG"]).read_text())["users"]
    assert [list(user["user"]) for user in users] == [["token"]]
    who = cluster.whoami(users[0]["user"]["token"]).body["status"]["userInfo"]["username"]
    assert who == "system:serviceaccount:robots:robot"

    first = operator.pid
    operator.kill()
    assert not operator.is_alive
    operator.start()
    operator.wait_ready(20)
    assert operator.pid != first
    assert processes(cluster.state)["robot-0"].pid == operator.pid
    assert operator.terminate()


def test_an_operator_that_dies_shows_its_last_words(cluster: Cluster) -> None:
    dying = plan_pod(deployment(args=["-c", "raise SystemExit('no such setting')"]), "dying", "127.0.0.1")
    cluster.kubectl("create", "namespace", "mortals")
    plan = type(dying)(**{**vars(dying), "namespace": "mortals", "service_account": "default"})
    operator = OperatorProcess(cluster, plan, "dying", "127.0.0.1", {})
    operator.start()
    with pytest.raises(ClusterError, match=r"dying ended(.|\n)*no such setting"):
        operator.wait_ready(20)


@pytest.mark.parametrize(
    ("container", "complaint"),
    [
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "env A.*secretKey",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},
            "spec.nodeName",
        ),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, "envFrom"),
        ({"readinessProbe": {"httpGet": {"port": "helth"}}}, "'helth' is none of health"),
        ({"readinessProbe": {"exec": {"command": ["true"]}}}, "no httpGet"),
    ],
)
def test_what_cannot_be_done_is_an_error(container: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ClusterError, match=complaint):
        plan_pod(deployment(**container), "pod", "127.0.0.1")


def test_a_volume_with_content_is_an_error() -> None:
    document = deployment(volumeMounts=[{"name": "keys", "mountPath": "/keys"}])
    pod = document["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "keys", "emptyDir": {}}]
    plan_pod(document, "pod", "127.0.0.1")
    pod["volumes"] = [{"name": "keys", "secret": {"secretName": "my-keys"}}]
    assert plan_pod(document, "pod", "127.0.0.1").secrets == {"/keys": "my-keys"}
    pod["volumes"] = [{"name": "keys", "configMap": {"name": "keys"}}]
    with pytest.raises(ClusterError, match="volume keys at /keys"):
        plan_pod(document, "pod", "127.0.0.1")


def test_arguments_alone_go_to_the_images_entry_point() -> None:
    document = deployment(args=["run"])
    del document["spec"]["template"]["spec"]["containers"][0]["command"]
    assert plan_pod(document, "pod", "127.0.0.1").command == ["scim-operator", "run"]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded
