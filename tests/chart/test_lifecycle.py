"""Upgrade, rollback, uninstall and installing again, with people in the directory: nobody's access moves.

The real helm on the real API server. There is no kubelet: the operator's process is ended and started again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.witness import Witness
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, policy
from tests.entra import EntraClient, Person
from tests.eventually import becomes, eventually
from tests.installation import CHART, NAMESPACE, Installation, set_values

ADA, BOB = "ada@life.example.com", "bob@life.example.com"
TEAM = "life-red"
OURS = "app.kubernetes.io/managed-by=scim-operator"

Object = dict[str, Any]


@pytest.fixture(scope="module")
def installation(fresh: Cluster) -> Iterator[Installation]:
    """Installed and running, in a cluster of its own: uninstalling would end everybody else's operator."""
    made = Installation.install(fresh, ["life"])
    made.start()
    yield made
    if made.process.is_alive:
        made.process.terminate()


@pytest.fixture(scope="module")
def entra(installation: Installation) -> EntraClient:
    """Ada and Bob edit in life-red: one token and one set of ids for all that follows."""
    cluster = installation.cluster
    apply(cluster, policy("life", "life", "life-{team}-{role}", namespace="life-{team}"))
    entra = installation.client("life")
    for name in (ADA, BOB):
        entra.provision_user(Person(name, "Some", "Body"))
    entra.provision_group("life-red-edit", [ADA, BOB])
    becomes(lambda: cluster.can_list_pods(ADA, TEAM), 200)
    return entra


def items(cluster: Cluster, *arguments: str) -> list[Object]:
    """What `kubectl get` finds."""
    found: list[Object] = json.loads(cluster.kubectl("get", *arguments, "-o", "json"))["items"]
    return found


def identities(cluster: Cluster) -> dict[str, tuple[str, Object]]:
    """Name -> (uid, spec) of directories, users and groups: the SCIM ids are in it."""
    found = items(cluster, "scimdirectories,scimusers,scimgroups,accesspolicies")
    return {
        f"{item['kind']}/{item['metadata']['name']}": (item["metadata"]["uid"], item["spec"])
        for item in found
    }


