"""What is written to the API server, counted."""

from __future__ import annotations

from prometheus_client import Counter

# `resource` is the plural, with `/status` for that subresource; `result` is `ok`, the HTTP status, or
# `unreachable`.
WRITES = Counter(
    "scim_operator_api_writes",
    "Writes to the API server, by resource, verb and result.",
    ["resource", "verb", "result"],
)
# Counted by whoever found that nothing differs.
SKIPPED = Counter(
    "scim_operator_api_writes_skipped",
    "Writes that were left out because nothing would have changed.",
    ["resource"],
)
