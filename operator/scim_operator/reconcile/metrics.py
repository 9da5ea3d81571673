"""What is reconciled, and what waits for it, counted when Prometheus asks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.kube.cache import Object, key_of
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.resources import GRANTS, LOCKS, POLICIES, TEMPLATES
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World


class ReconcileMetrics(Collector):
    """Reads on each scrape. `queues`: by name, what is due in them."""

    def __init__(self, world: World, statuses: Statuses, queues: Mapping[str, KeyedQueue[Any]]) -> None:
        self._world = world
        self._statuses = statuses
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        """The series as they are now."""
        yield from self._access()
        yield from self._timed()
        yield self._conditions()
        yield from self._guarded()
        yield from self._waiting()

    def _guarded(self) -> Iterator[Metric]:
        held = GaugeMetricFamily(
            "scim_operator_removals_held", "Removals that wait for approval.", labels=["directory"]
        )
        additions = GaugeMetricFamily(
            "scim_operator_additions_held",
            "Additions and new names of groups that wait for approval.",
            labels=["directory"],
        )
        frozen = GaugeMetricFamily(
            "scim_operator_frozen", "1 while nobody of the directory loses access.", labels=["directory"]
        )
        for hold in self._world.holds:
            directory, status = key_of(hold)[1], hold.get("status") or {}
            waiting, is_frozen = status.get("waiting") or 0, "frozen" in status
            coming = status.get("additionsWaiting") or 0
            # The ledger stays when its directory goes; its series only as long as they tell something.
            if self._world.directories.get(directory) is not None or waiting or coming or is_frozen:
                held.add_metric([directory], waiting)
                additions.add_metric([directory], coming)
                frozen.add_metric([directory], float(is_frozen))
        yield from (held, additions, frozen)

    def _access(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "scim_operator_policies", "AccessPolicies there are.", value=len(list(self._world.policies))
        )
        bindings = GaugeMetricFamily(
            "scim_operator_bindings", "Bindings of ours that are in place.", labels=["policy"]
        )
        bound: Counter[str] = Counter()
        for place, outcome in self._statuses.outcomes.items():
            bound[place.policy] += outcome.bindings
        for policy in self._world.policies:
            name = key_of(policy)[1]
            bindings.add_metric([name], bound[name])
        yield bindings

    def _timed(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "scim_operator_locks", "AccessLocks in force.", value=self._world.locks.active()
        )
        yield GaugeMetricFamily(
            "scim_operator_grants", "AccessGrants in force.", value=self._world.grants.active()
        )
        end = GaugeMetricFamily(
            "scim_operator_next_end_timestamp_seconds", "When the next one ends by itself.", labels=["kind"]
        )
        ends = {LOCKS.kind: self._world.locks.next_end(), GRANTS.kind: self._world.grants.next_end()}
        for kind, moment in ends.items():
            if moment < math.inf:
                end.add_metric([kind], moment)
        yield end

    def _conditions(self) -> Metric:
        conditions = GaugeMetricFamily(
            "scim_operator_condition",
            "Conditions of directories, policies, templates, locks and grants: 1 for True, 0 for False.",
            labels=["kind", "name", "type"],
        )
        kinds: Mapping[str, Iterable[Object]] = {
            DIRECTORIES.kind: self._world.directories.objects,
            POLICIES.kind: self._world.policies,
            TEMPLATES.kind: self._world.templates,
            LOCKS.kind: self._world.locks.objects,
            GRANTS.kind: self._world.grants.objects,
        }
        for kind, objects in kinds.items():
            for obj in objects:
                for condition in (obj.get("status") or {}).get("conditions") or ():
                    labels = [kind, key_of(obj)[1], condition["type"]]
                    conditions.add_metric(labels, float(condition["status"] == "True"))
        return conditions

    def _waiting(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "scim_operator_queue_depth", "Keys that are due or being worked on.", labels=["queue"]
        )
        oldest = GaugeMetricFamily(
            "scim_operator_queue_oldest_seconds", "How long the oldest key has been due.", labels=["queue"]
        )
        retries = CounterMetricFamily(
            "scim_operator_queue_retries",
            "Times that work on a key failed, to be tried again.",
            labels=["queue"],
        )
        failing = GaugeMetricFamily(
            "scim_operator_queue_failing", "Keys on which the last work failed.", labels=["queue"]
        )
        for name, queue in self._queues.items():
            depth.add_metric([name], len(queue))
            oldest.add_metric([name], queue.oldest_seconds)
            failing.add_metric([name], queue.failing)
            retries.add_metric([name], queue.retries)
        yield from (depth, oldest, failing, retries)
