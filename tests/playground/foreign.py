"""Somebody's cluster, by kubeconfig: the chart goes into it, the operator runs here from the checkout."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.cluster.build import build
from tests.cluster.client import Client, CommandError
from tests.cluster.cluster import stop_processes
from tests.cluster.waiting import ClusterError
from tests.installation import NAMESPACE, Installation
from tests.playground.folder import check_free, claim
from tests.playground.place import WithLocalOperator

_STAYS = """\
As after any `helm uninstall`, people, policies and the access they gave stay. To remove these as well:
  kubectl delete rolebindings,clusterrolebindings -A -l app.kubernetes.io/managed-by=scim-operator
  kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy \\
    -l app.kubernetes.io/name=scim-operator
  kubectl delete namespaces -l app.kubernetes.io/managed-by=scim-operator   # with all that runs in them
  kubectl delete -f crds/"""

# No node has this label, so the Deployment's own pod stays Pending: one operator is enough, and that is ours.
_NOWHERE = "nodeSelector.scim-operator\\.io/runs-on=a-checkout"


class ForeignCluster(Client):
    """With the kubeconfig's own rights, in its owner's environment: credential plugins need that."""

    def __init__(self, state: Path, kubeconfig: Path) -> None:
        self._given = kubeconfig
        super().__init__(state, "", build(names=("kubectl", "helm")).paths)
        self.server = self.endpoint["server"]

    @property
    def kubeconfig(self) -> Path:
        """As given: a copy would miss what it refers to."""
        return self._given

    @cached_property
    def endpoint(self) -> dict[str, Any]:
        """The current context's cluster, files and all."""
        view = self.run("kubectl", "config", "view", "--minify", "--flatten", "--raw", "-o", "json")
        found = json.loads(view.stdout)["clusters"] if view.returncode == 0 else None
        if not found:
            raise ClusterError(
                f"{self._given} is no usable kubeconfig: {view.stderr.strip() or 'no cluster'}"
            )
        cluster: dict[str, Any] = found[0]["cluster"]
        return cluster

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Everything of the user's, but for which cluster."""
        return {**os.environ, "KUBECONFIG": str(kubeconfig or self._given)}

    def settings(self) -> dict[str, str]:
        """Nothing else differs from the user's own shell."""
        return {"KUBECONFIG": str(self._given)}


class ForeignPlace(WithLocalOperator):
    """`make up KUBECONFIG=/path`."""

    @property
    def title(self) -> str:
        """Whose."""
        return f"the cluster of {self.record.kubeconfig}"

    def client(self) -> ForeignCluster:
        """Not asked for anything yet."""
        return self._cluster

    @cached_property
    def _cluster(self) -> ForeignCluster:
        return ForeignCluster(self.state, Path(self.record.kubeconfig))

    def prepare(self) -> None:
        """Ours must be free; theirs must answer, and must not have an operator already."""
        check_free(self.state)
        asked = self.client().run("kubectl", "get", "namespaces", "-o", "name", timeout=30)
        if asked.returncode:
            raise ClusterError(f"{self.title} doesn't let us in: {asked.stderr.strip()}")
        if f"namespace/{NAMESPACE}" in asked.stdout.split():
            raise ClusterError(
                f"{self.title} has a namespace {NAMESPACE} already: two operators would fight over their "
                f"bindings. When that one may go: helm uninstall {NAMESPACE} -n {NAMESPACE}, then "
                f"kubectl delete namespace {NAMESPACE}"
            )
        claim(self.state)

    def start(self) -> Installation[Client]:
        """Into a namespace that isn't there yet."""
        self.record.save(self.state)
        return self._install(self.client(), _NOWHERE)

    def stop(self) -> list[str]:
        """Our process, our release, our namespace; the rest isn't ours to delete."""
        done = [f"stopped {name}" for name in stop_processes(self.state)]
        try:
            self.client().helm("uninstall", NAMESPACE, "-n", NAMESPACE, "--ignore-not-found")
            self.client().kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")
        except (CommandError, ClusterError) as error:
            raise ClusterError(
                f"the operator is stopped, but {self.title} still has the chart: run `make down` again when "
                f"it answers, or forget about it with `rm -r {self.state}`. It said: {error}"
            ) from error
        return [*done, f"uninstalled the chart from {self.title}, with namespace {NAMESPACE}", _STAYS]
