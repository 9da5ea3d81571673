"""Python's garbage collector, and the many objects that it would walk over again and again in vain (rule 21).

What is known of people lives as long as they do, and counted references free it. The collector looks for what
counting can't find, among all that lives: at 50,000 people for seconds, in which nobody is answered. So what
has come since is set aside from it each time that a tenth more is known.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

# How often it looks at what is new, and at all that isn't set aside. By default the latter is each time that
# has grown by a quarter.
_THRESHOLDS = 20_000, 10, 100
_SECONDS = 1.0
# Whatever is under way at that moment is set aside as well: so seldom that this is nothing.
_GROWTH, _LEAST = 1.1, 500


async def set_aside(known: Callable[[], int]) -> None:
    """Until cancelled. `known`: how many objects of the cluster are in memory."""
    gc.set_threshold(*_THRESHOLDS)
    before = 0
    while True:
        await asyncio.sleep(_SECONDS)
        if (now := known()) >= max(before * _GROWTH, before + _LEAST):
            gc.collect(1)
            gc.freeze()
            before = now
