"""What every step has at hand."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.cluster import Cluster
from tests.demo.expectations import Expectations
from tests.demo.screen import Screen
from tests.demo.table import narrowed
from tests.demo.transcript import Transcript
from tests.demo.view import View
from tests.entra import EntraClient
from tests.installation import Installed


@dataclass
class Scene:
    """The installation, both sides' views of it, and where to print and to claim."""

    installation: Installed
    screen: Screen
    expect: Expectations
    transcript: Transcript
    view: View
    # Connected in the step in which the admin pastes URL and token.
    client: EntraClient | None = None
    leaver: str = "not measured"

    @property
    def cluster(self) -> Cluster:
        """With its kubectl."""
        return self.installation.cluster

    @property
    def entra(self) -> EntraClient:
        """The connected provisioning service."""
        if self.client is None:
            raise RuntimeError("Entra has no URL and token yet")
        return self.client

    def apply(self, text: str, file: str) -> None:
        """`kubectl apply`, shown with the file's content."""
        self.screen.command(f"kubectl apply -f {file}")
        self.screen.block(text, indent=5)
        self.screen.block(self.cluster.kubectl("apply", "-f", "-", input=text))

    def table(self, command: str, *without: str) -> None:
        """A kubectl command and its table, less these columns."""
        self.screen.command(f"kubectl {command}")
        self.screen.block(narrowed(self.cluster.kubectl(*command.split()), without))
