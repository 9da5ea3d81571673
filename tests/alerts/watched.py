"""The product on a control plane of its own, its calls behind a proxy that can fail them, and Prometheus."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.alerts.prometheus import Prometheus
from tests.cluster.cluster import Cluster
from tests.demo.cast import DIRECTORY, PEOPLE
from tests.demo.expectations import Expectations
from tests.demo.scene import Scene
from tests.demo.screen import Screen
from tests.demo.script import play
from tests.demo.transcript import Transcript
from tests.demo.view import View
from tests.e2e.policies import apply, bindings, policy
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.faults.proxy import FaultProxy
from tests.installation import NAMESPACE, Installation

# In `strict` nobody loses access unasked; `silent` was asked last two hours ago.
DIRECTORIES = (DIRECTORY, "busy", "ending", "frozen", "silent", "strict")
# The demo sends fewer requests than may come at once, which is twice as many.
REQUESTS_PER_SECOND = 100
SECOND_IP = "127.0.0.3"


@dataclass
class Watched:
    """What a test disturbs, and who sees it."""

    cluster: Cluster
    installation: Installation
    proxy: FaultProxy
    prometheus: Prometheus

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Watched]:
        """From nothing to an operator that leads."""
        cluster = Cluster.start(folder / "state", tied=True, progress=lambda _: None)
        try:
            values = [
                f"directories[{DIRECTORIES.index('strict')}].guard.maxRemovals=0",
                f"limits.requestsPerSecond={REQUESTS_PER_SECOND}",
            ]
            installation = Installation.install(cluster, DIRECTORIES, values=values)
            _silence(cluster, "silent")
            port = installation.process.port("metrics")
            targets = [f"{ip}:{port}" for ip in ("127.0.0.1", SECOND_IP)]
            with FaultProxy(cluster) as proxy:
                installation.process.endpoint = proxy.endpoint
                installation.start()
                prometheus = Prometheus(cluster.state, targets, NAMESPACE)
                try:
                    # What happens before the first scrape is no growth.
                    becomes(lambda: prometheus.values("scim_operator_leader"), [1.0], 15)
                    yield cls(cluster, installation, proxy, prometheus)
                finally:
                    prometheus.stop()
                installation.end()
        finally:
            cluster.stop()

    def play_the_demo(self) -> Sequence[str]:
        """All its steps. -> which of its expectations failed"""
        screen = Screen(io.StringIO(), colour=False)
        expect = Expectations(screen)
        view = View(self.cluster, PEOPLE)
        play(Scene(self.installation, screen, expect, Transcript(screen), view))
        return expect.failed

    def populated(self, directory: str) -> EntraClient:
        """Somebody with access, by a policy that is named as the directory. -> Entra, connected"""
        apply(self.cluster, policy(directory, directory, directory, role="view", namespace=directory))
        entra = self.installation.client(directory)
        becomes(lambda: entra.test_connection().status, 200, 15)
        entra.provision_user(Person(member(directory), "Some", "Body"))
        entra.provision_group(directory, [member(directory)])
        becomes(lambda: bindings(self.cluster, directory), {(directory, "view"): [member(directory)]}, 15)
        return entra


def member(directory: str) -> str:
    """The one person of a directory."""
    return f"somebody@{directory}.example.com"


def _silence(cluster: Cluster, directory: str) -> None:
    """What the status of a directory says that wasn't asked since before the operator started."""
    then = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = json.dumps({"status": {"lastRequestTime": then}})
    cluster.kubectl("patch", "scimdirectory", directory, "--subresource=status", "--type=merge", "-p", patch)
