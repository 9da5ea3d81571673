"""What is known of the directories, counted when Prometheus asks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.tokens import Tokens
from scim_operator.scim.schemas import GROUP, USER


class DirectoryMetrics(Collector):
    """Reads on each scrape: what has vanished is in no series any more."""

    def __init__(self, index: Index, directories: Directories, tokens: Tokens) -> None:
        self._index = index
        self._directories = directories
        self._tokens = tokens

    def collect(self) -> Iterator[Metric]:
        """The series as they are now."""
        users = GaugeMetricFamily(
            "scim_operator_users", "Users that the provider has pushed.", labels=["directory", "active"]
        )
        groups = GaugeMetricFamily(
            "scim_operator_groups", "Groups that the provider has pushed.", labels=["directory"]
        )
        requested = GaugeMetricFamily(
            "scim_operator_last_request_timestamp_seconds",
            "When the provider last sent a request with a valid token.",
            labels=["directory"],
        )
        expiry = GaugeMetricFamily(
            "scim_operator_token_expiry_timestamp_seconds",
            "When a token ends; +Inf for one that never does.",
            labels=["directory", "secret"],
        )
        # The disabled ones are few: of a hundred thousand users the loop must not count each (rule 21).
        disabled = Counter(user.directory for user in self._index.records(USER.name) if not user.active)
        for name in self._directories.names():
            users.add_metric([name, "true"], self._index.count(name, USER.name) - disabled[name])
            users.add_metric([name, "false"], disabled[name])
            groups.add_metric([name], self._index.count(name, GROUP.name))
            if moment := self._directories.last_request(name):
                requested.add_metric([name], datetime.fromisoformat(moment).timestamp())
            for token in self._tokens.lasting(name):
                end = token.expires.timestamp() if token.expires else math.inf
                expiry.add_metric([name, token.name], end)
        yield from (users, groups, requested, expiry)
