"""How late the event loop is: a task asks to be woken, and counts by how much later it was."""

from __future__ import annotations

import asyncio

from prometheus_client import Histogram

# What stalls the loop for longer than that is seen for certain, what is shorter by chance.
_SECONDS = 0.1
# Nothing of ours keeps the loop for more than 50 ms (rule 21); what is later lacks processor time.
LAG = Histogram(
    "scim_operator_event_loop_lag_seconds",
    "How much later than asked for the event loop woke a task, ten times a second.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


async def measure_lag() -> None:
    """Until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        wanted = loop.time() + _SECONDS
        await asyncio.sleep(_SECONDS)
        LAG.observe(max(0.0, loop.time() - wanted))