def access(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Namespaces and bindings -> (uid, resourceVersion): any write would show."""
    found = [*items(cluster, "namespaces", "-l", OURS), *items(cluster, "rolebindings", "-A", "-l", OURS)]
    return {
        f"{item['kind']}/{item['metadata']['name']}": (
            item["metadata"]["uid"],
            item["metadata"]["resourceVersion"],
        )
        for item in found
    }


def terminating(cluster: Cluster) -> list[str]:
    """Whatever of ours is on its way out and not gone."""
    kinds = (
        "namespaces,crd,scimdirectories,scimusers,scimgroups,accesspolicies,clusterroles,clusterrolebindings"
    )
    inside = "all,serviceaccounts,roles.rbac.authorization.k8s.io,rolebindings,secrets"
    found = [*items(cluster, kinds), *items(cluster, inside, "-n", NAMESPACE)]
    return [
        f"{item['kind']} {item['metadata']['name']}"
        for item in found
        if "deletionTimestamp" in item["metadata"]
    ]


def assert_unbroken(witness: Witness) -> None:
    """Access at every moment, and enough moments to tell."""
    assert len(witness.answers) > 20
    assert set(witness.answers) == {200}


def test_upgrade_and_rollback(installation: Installation, entra: EntraClient) -> None:
    cluster = installation.cluster
    people, granted = identities(cluster), access(cluster)
    with Witness(cluster, ADA, TEAM) as witness:
        installation.upgrade("logLevel=debug", "protectedNamespaces={life-secret}", "podLabels.team=platform")
        installation.roll_out()
        assert "--log-level=debug" in installation.process.plan.command
        assert "--protected-namespaces=life-secret" in installation.process.plan.command
        assert entra.find("Users", "userName", ADA)

        cluster.helm("rollback", NAMESPACE, "1", "-n", NAMESPACE)
        installation.roll_out()
        assert "--log-level=info" in installation.process.plan.command
        assert entra.find("Users", "userName", ADA)
    assert_unbroken(witness)
    assert identities(cluster) == people
    assert access(cluster) == granted


def test_uninstall_takes_nothing_and_installing_again_takes_over(
    installation: Installation, entra: EntraClient
) -> None:
    cluster = installation.cluster
    people, granted = identities(cluster), access(cluster)
    (ada,) = (user for user in items(cluster, "scimusers") if user["spec"]["userName"] == ADA)
    delete = ("delete", "scimuser", ada["metadata"]["name"], "--dry-run=server")
    assert "identityEditors" in cluster.kubectl(*delete, check=False)
    with Witness(cluster, ADA, TEAM) as witness:
        # helm takes the operator's rights before its pod ends: without them it must remove nothing.
        cluster.helm("uninstall", NAMESPACE, "-n", NAMESPACE)
        time.sleep(3)
        assert installation.process.is_alive
        assert installation.process.terminate(), "it should end by itself within the grace period"

        eventually(lambda: items(cluster, "all", "-n", NAMESPACE), lambda found: found == [], 20)
        eventually(lambda: terminating(cluster), lambda found: found == [], 20)
        assert (
            items(cluster, "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/name=scim-operator")
            == []
        )
        assert identities(cluster) == people
        assert access(cluster) == granted

        # Whoever wants to clean up by hand can, now that nobody else does.
        eventually(
            lambda: cluster.kubectl(*delete, check=False), lambda said: "deleted (server dry run)" in said
        )

        # Policies are still watched over: what is written now takes effect when it is installed again.
        cluster.kubectl(
            "create", "clusterrole", "writer", "--verb=create", "--resource=accesspolicies.scim-operator.io"
        )
        cluster.kubectl("create", "clusterrolebinding", "writer", "--clusterrole=writer", f"--user={BOB}")
        body = policy("sneaked-in", "life", "life-{team}-{role}")
        path = "/apis/scim-operator.io/v1alpha1/accesspolicies"
        refused = cluster.request("POST", path, body=body, token=cluster.person_token(BOB))
        assert refused.status == 403
        assert "may not grant ClusterRole" in refused.body["message"]

        cluster.helm("install", NAMESPACE, str(CHART), "-n", NAMESPACE, *set_values(installation.values))
        installation.roll_out()
        assert "identityEditors" in cluster.kubectl(*delete, check=False)
        assert entra.get("Users", BOB)["userName"] == BOB, "the token and the id are the old ones"
        entra.add_members("life-red-edit", [BOB])  # No change: Bob is in it already.
        assert identities(cluster) == people
        assert access(cluster) == granted
    assert_unbroken(witness)

    # And it is in charge again.
    entra.set_active(BOB, False)
    becomes(lambda: cluster.can_list_pods(BOB, TEAM), 403)
    assert cluster.can_list_pods(ADA, TEAM) == 200


def test_everything_can_be_taken_away(installation: Installation, entra: EntraClient) -> None:
    """In the order of the chart's README: nothing hangs, and the fences keep no CRD from going."""
    cluster = installation.cluster
    assert items(cluster, "scimusers"), "there is somebody whom the fence protects"
    cluster.kubectl("delete", "accesspolicies", "--all")
    becomes(lambda: set(access(cluster)), {f"Namespace/{TEAM}"})
    assert installation.process.terminate()
    # The CRDs even before the fences: their end asks no admission policy.
    crds = [item["metadata"]["name"] for item in items(cluster, "crd")]
    cluster.kubectl("delete", "crd", *(name for name in crds if name.endswith(".scim-operator.io")))
    cluster.helm("uninstall", NAMESPACE, "-n", NAMESPACE)
    ours = (
        "validatingadmissionpolicybinding,validatingadmissionpolicy",
        "-l",
        "app.kubernetes.io/name=scim-operator",
    )
    cluster.kubectl("delete", *ours)
    cluster.kubectl("delete", "namespace", NAMESPACE)
    kinds = "namespaces,crd,clusterroles,clusterrolebindings"
    assert [
        item["metadata"]["name"] for item in items(cluster, kinds) if "scim" in item["metadata"]["name"]
    ] == []
    assert items(cluster, *ours) == []
