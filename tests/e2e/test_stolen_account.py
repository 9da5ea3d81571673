"""The operator's own token in an attacker's hands: what it can't do, each tried and refused, and what it can.

It is the token that the running operator uses, with the rights that the chart gives it by default. What a
fence refuses in detail is in tests/chart/test_*_fence.py, where the account has more rights than that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.chart.test_crds import sample
from tests.cluster.client import Answer
from tests.installation import NAMESPACE, Installation

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
OURS = "/apis/scim-operator.io/v1alpha1"
SPACES = "/api/v1/namespaces"
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
# A namespace that nobody opened to the operator, its own, and a protected one.
THEIRS, OWN, SYSTEM = (f"{SPACES}/{name}" for name in ("stolen-theirs", NAMESPACE, "kube-system"))
MALLORY = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory@example.com"}
MADE = "scim-stolen-0123456789"
LABELS = {
    "app.kubernetes.io/managed-by": "scim-operator",
    "scim-operator.io/policy": "stolen",
    "scim-operator.io/directory": "access",
}

# Who refuses: no rule of the operator's roles, RBAC's check of `bind`, or an admission policy of the chart.
RULES, BIND, FENCE = " cannot ", "attempting to grant RBAC permissions", "ValidatingAdmissionPolicy"

Object = dict[str, Any]


@dataclass(frozen=True)
class Thief:
    """Somebody with the operator's token."""

    operator: Installation
    token: str

    def request(self, method: str, path: str, body: Object | None = None) -> Answer:
        """Nothing that succeeds stays."""
        # A dry run goes through authorization and admission as any other.
        return self.operator.cluster.request(method, f"{path}?dryRun=All", body=body, token=self.token)

    def kubectl(self, *arguments: str) -> str:
        """-> what kubectl said."""
        return self.operator.cluster.kubectl(*arguments, token=self.token, check=False)


@pytest.fixture(scope="module")
def thief(operator: Installation) -> Iterator[Thief]:
    """With the very token that the operator uses, and a namespace of others with things of theirs in it."""
    cluster = operator.cluster
    config = yaml.safe_load((cluster.state / "pods" / operator.process.name / "kubeconfig").read_text())
    cluster.kubectl("create", "namespace", "stolen-theirs")
    cluster.kubectl("create", "secret", "generic", "theirs", "-n", "stolen-theirs", "--from-literal=a=b")
    cluster.kubectl(
        "create", "rolebinding", "theirs", "-n", "stolen-theirs", "--clusterrole=edit", "--user=eve"
    )
    cluster.kubectl("create", "role", "deployer", "-n", "stolen-theirs", "--verb=list", "--resource=pods")
    yield Thief(operator, config["users"][0]["user"]["token"])
    cluster.kubectl("delete", "namespace", "stolen-theirs", "--wait=false")


