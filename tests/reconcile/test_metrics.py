"""What is told of the guard when Prometheus asks."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.tokens import Tokens
from scim_operator.reconcile.metrics import ReconcileMetrics
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World
from tests.reconcile.worlds import SETTINGS


def told(world: World, metric: str, directory: str) -> float | None:
    """One sample of a scrape."""
    statuses = Statuses(world, now=lambda: "", url=lambda _: None, tokens=Tokens(lambda: datetime.now(UTC)))
    registry = CollectorRegistry()
    registry.register(ReconcileMetrics(world, statuses, {}))
    return registry.get_sample_value(f"scim_operator_{metric}", {"directory": directory})


def test_what_waits_for_approval_is_counted_by_what_it_is() -> None:
    world = World(Index(lambda: 0.0), Directories(), SETTINGS)
    world.holds.put({"metadata": {"name": "calm", "resourceVersion": "1"}, "status": {}})
    status = {"waiting": 3, "additionsWaiting": 2, "frozen": {"reason": "NoUsers"}}
    world.holds.put({"metadata": {"name": "gone", "resourceVersion": "1"}, "status": status})
    assert told(world, "removals_held", "gone") == 3
    assert told(world, "additions_held", "gone") == 2
    assert told(world, "frozen", "gone") == 1
    assert told(world, "removals_held", "calm") is None, "neither directory nor anything to tell"
