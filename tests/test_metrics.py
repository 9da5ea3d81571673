"""docs/metrics.md lists every metric with its type, and none that doesn't exist."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.metrics import DirectoryMetrics
from scim_operator.directory.tokens import Tokens
from scim_operator.kube import metrics as of_kube
from scim_operator.reconcile import events as of_events
from scim_operator.reconcile.metrics import ReconcileMetrics
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World
from scim_operator.web import lag as of_lag
from scim_operator.web import metrics as of_web
from tests.reconcile.worlds import SETTINGS

DOCUMENT = Path(__file__).parents[1] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(scim_operator_\w+)` \| (\w+) \| (?:`([\w ]+)`)? ?\|", re.MULTILINE)


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name -> type and labels."""
    return {name: (kind, set(labels.split())) for name, kind, labels in _ROW.findall(DOCUMENT.read_text())}


def registered() -> dict[str, str]:
    """Name -> type, of all rooms."""
    directories, tokens = Directories(), Tokens(lambda: datetime.now(UTC))
    world = World(Index(lambda: 0.0), directories, SETTINGS)
    statuses = Statuses(world, now=lambda: "", url=lambda _: None, tokens=tokens)
    registry = CollectorRegistry()
    registry.register(DirectoryMetrics(world.index, directories, tokens))
    registry.register(ReconcileMetrics(world, statuses, {}))
    assert of_kube.WRITES and of_web.REQUESTS and of_events.LEFT_OUT and of_lag.LAG, "importing registers"
    families = [*registry.collect(), *REGISTRY.collect()]
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in families
        if family.name.startswith("scim_operator_")
    }


def test_table_and_registry_agree() -> None:
    assert {name: kind for name, (kind, _) in documented().items()} == registered()


def test_names_follow_the_conventions() -> None:
    for name, kind in registered().items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert re.fullmatch(r"[a-z_]+", name)
