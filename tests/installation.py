"""The product as a user gets it: the chart installed by helm, the operator run as its Deployment says."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

import pytest
from typing_extensions import TypeVar

from tests.cluster.client import Client, CommandError
from tests.cluster.cluster import Cluster
from tests.cluster.operator import OperatorProcess
from tests.cluster.ports import free_ports
from tests.entra import Dialect, EntraClient
from tests.leaks import leaks, plant

CHART = Path(__file__).parents[1] / "charts" / "scim-operator"
NAMESPACE = "scim-operator"

# Tests have a cluster of ours; a playground may be in anybody's.
C = TypeVar("C", bound=Client, default=Cluster)


@dataclass(frozen=True)
class Connection:
    """What `scim-operator token create` prints, for the admin to paste."""

    url: str
    token: str


class Installed(Protocol):
    """A release of the chart, wherever its operator runs."""

    @property
    def cluster(self) -> Cluster:
        """Where it is."""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`scim-operator …` with the admin's kubeconfig."""


@dataclass
class Installation(Generic[C]):
    """One release of the chart in a cluster, and the operator that runs for it."""

    cluster: C
    process: OperatorProcess
    values: tuple[str, ...]
    # What `helm install` printed.
    said: str = ""

    @classmethod
    def install(
        cls, cluster: C, directories: Sequence[str], *, values: Sequence[str] = ()
    ) -> Installation[C]:
        """`helm install` with these directories, then the operator as the live Deployment describes it."""
        scim, health, metrics, internal = free_ports(4)
        chosen = (
            # Each pod has an address of its own.
            "bindAddress=$(POD_IP)",
            f"ports.scim={scim}",
            f"ports.health={health}",
            f"ports.metrics={metrics}",
            f"ports.internal={internal}",
            f"externalURL=http://127.0.0.1:{scim}",
            *(f"directories[{i}].name={name}" for i, name in enumerate(directories)),
            *(f"directories[{i}].{value}" for i in range(len(directories)) for value in _DIRECTORY),
            *values,
        )
        said = _helm(cluster, "install", chosen, "--create-namespace")
        return cls(cluster, _operator(cluster), chosen, said)

    @classmethod
    def find(cls, cluster: C) -> Installation[C]:
        """What an earlier command installed, running or not."""
        return cls(cluster, _operator(cluster), ())

    def upgrade(self, *values: str) -> None:
        """`helm upgrade` with these values on top."""
        _helm(self.cluster, "upgrade", (*self.values, *values))

    def is_idle(self) -> bool:
        """Whether no place of the operator's waits for its turn."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.process.url('metrics')}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return 'scim_operator_queue_depth{queue="places"} 0.0' in lines

    def start(self) -> None:
        """Start the operator and wait until its readiness probe says yes."""
        self.process.start()
        self.process.wait_ready()

    def end(self) -> None:
        """Stop the operator, when no secret is found in what it told."""
        if not self.process.is_alive:
            return
        try:
            plant(self.process)
            assert leaks(self.cluster, self.process) == []
        finally:
            self.process.terminate()

    def roll_out(self) -> None:
        """What a changed Deployment brings about: the old pod ends, then a new one starts as it says."""
        self.process.terminate()
        self.process = OperatorProcess.from_deployment(self.cluster, NAMESPACE, "scim-operator")
        self.start()

    def connection(self, directory: str) -> Connection:
        """A new token, made by the command an admin uses."""
        done = self.command("token", "create", directory, "-n", NAMESPACE, "-o", "json")
        if done.returncode:
            raise CommandError(done.stderr.strip())
        made = json.loads(done.stdout)
        return Connection(made["url"], made["token"])

    def client(self, directory: str, dialect: Dialect = Dialect.LEGACY) -> EntraClient:
        """Entra, connected to a directory."""
        connection = self.connection(directory)
        return EntraClient(connection.url, connection.token, dialect)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`scim-operator …` with the admin's kubeconfig."""
        return scim_operator(self.cluster, *arguments)


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> Iterator[Installation]:
    """The operator, running for the whole session; tests use directories and group prefixes of their own."""
    installation = Installation.install(cluster, DIRECTORIES, values=["clusterWideRoles={view,edit}"])
    installation.start()
    yield installation
    installation.end()


DIRECTORIES = (
    *("legacy", "modern", "access", "calm", "storm", "scim", "other"),
    *("tester", "sanity", "validator", "gallery", "replicas"),
)


# People leave by the hundred in tests and demos: the guard has directories of its own to show itself in.
ROOMY = {"maxRemovals": 1_000_000, "maxPercent": 100}
_DIRECTORY = ("provider=Entra", *(f"guard.{name}={value}" for name, value in ROOMY.items()))


def _operator(cluster: Client) -> OperatorProcess:
    return OperatorProcess.from_deployment(cluster, NAMESPACE, "scim-operator")


def _helm(cluster: Client, verb: str, values: Sequence[str], *more: str) -> str:
    return cluster.helm(verb, NAMESPACE, str(CHART), "-n", NAMESPACE, *more, *set_values(values))


def scim_operator(
    cluster: Client, *arguments: str, kubeconfig: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`scim-operator …` as the admin, or as a kubeconfig's owner."""
    return subprocess.run(
        [str(Path(sys.prefix) / "bin" / "scim-operator"), *arguments],
        env=cluster.environment(kubeconfig),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def set_values(values: Sequence[str]) -> list[str]:
    """`key=value` each as helm's `--set`."""
    return [part for value in values for part in ("--set", value)]