def binding(role: str, kind: str = "ClusterRole", subject: Object = MALLORY, name: str = MADE) -> Object:
    """Named and marked as the operator's are."""
    return {
        "metadata": {"name": name, "labels": LABELS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [subject],
    }


def ours(kind: str, spec: Object, name: str = "stolen") -> Object:
    """A custom resource."""
    body = {"apiVersion": OURS.removeprefix("/apis/"), "kind": kind, "metadata": {"name": name}}
    return {**body, "spec": spec}


def named(name: str, **more: Any) -> Object:
    """Whatever has no more than a name."""
    return {"metadata": {"name": name}, **more}


MASTERS = {**MALLORY, "kind": "Group", "name": "system:masters"}
ACCOUNT = {"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"}
TOKEN_SECRET = named("way-in", type="scim-operator.io/token", stringData={"token": "x" * 40})
POLICY = {
    "groups": {"directory": "access", "displayName": "*"},
    "grants": [{"clusterRole": "admin", "namespaces": {"name": "stolen-theirs"}}],
}

# What is tried: method, path, body, and who refuses.
REFUSED: dict[str, tuple[str, str, Object | None, str]] = {
    # A role outside the list.
    "bind cluster-admin": (
        "POST",
        f"{RBAC}/namespaces/stolen-theirs/rolebindings",
        binding("cluster-admin"),
        BIND,
    ),
    "bind cluster-admin everywhere": ("POST", f"{RBAC}/clusterrolebindings", binding("cluster-admin"), BIND),
    "bind a role of the system": ("POST", f"{RBAC}/clusterrolebindings", binding("system:node"), BIND),
    "bind its own role": ("POST", f"{RBAC}/clusterrolebindings", binding("scim-operator"), FENCE),
    "bind a Role": (
        "POST",
        f"{RBAC}/namespaces/stolen-theirs/rolebindings",
        binding("deployer", "Role"),
        BIND,
    ),
    # A listed role where or for whom it isn't meant.
    "bind admin everywhere": ("POST", f"{RBAC}/clusterrolebindings", binding("admin"), FENCE),
    "bind in kube-system": ("POST", f"{RBAC}/namespaces/kube-system/rolebindings", binding("view"), FENCE),
    "bind in default": ("POST", f"{RBAC}/namespaces/default/rolebindings", binding("view"), FENCE),
    "bind in its own namespace": (
        "POST",
        f"{RBAC}/namespaces/{NAMESPACE}/rolebindings",
        binding("edit"),
        FENCE,
    ),
    "bind system:masters": (
        *("POST", f"{RBAC}/namespaces/stolen-theirs/rolebindings"),
        *(binding("edit", subject=MASTERS), FENCE),
    ),
    "bind a ServiceAccount": (
        *("POST", f"{RBAC}/namespaces/stolen-theirs/rolebindings"),
        *(binding("edit", subject=ACCOUNT), FENCE),
    ),
    # A foreign binding.
    "edit a foreign binding": (
        *("PUT", f"{RBAC}/namespaces/stolen-theirs/rolebindings/theirs"),
        *(binding("edit", name="theirs"), FENCE),
    ),
    "patch a foreign binding": ("PATCH", f"{RBAC}/namespaces/stolen-theirs/rolebindings/theirs", {}, RULES),
    "delete a foreign binding": (
        "DELETE",
        f"{RBAC}/namespaces/stolen-theirs/rolebindings/theirs",
        None,
        FENCE,
    ),
    "delete all bindings": ("DELETE", f"{RBAC}/namespaces/stolen-theirs/rolebindings", None, RULES),
    "delete cluster-admin's": ("DELETE", f"{RBAC}/clusterrolebindings/cluster-admin", None, FENCE),
    "delete its own binding": ("DELETE", f"{RBAC}/clusterrolebindings/scim-operator", None, FENCE),
    # Roles.
    "make a role": ("POST", f"{RBAC}/clusterroles", named("stolen"), RULES),
    "widen its own role": ("PATCH", f"{RBAC}/clusterroles/scim-operator", {}, RULES),
    "widen its own Role": ("PATCH", f"{RBAC}/namespaces/{NAMESPACE}/roles/scim-operator", {}, RULES),
    "widen view": ("PUT", f"{RBAC}/clusterroles/view", named("view"), RULES),
    # Secrets elsewhere, and writing any.
    "read all Secrets": ("GET", "/api/v1/secrets", None, RULES),
    "read Secrets elsewhere": ("GET", f"{THEIRS}/secrets", None, RULES),
    "read a Secret elsewhere": ("GET", f"{THEIRS}/secrets/theirs", None, RULES),
    "read Secrets of kube-system": ("GET", f"{SYSTEM}/secrets", None, RULES),
    "make a SCIM token": ("POST", f"{OWN}/secrets", TOKEN_SECRET, RULES),
    "delete Secrets": ("DELETE", f"{OWN}/secrets", None, RULES),
    # Becoming somebody else.
    "a token for itself": ("POST", f"{OWN}/serviceaccounts/scim-operator/token", {}, RULES),
    "a token of another account": ("POST", f"{SYSTEM}/serviceaccounts/default/token", {}, RULES),
    "a certificate": (
        "POST",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        named("stolen"),
        RULES,
    ),
    # Running something.
    "run a pod": ("POST", f"{OWN}/pods", named("stolen"), RULES),
    "run a pod elsewhere": ("POST", f"{SYSTEM}/pods", named("stolen"), RULES),
    "exec": ("POST", f"{OWN}/pods/operator/exec", None, RULES),
    "another image for itself": (
        "PATCH",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/scim-operator",
        {},
        RULES,
    ),
    "read ConfigMaps": ("GET", f"{SYSTEM}/configmaps", None, RULES),
    # The fences themselves.
    "take the fence away": (
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicies/scim-operator-bindings",
        None,
        RULES,
    ),
    "unhook the fence": (
        *("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/scim-operator-bindings"),
        *(None, RULES),
    ),
    "a webhook": ("POST", f"{ADMISSION}/mutatingwebhookconfigurations", named("stolen"), RULES),
    "delete a CRD": (
        *("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/accesslocks.scim-operator.io"),
        *(None, RULES),
    ),
    # Namespaces.
    "delete a namespace": ("DELETE", THEIRS, None, RULES),
    "make a namespace unmarked": ("POST", SPACES, named("stolen"), FENCE),
    "replace a namespace": ("PUT", SYSTEM, named("kube-system"), RULES),
    "starve a foreign namespace": (
        *("POST", f"{THEIRS}/resourcequotas"),
        *({**named("q", spec={"hard": {"pods": "0"}})}, FENCE),
    ),
    # What people decide.
    "write a policy": ("POST", f"{OURS}/accesspolicies", ours("AccessPolicy", POLICY), RULES),
    "widen a policy": ("PATCH", f"{OURS}/accesspolicies/stolen", {}, RULES),
    "grant for a time": ("POST", f"{OURS}/accessgrants", ours("AccessGrant", {}), RULES),
    "unlock": ("DELETE", f"{OURS}/accesslocks/stolen", None, RULES),
    "widen a template": ("PATCH", f"{OURS}/namespacetemplates/stolen", {}, RULES),
    "open a directory": ("PATCH", f"{OURS}/scimdirectories/access", {}, RULES),
    "approve a hold": ("PATCH", f"{OURS}/removalholds/access", {"spec": {"approve": "1-0"}}, RULES),
    "empty the ledger": ("DELETE", f"{OURS}/removalholds/access", None, RULES),
    # Other leaders.
    "a Lease of others": (
        *("PATCH", f"{LEASES}/kube-system/leases/kube-scheduler"),
        *({}, RULES),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(thief: Thief, what: str) -> None:
    method, path, body, by = REFUSED[what]
    answer = thief.request(method, path, body)
    assert answer.status == 403, answer.body
    assert by in answer.body["message"]


@pytest.mark.parametrize(
    "who", [["--as=admin", "--as-group=system:masters"], ["--as=system:serviceaccount:kube-system:default"]]
)
def test_nobody_is_impersonated(thief: Thief, who: list[str]) -> None:
    assert "cannot impersonate" in thief.kubectl("get", "pods", *who)


@pytest.mark.parametrize(
    ("namespace", "change"),
    [
        ("kube-system", {"labels": LABELS}),
        ("stolen-theirs", {"labels": {"scim-operator.io/allow-policy": "any"}}),
        ("stolen-theirs", {"labels": LABELS, "annotations": {"scim-operator.io/made": "true"}}),
        ("stolen-theirs", {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}),
    ],
)
def test_namespaces_of_others_stay_as_they_are(thief: Thief, namespace: str, change: Object) -> None:
    patch = json.dumps({"metadata": change})
    said = thief.kubectl("patch", "namespace", namespace, "--type=merge", "--dry-run=server", "-p", patch)
    assert FENCE in said, said


REMAINS: dict[str, tuple[str, str, Object | None]] = {
    "a listed role for anybody": ("POST", f"{RBAC}/namespaces/stolen-theirs/rolebindings", binding("admin")),
    "a role in clusterWideRoles for anybody": ("POST", f"{RBAC}/clusterrolebindings", binding("view")),
    "people of its making": ("POST", f"{OURS}/scimusers", sample("scimusers", "stolen")),
    "Secrets of its own namespace": ("GET", f"{OWN}/secrets", None),
    "all people": ("GET", f"{OURS}/scimusers", None),
    "the Lease": ("GET", f"{LEASES}/{NAMESPACE}/leases/scim-operator", None),
}


@pytest.mark.parametrize("what", REMAINS)
def test_what_remains(thief: Thief, what: str) -> None:
    """What the operator does all day, whoever holds its token can do: docs/security.md says what it means."""
    method, path, body = REMAINS[what]
    answer = thief.request(method, path, body)
    assert answer.status == (201 if method == "POST" else 200), answer.body


def test_what_remains_of_namespaces(thief: Thief) -> None:
    """To adopt one is the operator's to do: it brings labels that aren't there, and takes no other."""
    change = {"labels": {**LABELS, "tier": "mine"}, "annotations": {"scim-operator.io/adopted": "true"}}
    patch = json.dumps({"metadata": change})
    said = thief.kubectl(
        "patch", "namespace", "stolen-theirs", "--type=merge", "--dry-run=server", "-p", patch
    )
    assert "patched" in said
