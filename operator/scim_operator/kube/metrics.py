"""What is written to the API server, counted; and whether this replica leads."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# `resource` is the plural, with `/status` for that subresource; `result` is `ok`, the HTTP status, or
# `unreachable`.
WRITES = Counter(
    "scim_operator_api_writes",
    "Writes to the API server, by resource, verb and result.",
    ["resource", "verb", "result"],
)
WRITE_SECONDS = Histogram(
    "scim_operator_api_write_duration_seconds",
    "Time from sending a write to the API server to the end of its answer, or to giving up.",
    ["resource", "verb"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
# Counted by whoever found that nothing differs.
SKIPPED = Counter(
    "scim_operator_api_writes_skipped",
    "Writes that were left out because nothing would have changed.",
    ["resource"],
)
LEADER = Gauge(
    "scim_operator_leader",
    "1 while this replica holds the Lease: it answers SCIM and reconciles.",
)
TERMS = Counter(
    "scim_operator_terms",
    "Times that this replica began to lead.",
)
