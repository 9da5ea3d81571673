"""Somebody's cluster, by kubeconfig: the chart goes into it, the operator runs here from the checkout."""

from __future__ import annotations

import json
import os
import re
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
People, policies and the access they gave stay, as after any `helm uninstall`. To remove these as well:
  kubectl delete rolebindings,clusterrolebindings -A -l app.kubernetes.io/managed-by=scim-operator
  kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy \\
    -l app.kubernetes.io/name=scim-operator
  kubectl delete namespaces -l app.kubernetes.io/managed-by=scim-operator   # with all that runs in them
  kubectl delete -f crds/"""

# By the chart, under whatever release name.
_OPERATORS = "app.kubernetes.io/name=scim-operator"

_NAMESPACE_NAME_RELEASE = (
    "jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name} "
    "{.metadata.labels.app\\.kubernetes\\.io/instance}{'\\n'}{end}"
)
# Severity, month and day: `E1125 04:01:00.123456 …`
_KLOG = re.compile(r"[IWEF]\d{4} ")

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
        installed = self._asked("deployments", "-A", "-l", _OPERATORS, "-o", _NAMESPACE_NAME_RELEASE)
        for namespace, name, release in map(str.split, installed.splitlines()):
            raise ClusterError(
                f"{self.title} has an operator already, Deployment {namespace}/{name}: two would fight over "
                f"their bindings. When that one may go: helm uninstall {release} -n {namespace}"
            )
        if self._asked("namespace", NAMESPACE, "--ignore-not-found", "-o", "name"):
            raise ClusterError(
                f"{self.title} has a namespace {NAMESPACE} already, and `make down` would delete it with all "
                f"that is in it. When it may go: kubectl delete namespace {NAMESPACE}"
            )
        claim(self.state)

    def start(self) -> Installation[Client]:
        """Into a namespace that isn't there yet."""
        self.record.save(self.state)
        return self._install(self.client(), _NOWHERE)

    @property
    def afresh(self) -> str:
        """It is their cluster's data."""
        return "people and policies stay in the cluster"

    def stop(self) -> list[str]:
        """Our process, our release, our namespace; the rest isn't ours to delete."""
        done = [f"stopped {name}" for name in stop_processes(self.state)]
        try:
            return [*done, *self._clear()]
        except (CommandError, ClusterError) as error:
            raise ClusterError(
                f"no operator of ours runs any more, but what was installed in {self.title} may still be "
                f"there: run `make down` again when it answers, or forget about it with "
                f"`rm -r {self.state}`. It said: {readable(str(error))}"
            ) from error

    def _clear(self) -> list[str]:
        """-> what was there and is gone, and what stays."""
        done = []
        if self.client().helm("list", "-n", NAMESPACE, "-q", "--filter", f"^{NAMESPACE}$").strip():
            self.client().helm("uninstall", NAMESPACE, "-n", NAMESPACE)
            done.append(f"uninstalled the chart from {self.title}")
        if self._asked("namespace", NAMESPACE, "--ignore-not-found", "-o", "name"):
            self.client().kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")
            done.append(f"deleted namespace {NAMESPACE} there")
        if ".scim-operator.io" in self._asked("customresourcedefinitions", "-o", "name"):
            done.append(_STAYS)
        return done

    def _asked(self, *what: str) -> str:
        """`kubectl get`; raises ClusterError with what it said."""
        asked = self.client().run("kubectl", "get", *what, timeout=30)
        if asked.returncode:
            raise ClusterError(f"{self.title} doesn't let us in: {readable(asked.stderr)}")
        return asked.stdout


def readable(said: str) -> str:
    """What kubectl said to people: without klog's lines, which say the same several times before."""
    return "\n".join(line for line in said.splitlines() if not _KLOG.match(line)).strip()
