"""The operator's own metrics, read before and after."""

from __future__ import annotations

import math
import urllib.request
from collections import Counter
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_WRITES = "scim_operator_api_writes_total"
_LAG = "scim_operator_event_loop_lag_seconds_bucket"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Counters:
    """One scrape: name and labels -> value."""

    samples: dict[tuple[str, Labels], float]

    @classmethod
    def read(cls, url: str) -> Counters:
        """url: of the operator's metrics port. Raises OSError while nobody listens there."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/metrics", timeout=30) as response:
            text = response.read().decode()
        families = text_string_to_metric_families(text)
        return cls(
            {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in families
                for sample in family.samples
            }
        )

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series with these labels; 0 without any."""
        wanted = set(labels.items())
        return sum(
            value for (found, has), value in self.samples.items() if found == name and wanted <= set(has)
        )

    def since(self, before: Counters) -> Counters:
        """What came in between, of counters and histograms."""
        return Counters({key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()})

    @property
    def writes(self) -> dict[str, int]:
        """Writes to the API server that succeeded, by kind: `scimusers`, `scimusers/status`."""
        found: Counter[str] = Counter()
        for (name, labels), value in self.samples.items():
            known = dict(labels)
            if name == _WRITES and known["result"] == "ok" and value and known["resource"] != "leases":
                found[known["resource"]] += round(value)
        return dict(sorted(found.items()))

    @property
    def lag(self) -> dict[float, int]:
        """Seconds -> how often the event loop woke a task late by so much at most."""
        return {
            float(dict(labels)["le"]): round(value)
            for (name, labels), value in self.samples.items()
            if name == _LAG
        }

    @property
    def is_settled(self) -> bool:
        """Nothing waits to be bound, and no namespace to be made."""
        return not any(
            self.total("scim_operator_queue_depth", queue=queue) for queue in ("places", "namespaces")
        )


def longest(lag: dict[float, int]) -> tuple[float, float]:
    """Between which bounds, in seconds, the latest one was."""
    total, below = lag.get(math.inf, 0), 0.0
    for bound, count in sorted(lag.items()):
        if count == total:
            return below, bound
        below = bound
    return 0.0, math.inf
