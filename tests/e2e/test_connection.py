"""`helm test` plays Entra's Test Connection; an admin does so by `scim-operator test-connection`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.ports import free_ports
from tests.hooks import helm_while, run_to_its_end
from tests.installation import DIRECTORIES, NAMESPACE, Installation

Object = dict[str, Any]
NAME = "scim-operator-test-connection"
SELECTOR = f"app.kubernetes.io/name={NAME}"


@pytest.fixture
def nothing_left(operator: Installation) -> Callable[[], list[str]]:
    """What there is of the test: none of its rights, none of its tokens."""

    def left() -> list[str]:
        kinds = "serviceaccounts,roles,rolebindings,pods"
        found = operator.cluster.kubectl("get", kinds, "-n", NAMESPACE, "-l", SELECTOR, "-o", "name")
        return [*found.split(), *(name for name in secrets(operator) if "test-connection" in name)]

    return left


def secrets(operator: Installation) -> list[str]:
    return operator.cluster.kubectl("get", "secrets", "-n", NAMESPACE, "-o", "name").split()


def service(port: int) -> dict[str, str]:
    """What a kubelet tells of the operator's Service. Its port is 80; pods have their own here."""
    return {"SCIM_OPERATOR_SERVICE_HOST": "127.0.0.1", "SCIM_OPERATOR_SERVICE_PORT": str(port)}


def helm_test(operator: Installation, port: int) -> tuple[str, subprocess.CompletedProcess[str]]:
    """What helm said, and what its pod did that found the operator at this port."""
    ended: list[subprocess.CompletedProcess[str]] = []

    def play(pod: Object) -> None:
        ended.append(run_to_its_end(operator.cluster, pod, service(port)))

    said = helm_while(operator.cluster, ("test", NAMESPACE, "-n", NAMESPACE), SELECTOR, play)
    return said, ended[0]


def test_helm_test_tries_every_directory_and_leaves_nothing(
    operator: Installation, nothing_left: Callable[[], list[str]]
) -> None:
    before = secrets(operator)
    said, ended = helm_test(operator, operator.process.port("scim"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Phase:          Succeeded" in said
    # Refused without a token, and let in with one.
    assert ended.stdout.count("ok     http://127.0.0.1:") == 2 * len(DIRECTORIES)
    assert secrets(operator) == before
    assert nothing_left() == []


def test_helm_test_that_fails_says_why_and_leaves_its_log_alone(
    operator: Installation, nothing_left: Callable[[], list[str]]
) -> None:
    (nowhere,) = free_ports(1)
    said, ended = helm_test(operator, nowhere)
    assert ended.returncode == 1
    assert f"FAILED http://127.0.0.1:{nowhere}/scim/v2/{DIRECTORIES[0]}\n  nobody answers (" in ended.stdout
    assert "kubectl get pods" in ended.stdout
    assert "failed" in said.lower()
    assert nothing_left() == [f"pod/{NAME}"]
    operator.cluster.kubectl("delete", "pod", NAME, "-n", NAMESPACE, "--force")


def test_an_admin_tries_the_directorys_own_url(operator: Installation) -> None:
    done = operator.command("test-connection", "scim", "-n", NAMESPACE, "-o", "json")
    assert done.returncode == 0, done.stderr
    url = f"{operator.process.url('scim')}/scim/v2/scim"
    found = {"directory": "scim", "url": url, "problem": ""}
    assert json.loads(done.stdout) == {"findings": [found, found]}


def test_without_a_directory_only_the_refusal_is_tried(operator: Installation) -> None:
    url = operator.process.url("scim")
    done = operator.command("test-connection", "--url", url, "-n", NAMESPACE)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"ok     {url}/scim/v2/any",
            "No directory was named, so no token was tried: a connection can't be told to work.",
        ],
    )


def test_what_is_no_scim_endpoint_is_told(operator: Installation) -> None:
    url = operator.process.url("health")
    done = operator.command("test-connection", "scim", "--url", url, "-n", NAMESPACE)
    assert done.returncode == 1
    assert "something else answers there" in done.stdout
