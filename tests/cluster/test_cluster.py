"""The cluster keeps what the other tests take for granted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.client import CommandError
from tests.cluster.cluster import Cluster
from tests.cluster.process import Process, birth
from tests.cluster.waiting import ClusterError

ALICE = "alice@example.com"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for this file: some of these tests break it on purpose."""
    running = Cluster.start(tmp_path_factory.mktemp("own") / "state", tied=True)
    yield running
    running.stop()


def test_a_persons_token_is_that_person(cluster: Cluster) -> None:
    answer = cluster.whoami(cluster.person_token(ALICE, ["staff"]))
    assert answer.status == 201
    assert answer.body["status"]["userInfo"]["username"] == ALICE
    assert set(answer.body["status"]["userInfo"]["groups"]) == {"staff", "system:authenticated"}


@pytest.mark.parametrize(
    ("username", "groups"),
    [
        (ALICE, ["system:masters"]),
        ("system:serviceaccount:kube-system:generic-garbage-collector", []),
        ("", []),
    ],
)
def test_reserved_names_are_refused(cluster: Cluster, username: str, groups: list[str]) -> None:
    token = cluster.person_token(username, groups)
    assert cluster.request("GET", "/api/v1/secrets", token=token).status == 401


def test_an_expired_token_is_refused(cluster: Cluster) -> None:
    assert cluster.whoami(cluster.person_token(ALICE, seconds=-60)).status == 401


def test_another_clusters_token_is_refused(cluster: Cluster, second: Cluster) -> None:
    assert cluster.whoami(second.person_token(ALICE)).status == 401


def test_a_binding_opens_a_namespace(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "team-a")
    assert cluster.can_list_pods(ALICE, "team-a") == 403
    cluster.kubectl("create", "rolebinding", "a", "-n", "team-a", "--clusterrole=view", f"--user={ALICE}")
    assert cluster.can_list_pods(ALICE, "team-a") == 200
    assert cluster.can_list_pods("bob@example.com", "team-a") == 403
    assert cluster.can_list_pods(ALICE, "default") == 403


def test_kubectl_acts_as_the_tokens_owner(cluster: Cluster) -> None:
    who = json.loads(cluster.kubectl("auth", "whoami", "-o", "json", token=cluster.person_token(ALICE)))
    assert who["status"]["userInfo"]["username"] == ALICE
    with pytest.raises(CommandError, match="forbidden"):
        cluster.kubectl("get", "secrets", "-A", token=cluster.person_token(ALICE))
    assert "forbidden" in cluster.kubectl(
        "get", "nodes", check=False, token=cluster.service_account_token("default", "default")
    )


def test_the_users_own_set_up_takes_no_part(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "http://127.0.0.1:9"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, nowhere)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "KUBECONFIG"):
        monkeypatch.setenv(name, "/nowhere")
    assert Cluster.load(cluster.state).request("GET", "/readyz").status == 200
    assert "default" in cluster.kubectl("get", "namespaces", "-o", "name")
    assert cluster.helm("list", "-A", "-o", "json").strip() == "[]"


def test_programs_report_the_pinned_versions(cluster: Cluster) -> None:
    version = json.loads(cluster.kubectl("version", "-o", "json"))
    for side in ("clientVersion", "serverVersion"):
        assert version[side]["gitVersion"] == cluster.versions["kubectl"]
        assert f"v{version[side]['major']}.{version[side]['minor']}." in cluster.versions["kubectl"]
    assert cluster.helm("version", "--template", "{{.Version}}").strip() == cluster.versions["helm"]


def test_helm_accepts_a_chart_with_a_kube_version(cluster: Cluster, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    about = {"apiVersion": "v2", "name": "probe", "version": "1.0.0", "kubeVersion": ">=1.30.0-0"}
    (chart / "Chart.yaml").write_text(json.dumps(about))
    (chart / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: probe}\n"
        'data: {kube: "{{ .Capabilities.KubeVersion }}"}\n'
    )
    cluster.helm("install", "probe", str(chart))
    kube = cluster.kubectl("get", "configmap", "probe", "-o", "jsonpath={.data.kube}")
    assert kube == cluster.versions["kube-apiserver"]
    cluster.helm("uninstall", "probe")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster.start(tmp_path_factory.mktemp("second") / "state", tied=True)
    yield running
    running.stop()


def test_two_side_by_side_are_two_and_stop_alone(cluster: Cluster, second: Cluster) -> None:
    second.kubectl("create", "namespace", "only-here")
    assert "only-here" not in cluster.kubectl("get", "namespaces", "-o", "name")
    pids = [process.pid for process in second.processes.values()]
    assert len(pids) == 5
    # Another process, which knows the state folder alone, stops it.
    _command("down", second.state)
    assert [pid for pid in pids if _is_running(pid)] == []
    assert cluster.is_up
    assert cluster.request("GET", "/readyz").status == 200


def test_a_killed_test_run_leaves_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    code = (
        "import sys, time; from pathlib import Path; from tests.cluster.cluster import Cluster;"
        "Cluster.start(Path(sys.argv[1]), tied=True); print('up', flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        pids = [process.pid for process in Cluster.load(state).processes.values()]
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while left := [pid for pid in pids if _is_running(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.1)


def test_a_component_survives_a_restart(cluster: Cluster) -> None:
    for name in ("issuer", "kube-apiserver"):
        process = cluster.processes[name]
        process.kill()
        assert not cluster.is_up
        process.restart()
    cluster.wait_ready()
    assert cluster.whoami(cluster.person_token(ALICE)).status == 201


def test_a_start_that_fails_shows_why(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(ClusterError, match=r"kube-apiserver ended(.|\n)*no-such-flag") as caught:
        Cluster.start(state, tied=True, api_server_args=["--no-such-flag"])
    assert str(state / "logs" / "kube-apiserver.log") in str(caught.value)
    assert [p.name for p in Cluster.load(state).processes.values() if p.is_alive] == []


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(ClusterError, match="not empty"):
        Cluster.start(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_pid_that_passed_to_somebody_else_is_not_killed(tmp_path: Path) -> None:
    process = Process.start(tmp_path, "sleeper", ["sleep", "60"], environment={"PATH": os.defpath})
    record = json.loads((tmp_path / "processes" / "sleeper.json").read_text())
    process.kill()
    (tmp_path / "processes" / "sleeper.json").write_text(json.dumps(record | {"pid": os.getpid()}))
    stranger = Process.load(tmp_path / "processes" / "sleeper.json")
    assert not stranger.is_alive
    stranger.stop()


def _command(name: str, state: Path) -> str:
    command = [sys.executable, "-m", "tests.cluster", name, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _is_running(pid: int) -> bool:
    """Zombies of this test run's own children don't count: only their exit status is left."""
    if not birth(pid):
        return False
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")
