"""`make up` and what it leaves: a system to try things on, found again by every later command."""

from __future__ import annotations

import json
import re
import time
import urllib.request

import pytest

from tests.cluster.ports import listens
from tests.entra import EntraClient, Person
from tests.playground.checkout import Checkout

NAMES = ("KUBECONFIG", "SCIM_URL", "SCIM_TOKEN", "OPERATOR_PID", "METRICS_URL", "HEALTH_URL")
ALICE = "alice@example.com"


def entra(up: Checkout) -> EntraClient:
    env = up.env()
    return EntraClient(env["SCIM_URL"], env["SCIM_TOKEN"])


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as response:
        text: str = response.read().decode()
    return text


def test_the_env_file_is_plain_and_private(up: Checkout) -> None:
    file = up.state / "env"
    lines = file.read_text().splitlines()
    for name in NAMES:
        assert len([line for line in lines if re.match(rf"{name}=\S+$", line)]) == 1, name
    for private in (file, up.state / "playground.json", up.state / "admin.kubeconfig"):
        assert private.stat().st_mode & 0o777 == 0o600
    env = up.env()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/scim/v2/entra", env["SCIM_URL"])
    assert env["OPERATOR_PID"] == str(up.pids()["operator"])
    assert "python_info" in get(env["METRICS_URL"])
    assert "ok" in get(f"{env['HEALTH_URL']}/readyz")


def test_a_shell_that_sourced_it_has_the_clusters_programs(up: Checkout) -> None:
    done = up.shell("kubectl get scim && kubectl auth whoami")
    assert done.returncode == 0, done.stderr
    for shown in ("scimdirectory.scim-operator.io/entra", "accesspolicy.scim-operator.io/teams"):
        assert shown in done.stdout
    for program in ("kubectl", "helm", "scim-operator"):
        assert up.shell(f"command -v {program}").stdout == f"{up.state}/bin/{program}\n"
    assert "admin@example.com" in done.stdout
    assert "scim-operator" in up.shell("helm list -A").stdout


def test_up_again_does_nothing_quickly(up: Checkout) -> None:
    before = up.pids()
    assert len(before) == 5
    began = time.monotonic()
    done = up.make("up", KUBECONFIG="/of/the/environment", CLUSTER="kind")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 10
    assert "already up" in done.stderr
    assert ". .cluster/env" in done.stdout
    assert up.pids() == before


def test_a_persons_token_alone_is_printed(up: Checkout) -> None:
    done = up.make("-s", "token-for", f"USER={ALICE}")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)
    who = up.shell(
        f"kubectl --token={done.stdout.strip()} auth whoami -o jsonpath='{{.status.userInfo.username}}'"
    )
    assert who.stdout == ALICE


def test_a_token_with_groups(up: Checkout) -> None:
    done = up.make("-s", "token-for", f"USER={ALICE}", "GROUPS=it's-a,b c")
    assert done.returncode == 0, done.stderr
    who = up.shell(
        f"kubectl --token={done.stdout.strip()} auth whoami -o jsonpath='{{.status.userInfo.groups}}'"
    )
    assert json.loads(who.stdout) == ["it's-a", "b c", "system:authenticated"]


@pytest.mark.parametrize("words", [("token-for",), ("-s", "token-for", "USER=")])
def test_the_shells_own_user_is_nobodys_token(up: Checkout, words: tuple[str, ...]) -> None:
    done = up.make(*words)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "make -s token-for USER=alice@example.com" in done.stderr


def test_a_killed_operator_is_started_again_and_nothing_is_lost(up: Checkout) -> None:
    before, pids = up.env(), up.pids()
    assert "Directory `entra` has no people yet." in up.make("up").stdout
    entra(up).provision_user(Person("kept@example.com", "Ke", "Pt"))
    up.processes()["operator"].kill()
    done = up.make("up")
    assert done.returncode == 0, done.stderr
    assert "Directory `entra` has one person." in done.stdout
    after = up.env()
    assert after["OPERATOR_PID"] != before["OPERATOR_PID"]
    changed = {name for name in NAMES if after[name] != before[name]}
    assert changed == {"OPERATOR_PID"}
    assert {**up.pids(), "operator": 0} == {**pids, "operator": 0}
    assert entra(up).find("Users", "userName", "kept@example.com") is not None


def test_another_place_is_refused_while_this_one_is_up(up: Checkout) -> None:
    done = up.make("up", f"KUBECONFIG={up.state / 'kubeconfig'}")
    assert done.returncode != 0
    assert "make down" in done.stderr
    assert entra(up).test_connection().status == 200


def test_down_leaves_no_process_no_port_no_file(up: Checkout) -> None:
    pids = up.pids()
    env = up.env()
    ports = [int(part) for name in ("SCIM_URL", "METRICS_URL") for part in re.findall(r":(\d+)/", env[name])]
    assert len(pids) == 5 and all(map(listens, ports))
    done = up.make("down")
    assert done.returncode == 0, done.stderr
    assert up.left() == []
    assert not any(map(listens, ports))
    assert not up.state.exists()
    again = up.make("down")
    assert (again.returncode, again.stdout) == (0, "nothing was up\n")
    nobody = up.make("-s", "token-for", f"USER={ALICE}")
    assert (nobody.returncode != 0, nobody.stdout) == (True, "")
    assert "make up" in nobody.stderr
