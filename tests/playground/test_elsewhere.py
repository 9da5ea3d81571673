"""`make up` in somebody's cluster, and in kind's: what is installed, what is left alone, what is refused."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.chart.renderer import Renderer
from tests.cluster.cluster import Cluster
from tests.cluster.kubeconfig import write_kubeconfig
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.installation import CHART, set_values
from tests.playground import kind
from tests.playground.checkout import ROOT, Checkout

ALICE = "alice@example.com"
_FITTING = ("externalURL=http://127.0.0.1:8080",)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that the playground didn't start."""
    running = Cluster.start(tmp_path_factory.mktemp("theirs") / "state", tied=True)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def there(checkout: Checkout, theirs: Cluster) -> Checkout:
    """After `make up KUBECONFIG=…`."""
    done = checkout.make("up", f"KUBECONFIG={theirs.kubeconfig}")
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout


def test_it_works_in_their_cluster(there: Checkout, theirs: Cluster) -> None:
    env = there.env()
    assert env["KUBECONFIG"] == str(theirs.kubeconfig)
    assert list(there.pids()) == ["operator"]
    client = EntraClient(env["SCIM_URL"], env["SCIM_TOKEN"])
    client.provision_user(Person(ALICE, "Alice", "Nguyen"))
    client.provision_group("k8s-payments-edit", [ALICE])
    becomes(lambda: theirs.can_list_pods(ALICE, "payments"), 200)
    client.set_active(ALICE, False)
    becomes(lambda: theirs.can_list_pods(ALICE, "payments"), 403)
    with urllib.request.urlopen(env["METRICS_URL"], timeout=5) as answer:
        assert answer.status == 200


def test_no_node_may_run_a_second_operator(there: Checkout, theirs: Cluster) -> None:
    found = json.loads(theirs.kubectl("get", "deployment", "-n", "scim-operator", "-o", "json"))
    (pod,) = (item["spec"]["template"]["spec"] for item in found["items"])
    assert pod["nodeSelector"] == {"scim-operator.io/runs-on": "a-checkout"}


def test_up_again_and_after_a_kill(there: Checkout) -> None:
    before = there.pids()
    assert "already up" in there.make("up").stderr
    assert there.pids() == before
    there.processes()["operator"].kill()
    done = there.make("up")
    assert done.returncode == 0, done.stderr
    env = there.env()
    assert env["OPERATOR_PID"] == str(there.pids()["operator"])
    assert EntraClient(env["SCIM_URL"], env["SCIM_TOKEN"]).find("Users", "userName", ALICE) is not None


def test_peoples_tokens_are_not_ours_to_issue(there: Checkout) -> None:
    done = there.make("-s", "token-for", f"USER={ALICE}")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert f"kubectl --as {ALICE}" in done.stderr


def test_down_leaves_the_cluster_and_what_was_granted(there: Checkout, theirs: Cluster) -> None:
    done = there.make("down")
    assert done.returncode == 0, done.stderr
    assert "stopped operator" in done.stdout
    assert there.left() == []
    assert not there.state.exists()
    assert theirs.is_up
    assert theirs.helm("list", "-A", "-q").strip() == ""
    names = theirs.kubectl("get", "namespaces,scimusers,accesspolicies", "-o", "name").split()
    assert "namespace/scim-operator" not in names
    assert "namespace/payments" in names
    assert "accesspolicy.scim-operator.io/teams" in names


