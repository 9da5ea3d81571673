"""`scim-operator crds apply`: this version's CRDs in a cluster where helm leaves old ones as they are."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from scim_operator.api.crds import crds
from scim_operator.cli import crds as command
from scim_operator.cli.main import main
from scim_operator.kube.credentials import load_credentials
from tests.chart.release import Release
from tests.chart.renderer import Renderer
from tests.chart.test_crds import sample
from tests.cluster.cluster import Cluster
from tests.eventually import becomes, eventually
from tests.hooks import helm_while, run_to_its_end
from tests.installation import CHART, scim_operator, set_values

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
USERS = "/apis/scim-operator.io/v1alpha1/scimusers"
KINDS = (
    *("scimdirectories", "scimusers", "scimgroups", "scimgroupshards", "accesspolicies"),
    *("namespacetemplates", "accesslocks", "accessgrants", "removalholds"),
)
NAMES = [f"{kind}.scim-operator.io" for kind in KINDS]
ADMIN_OF_NOTHING = "nobody@crds.example.com"

Object = dict[str, Any]


def apply(cluster: Cluster, *arguments: str, kubeconfig: Path | None = None) -> dict[str, str]:
    """CRD -> what was done to it."""
    done = scim_operator(cluster, "crds", "apply", "-o", "json", *arguments, kubeconfig=kubeconfig)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["dryRun"] == ("--dry-run" in arguments)
    return {entry["name"]: entry["result"] for entry in told["crds"]}


def definitions(cluster: Cluster) -> dict[str, Object]:
    """All of ours, by name."""
    items = cluster.request("GET", DEFINITIONS).body["items"]
    return {item["metadata"]["name"]: item for item in items if item["spec"]["group"] == "scim-operator.io"}


def versions(cluster: Cluster) -> dict[str, str]:
    """CRD -> resourceVersion."""
    return {name: item["metadata"]["resourceVersion"] for name, item in definitions(cluster).items()}


@pytest.fixture(scope="module")
def cluster(fresh: Cluster) -> Cluster:
    """The first test finds it without our CRDs; deleting them takes the API server up to a minute each."""
    return fresh


def outdated(cluster: Cluster) -> None:
    """As an older version left them: users have no `title`."""
    users = definitions(cluster)["scimusers.scim-operator.io"]
    schema = users["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del schema["properties"]["title"]
    assert cluster.request("PUT", f"{DEFINITIONS}/{NAMES[1]}", body=users).status == 200


def hook_account(cluster: Cluster) -> Path:
    """Whoever has the rights of the chart's upgrade hook, and no others."""
    role = Renderer(cluster).one(
        "ClusterRole", "--set", "crds.upgradeHook=true", name="scim-scim-operator-crds"
    )
    person = "hook@crds.example.com"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role["metadata"]["name"]},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", **_named(role)},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person}],
    }
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([role, binding]))
    return cluster.kubeconfig_for(cluster.person_token(person))


def _named(obj: Object) -> Object:
    return {"name": obj["metadata"]["name"]}


def test_a_new_cluster_serves_the_kinds_at_once(cluster: Cluster) -> None:
    """The rights of the chart's hook do for it."""
    hook = hook_account(cluster)
    assert apply(cluster, "--dry-run", kubeconfig=hook) == dict.fromkeys(NAMES, "created")
    assert definitions(cluster) == {}
    assert apply(cluster, kubeconfig=hook) == dict.fromkeys(NAMES, "created")
    becomes(lambda: cluster.request("GET", USERS).status, 200)


def test_what_is_current_is_not_written(cluster: Cluster) -> None:
    apply(cluster)
    # Until the API server has said all that it says about them.
    before = eventually(
        lambda: definitions(cluster),
        lambda found: all(len(item["status"]["conditions"]) == 2 for item in found.values()),
    )
    assert apply(cluster) == dict.fromkeys(NAMES, "unchanged")
    assert versions(cluster) == {name: item["metadata"]["resourceVersion"] for name, item in before.items()}


