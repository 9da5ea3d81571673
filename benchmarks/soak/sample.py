"""The operator and the cluster at one moment of the hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from benchmarks import usage
from benchmarks.counters import Counters
from benchmarks.figures import Spread
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS, Resource
from scim_operator.reconcile.resources import HOLDS
from tests.cluster.cluster import Cluster

# Of which there are some that aren't ours.
SHARED = (ROLE_BINDINGS, NAMESPACES)
_OURS = (USERS, GROUPS, SHARDS, HOLDS)
_DEPTH, _OLDEST = "scim_operator_queue_depth", "scim_operator_queue_oldest_seconds"


@dataclass(frozen=True)
class State:
    """queues: depth of those that aren't empty; oldest_seconds: how long the oldest key has been due; users,
    groups, bindings: by its metrics; objects: by kind, as the API server counts them.
    """

    memory_mib: float
    processor_seconds: float
    files: int
    threads: int
    queues: Mapping[str, int]
    oldest_seconds: float
    users: int
    groups: int
    bindings: int
    objects: Mapping[str, int]

    @property
    def depth(self) -> int:
        """Of all queues together."""
        return sum(self.queues.values())


@dataclass(frozen=True)
class Sample:
    """minute: since the hour began; sent: requests so far; answers: to those since the last sample."""

    minute: float
    sent: int
    answers: Spread
    state: State


def look(state: Path, pid: int, metrics: str, before: Mapping[str, int]) -> State:
    """before: objects that aren't ours, by kind. Raises OSError when something doesn't answer."""
    try:
        counters = Counters.read(metrics)
    except HTTPException as error:
        raise OSError(f"the answer of {metrics} was cut off") from error
    depths = {queue: round(depth) for queue, depth in _by_queue(counters, _DEPTH).items() if depth}
    memory, _ = usage.memory(pid)
    return State(
        memory,
        usage.processor_seconds(pid),
        usage.files(pid),
        usage.threads(pid),
        depths,
        round(max(_by_queue(counters, _OLDEST).values(), default=0.0), 2),
        round(counters.total("scim_operator_users")),
        round(counters.total("scim_operator_groups")),
        round(counters.total("scim_operator_bindings")),
        {kind: found - before.get(kind, 0) for kind, found in count(state, (*_OURS, *SHARED)).items()},
    )


def count(state: Path, kinds: Sequence[Resource]) -> dict[str, int]:
    """How many of each kind there are, by one object and the number of those that remain."""
    cluster = Cluster.load(state)
    return {kind.kind: _count(cluster, kind) for kind in kinds}


def _count(cluster: Cluster, kind: Resource) -> int:
    answer = cluster.request("GET", f"{kind.path()}?limit=1")
    if answer.status != 200:
        raise OSError(f"{kind.plural}: {answer.status}")
    return len(answer.body["items"]) + int(answer.body["metadata"].get("remainingItemCount", 0))


def _by_queue(counters: Counters, name: str) -> dict[str, float]:
    return {
        dict(labels)["queue"]: value for (found, labels), value in counters.samples.items() if found == name
    }