def test_up_once_more_after_down(there: Checkout, theirs: Cluster) -> None:
    done = there.make("up", f"KUBECONFIG={theirs.kubeconfig}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert there.make("down").returncode == 0


def test_a_namespace_of_theirs_is_not_taken(checkout: Checkout, theirs: Cluster) -> None:
    theirs.kubectl("create", "namespace", "scim-operator")
    done = checkout.make("up", f"KUBECONFIG={theirs.kubeconfig}")
    assert done.returncode != 0
    assert "has a namespace scim-operator already" in done.stderr
    assert not checkout.state.exists()
    theirs.kubectl("delete", "namespace", "scim-operator")


@pytest.fixture
def elsewhere_installed(theirs: Cluster) -> Iterator[None]:
    """The chart under another release's name in another namespace."""
    place = ("-n", "identity")
    theirs.helm("install", "scim", str(CHART), *place, "--create-namespace", *set_values(_FITTING))
    yield
    theirs.helm("uninstall", "scim", *place)
    theirs.kubectl("delete", "namespace", "identity")


@pytest.mark.usefixtures("elsewhere_installed")
def test_an_operator_of_theirs_is_not_joined(checkout: Checkout, theirs: Cluster) -> None:
    done = checkout.make("up", f"KUBECONFIG={theirs.kubeconfig}")
    assert done.returncode != 0
    assert "Deployment identity/scim" in done.stderr
    assert "helm uninstall scim -n identity" in done.stderr
    assert not checkout.state.exists()


def test_down_says_only_what_it_did(checkout: Checkout, theirs: Cluster) -> None:
    """helm refuses to install over objects that it doesn't own."""
    theirs.kubectl("create", "clusterrole", "scim-operator", "--verb=get", "--resource=pods")
    assert checkout.make("up", f"KUBECONFIG={theirs.kubeconfig}").returncode != 0
    done = checkout.make("down")
    assert done.returncode == 0, done.stderr
    assert "uninstalled" not in done.stdout.replace("helm uninstall", "")
    assert not checkout.state.exists()
    theirs.kubectl("delete", "clusterrole", "scim-operator")


def test_an_api_server_that_is_gone_is_said_in_one_line(checkout: Checkout, tmp_path: Path) -> None:
    nobody = {"server": "https://127.0.0.1:1"}
    done = checkout.make("up", f"KUBECONFIG={write_kubeconfig(tmp_path / 'config', nobody, token='none')}")
    assert done.returncode != 0
    assert "refused" in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert not checkout.state.exists()


def test_a_cluster_that_is_gone_does_not_keep_down_from_stopping(checkout: Checkout, tmp_path: Path) -> None:
    gone = Cluster.start(tmp_path / "gone", tied=True)
    assert checkout.make("up", f"KUBECONFIG={gone.kubeconfig}").returncode == 0
    gone.stop()
    done = checkout.make("down")
    assert done.returncode != 0
    assert f"rm -r {checkout.state}" in done.stderr
    assert checkout.left() == []
    shutil.rmtree(checkout.state)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("KUBECONFIG=",), "KUBECONFIG= is empty"),
        (("KUBECONFIG=/nowhere/config",), "there is no such file"),
        (("KUBECONFIG=Makefile",), "no usable kubeconfig"),
        (("CLUSTER=minikube",), "invalid choice: 'minikube'"),
        (("CLUSTER=kind", "KUBECONFIG=Makefile"), "not allowed with"),
    ],
)
def test_what_cannot_be_is_said_at_once(checkout: Checkout, words: tuple[str, ...], complaint: str) -> None:
    done = checkout.make("up", *words)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not checkout.state.exists()


def _only(tmp_path: Path, *programs: str) -> str:
    """A PATH with these programs alone."""
    for name in programs:
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / name).symlink_to(found)
    return str(tmp_path)


def test_kind_without_docker(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.make("up", "CLUSTER=kind", PATH=_only(tmp_path, "make", "sh", "go", "git"))
    assert done.returncode != 0
    assert "CLUSTER=kind needs `docker` on the PATH" in done.stderr
    assert not checkout.state.exists()


def test_kinds_configuration_and_values(cluster: Cluster) -> None:
    configuration = yaml.safe_load((ROOT / "tests" / "playground" / "kind.yaml").read_text())
    assert configuration["name"] == kind.NAME
    assert (ROOT / "Dockerfile").is_file()
    deployment = Renderer(cluster).one("Deployment", *set_values(kind.VALUES))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("scim-operator:playground", "Never")
    assert "--bind=0.0.0.0" in container["args"]