def test_an_old_one_gets_the_new_fields_and_identities_keep_their_ids(cluster: Cluster) -> None:
    apply(cluster)
    release = Release(cluster, "crds")
    release.install("identityEditors={admin}")
    outdated(cluster)
    body = sample("scimusers", "ada", title="Countess")
    before = eventually(
        lambda: cluster.request("POST", f"{USERS}?dryRun=All", body=body).body,
        lambda made: "title" not in made["spec"],
    )
    before = cluster.request("POST", USERS, body=body).body

    # helm leaves an installed CRD alone: this is why the command exists.
    release.upgrade("identityEditors={admin}")
    assert apply(cluster, "--dry-run")[NAMES[1]] == "updated"
    assert "title" not in cluster.request("GET", f"{USERS}/ada").body["spec"]

    assert apply(cluster) == {**dict.fromkeys(NAMES, "unchanged"), NAMES[1]: "updated"}
    after = cluster.request("GET", f"{USERS}/ada").body
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["id"] == before["spec"]["id"]

    def with_title() -> Object:
        answer = cluster.request("PUT", f"{USERS}/ada?dryRun=All", body={**after, "spec": body["spec"]})
        found: Object = answer.body
        return found

    assert eventually(with_title, lambda found: "title" in found["spec"])["spec"]["title"] == "Countess"

    # Nor does it stand in helm's way when it installs again.
    release.uninstall()
    release.install()
    release.remove()


def test_helm_upgrade_brings_them_up_to_date_when_told_to(cluster: Cluster) -> None:
    apply(cluster)
    release = Release(cluster, "hook")
    release.install()
    outdated(cluster)
    ended: list[int] = []

    def play(pod: Object) -> None:
        ended.append(run_to_its_end(cluster, pod, {}).returncode)

    values = set_values(["crds.upgradeHook=true"])
    helm = ("upgrade", "hook", str(CHART), "-n", "hook", *values)
    said = helm_while(cluster, helm, "app.kubernetes.io/name=scim-operator-crds", play)
    assert ended == [0]
    assert "STATUS: deployed" in said
    assert apply(cluster) == dict.fromkeys(NAMES, "unchanged")
    kinds = "serviceaccounts,jobs,clusterroles,clusterrolebindings"
    component = ("-l", "app.kubernetes.io/component=crds,app.kubernetes.io/instance=hook", "-o", "name")
    assert cluster.kubectl("get", kinds, "-n", "hook", *component) == ""
    release.remove()


def test_it_says_what_it_did(cluster: Cluster) -> None:
    apply(cluster)
    outdated(cluster)
    tried = scim_operator(cluster, "crds", "apply", "--dry-run").stdout.splitlines()
    assert tried[1].split(maxsplit=1) == [NAMES[1], "would be updated"]
    done = scim_operator(cluster, "crds", "apply").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in done] == [
        [name, "updated" if name == NAMES[1] else "unchanged"] for name in NAMES
    ]


def test_without_the_right_to_it_says_which(cluster: Cluster) -> None:
    kubeconfig = cluster.kubeconfig_for(cluster.person_token(ADMIN_OF_NOTHING))
    done = scim_operator(cluster, "crds", "apply", kubeconfig=kubeconfig)
    assert done.returncode == 1
    assert ADMIN_OF_NOTHING in done.stderr
    assert "get, create and patch on customresourcedefinitions.apiextensions.k8s.io" in done.stderr


def test_a_kind_that_is_not_served_is_a_failure(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another CRD has the kind's name already: the new one is stored, and not served."""
    apply(cluster)
    late: Object = copy.deepcopy(crds()["scim-operator.io_scimgroups.yaml"])
    late["metadata"]["name"] = "people.scim-operator.io"
    late["spec"]["names"] = {"plural": "people", "kind": "ScimGroup", "listKind": "PeopleList"}
    monkeypatch.setattr(command, "crds", lambda: {"people.yaml": late})
    monkeypatch.setattr(command, "_ESTABLISHED_SECONDS", 1)
    monkeypatch.setattr(command, "load_credentials", partial(load_credentials, str(cluster.kubeconfig)))
    assert main(["crds", "apply"]) == 1
    said = capsys.readouterr().err
    assert "people.scim-operator.io was applied, but the API server does not serve it" in said
    assert '"ScimGroup" is already in use' in said
