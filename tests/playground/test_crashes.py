"""Whatever half of it a crash left: `make up` puts it right, `make down` ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.entra import EntraClient, Person
from tests.playground.checkout import Checkout, interrupt, wait_for_file

ALICE = "alice@example.com"


@pytest.fixture
def nothing(checkout: Checkout) -> Iterator[Checkout]:
    """Nothing of it is up, nor was left by the tests before, nor is left afterwards."""
    down(checkout)
    yield checkout
    down(checkout)


def down(checkout: Checkout) -> None:
    done = checkout.make("down")
    assert done.returncode == 0, done.stderr
    assert checkout.left() == []


def succeeds(checkout: Checkout) -> str:
    done = checkout.make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.shell("kubectl get scimdirectory entra && kill -0 $OPERATOR_PID").returncode == 0
    return done.stderr


# --- up already, by the test before; what a repair left behind, the end of all would show -------------------


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("kube-apiserver",), marks=pytest.mark.long),
        ("kube-controller-manager", "issuer"),
        ("kube-apiserver", "operator"),
    ],
)
def test_a_control_plane_that_lost_a_part_goes_on_with_its_people(
    checkout: Checkout, names: tuple[str, ...]
) -> None:
    succeeds(checkout)
    before, pids = checkout.env(), checkout.pids()
    EntraClient(before["SCIM_URL"], before["SCIM_TOKEN"]).provision_user(Person(ALICE, "Alice", "Nguyen"))
    for name in names:
        checkout.processes()[name].kill()
    said = succeeds(checkout)
    assert "afresh" not in said
    assert f"{names[0]} was gone: starting it again" in said
    after = checkout.env()
    assert {name: pid for name, pid in checkout.pids().items() if name not in names} == {
        name: pid for name, pid in pids.items() if name not in names
    }
    assert EntraClient(after["SCIM_URL"], after["SCIM_TOKEN"]).find("Users", "userName", ALICE) is not None
    token = checkout.make("-s", "token-for", f"USER={ALICE}").stdout.strip()
    assert ALICE in checkout.shell(f"kubectl --token {token} auth whoami").stdout


def test_without_its_etcd_a_control_plane_is_made_anew_and_says_what_is_lost(checkout: Checkout) -> None:
    succeeds(checkout)
    before = checkout.pids()
    checkout.processes()["etcd"].kill()
    said = succeeds(checkout)
    assert "starting afresh; people and policies in it are lost" in said
    assert "`. .cluster/env` again" in said
    assert not set(checkout.pids().values()) & set(before.values())


def test_after_a_restart_of_the_machine_strangers_have_the_pids(checkout: Checkout) -> None:
    succeeds(checkout)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            for name, process in checkout.processes().items():
                process.kill()
                file = checkout.state / "processes" / f"{name}.json"
                file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": stranger.pid}))
            succeeds(checkout)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_files_that_a_power_cut_tore(checkout: Checkout) -> None:
    succeeds(checkout)
    for process in checkout.processes().values():
        process.kill()
    for torn in ("cluster.json", "playground.json", "processes/operator.json"):
        (checkout.state / torn).write_text("")
    assert "people and policies in it are lost" in succeeds(checkout)


# --- from nothing ------------------------------------------------------------------------------------------


def test_two_at_once_make_one(nothing: Checkout) -> None:
    both = [nothing.start("make", "up") for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted("already up" in text for text in said) == [False, True]
    assert len(nothing.pids()) == 5


def test_ctrl_c_takes_down_what_was_started(nothing: Checkout) -> None:
    started = nothing.start("make", "up")
    wait_for_file(nothing.state / "processes" / "operator.json")
    printed = interrupt(started, signal.SIGINT)
    assert started.returncode != 0
    assert nothing.left() == [], printed


@pytest.mark.parametrize(
    "reached",
    [pytest.param("processes/etcd.json", marks=pytest.mark.long), "pods/operator/kubeconfig"],
)
def test_a_start_that_was_killed_is_done_again(nothing: Checkout, reached: str) -> None:
    started = nothing.start("make", "up")
    wait_for_file(nothing.state / reached)
    interrupt(started, signal.SIGKILL)
    succeeds(nothing)
    assert len(nothing.pids()) == 5


def test_a_bare_cluster_is_built_upon(nothing: Checkout, cluster: Cluster) -> None:
    bare = nothing.run(".venv/bin/python", "-m", "tests.cluster", "up")
    assert bare.returncode == 0, bare.stderr
    before = nothing.pids()
    elsewhere = nothing.make("up", f"KUBECONFIG={cluster.kubeconfig}")
    assert elsewhere.returncode != 0
    assert "still run" in elsewhere.stderr
    assert nothing.pids() == before
    succeeds(nothing)
    assert {name: pid for name, pid in nothing.pids().items() if name != "operator"} == before


def test_a_folder_of_others_is_left_alone(nothing: Checkout) -> None:
    nothing.state.mkdir()
    thesis = nothing.state / "thesis.txt"
    thesis.write_text("three years")
    assert nothing.make("up").returncode != 0
    assert nothing.make("down").returncode == 0
    assert thesis.read_text() == "three years"
    thesis.unlink()
    nothing.state.rmdir()
