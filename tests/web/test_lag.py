"""How late the loop is, measured while something keeps it."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import REGISTRY

from scim_operator.web.lag import measure_lag


def measured(bound: str) -> float:
    """How many looks came no later than that."""
    name = "scim_operator_event_loop_lag_seconds_bucket"
    return REGISTRY.get_sample_value(name, {"le": bound}) or 0.0


async def test_what_stalls_the_loop_is_seen() -> None:
    before = measured("+Inf"), measured("0.25")
    measuring = asyncio.create_task(measure_lag())
    await asyncio.sleep(0)
    time.sleep(0.6)  # noqa: ASYNC251 (it is to stall the loop)
    await asyncio.sleep(0.05)
    measuring.cancel()
    looks, in_time = measured("+Inf") - before[0], measured("0.25") - before[1]
    assert (looks, in_time) == (1, 0)
