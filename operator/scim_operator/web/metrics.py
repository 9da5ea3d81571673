"""/metrics: what all rooms count and measure, as Prometheus reads it; and the requests, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import Counter, Histogram, disable_created_metrics
from prometheus_client.aiohttp import make_aiohttp_handler

from scim_operator.directory.ignored import forget_ignored
from scim_operator.directory.tokens import Refusal

# `directory` is empty for requests that were not let in; `resource` is `users`, `groups` or empty.
REQUESTS = Counter(
    "scim_operator_requests",
    "SCIM requests that this replica answered, by directory, resource, operation and HTTP status.",
    ["directory", "resource", "operation", "status"],
)
DURATION = Histogram(
    "scim_operator_request_duration_seconds",
    "Time from a SCIM request's head to the end of its answer's making.",
    ["directory", "resource", "operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSED = Counter(
    "scim_operator_authentications_refused",
    "Requests without a valid token: missing, unknown, expired or other_directory.",
    ["reason"],
)
FORWARDED = Counter(
    "scim_operator_forwarded_requests",
    "SCIM requests passed on to the replica that leads: answered, not_begun or cut_off.",
    ["result"],
)
# So that an alert sees the first one.
for _reason in Refusal:
    REFUSED.labels(_reason)
for _result in ("answered", "not_begun", "cut_off"):
    FORWARDED.labels(_result)
THROTTLED = Counter(
    "scim_operator_requests_throttled",
    "Requests of a directory that were refused with 429, by the limit: rate or concurrent.",
    ["directory", "limit"],
)
HUNG_UP = Counter(
    "scim_operator_connections_hung_up",
    "Connections that the operator ended: slow_head, slow_reader, or crowded when there were too many.",
    ["reason"],
)
# The directories that have series of requests.
_counted: set[str] = set()
# What providers ask for, and how it is answered when all is well.
_USUAL = {
    **{(resource, "create"): "201" for resource in ("users", "groups")},
    **{(resource, "delete"): "204" for resource in ("users", "groups")},
    **{
        (resource, operation): "200"
        for resource in ("users", "groups")
        for operation in ("get", "list", "filter", "replace", "patch")
    },
    ("", "discovery"): "200",
    ("", "bulk"): "200",
}


def counted(directory: str, resource: str, operation: str, status: int, seconds: float, refusal: str) -> None:
    """Count one request. All but `directory` are of our making; that must be one that exists, or empty."""
    _counted.add(directory)
    REQUESTS.labels(directory, resource, operation, str(status)).inc()
    DURATION.labels(directory, resource, operation).observe(seconds)
    if refusal:
        REFUSED.labels(refusal).inc()


def _begin_at_zero(directory: str) -> None:
    """Entra's requests come within seconds, each 40 minutes: of a series that begins with them, and not at 0,
    Prometheus sees no growth.
    """
    _counted.add(directory)
    for (resource, operation), status in _USUAL.items():
        DURATION.labels(directory, resource, operation)
        for told in (status, "500", "503"):
            REQUESTS.labels(directory, resource, operation, told)
    for limit in ("rate", "concurrent"):
        THROTTLED.labels(directory, limit)


def metrics_application(directories: Callable[[], Iterable[str]]) -> web.Application:
    """Shows the process's registry, in which every room puts its metrics.

    `directories`: those that exist now; the series of others end.
    """
    # A second series for each counter, of which Prometheus makes no use.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    show = make_aiohttp_handler()

    async def metrics(request: web.Request) -> web.StreamResponse:
        for gone in _counted - {"", *directories()}:
            REQUESTS.remove_by_labels({"directory": gone})
            DURATION.remove_by_labels({"directory": gone})
            THROTTLED.remove_by_labels({"directory": gone})
            forget_ignored(gone)
            _counted.discard(gone)
        for name in directories():
            _begin_at_zero(name)
        return await show(request)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app
