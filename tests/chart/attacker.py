"""Somebody with the operator's own token: what RBAC lets it do, the fences in the chart bound.

Everything is tried with that token on the real API server. Where RBAC refuses as well, the account is given
more rights than the chart gives it, so that it is the fence that is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.chart.release import Release
from tests.cluster.client import Answer
from tests.eventually import eventually

RBAC = "/apis/rbac.authorization.k8s.io/v1"
NAMESPACES = "/api/v1/namespaces"
# A namespace of nobody's, and a protected one.
TARGET, PROTECTED = "fence-target", "infra"
NAME = "scim-fence-0123456789"
MANAGED = {"app.kubernetes.io/managed-by": "scim-operator"}
OURS = {**MANAGED, "scim-operator.io/policy": "fence", "scim-operator.io/directory": "chart-tests"}

Object = dict[str, Any]


class Attacker:
    """Somebody with the operator's token."""

    def __init__(self, release: Release) -> None:
        self._cluster = release.cluster
        self._token = release.operator_token()

    def request(self, method: str, path: str, body: Object | None = None) -> Answer:
        """As the operator's account."""
        return self._cluster.request(method, path, body=body, token=self._token)

    def kubectl(self, *arguments: str) -> str:
        """-> what kubectl said, with the operator's token."""
        return self._cluster.kubectl(*arguments, token=self._token, check=False)

    def patch_namespace(self, name: str, metadata: Object) -> str:
        """-> what kubectl said."""
        patch = json.dumps({"metadata": metadata})
        return self.kubectl("patch", "namespace", name, "--type=merge", "-p", patch)


@contextmanager
def attacking(release: Release) -> Iterator[Attacker]:
    """An attacker with rights on namespaces that the chart doesn't give, while the fences are in force."""
    cluster = release.cluster
    for name in (TARGET, PROTECTED):
        cluster.kubectl("create", "namespace", name)
    account = f"--serviceaccount={release.name}:{release.fullname}"
    cluster.kubectl("create", "clusterrole", "fence", "--verb=update,delete", "--resource=namespaces")
    cluster.kubectl("create", "clusterrolebinding", "fence", "--clusterrole=fence", account)
    attacker = Attacker(release)
    stray: Object = {"metadata": {"name": "stray"}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    for path, body in (
        (f"{RBAC}/clusterrolebindings?dryRun=All", {**stray, "roleRef": role}),
        (f"{NAMESPACES}?dryRun=All", stray),
    ):
        eventually(partial(attacker.request, "POST", path, body), _forbidden, 10)
    try:
        yield attacker
    finally:
        cluster.kubectl("delete", "clusterrolebinding,clusterrole", "fence")
        cluster.kubectl("delete", "namespace", TARGET, PROTECTED)


def _forbidden(answer: Answer) -> bool:
    return answer.status == 403


def refused(answer: Answer, said: str) -> None:
    """By a fence, in these words."""
    assert answer.status == 403, answer.body
    assert "ValidatingAdmissionPolicy" in answer.body["message"]
    assert said in answer.body["message"]
