"""Lists users, groups and shards when somebody asks for it, and in the stead of watches that tell nothing any
more of what we write ourselves.

A stream that is open and dead is opened anew after 70 s (kopf) without the bookmark that the API server sends
each minute. Whoever leaves in between must not have access for so long.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from scim_operator.directory.echoes import Echoes
from scim_operator.directory.lists import Lists

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
# So long an event may take: a busy process hears late.
_PATIENCE = 5.0
# Lists take this part of the time at the most: who is too busy to hear isn't made busier.
_PART = 0.2


async def listen(
    echoes: Echoes, lists: Lists, monotonic: Callable[[], float], list_again: Callable[[], Awaitable[None]]
) -> None:
    """Until cancelled. `list_again`: users, groups and shards; `monotonic`: a clock in seconds."""
    while True:
        asked = await lists.asked(_LOOK_SECONDS)
        if (missing := echoes.missing_for()) >= _PATIENCE:
            log.warning(
                "the watches tell nothing of what was written: users and groups are listed instead",
                extra={"seconds": round(missing, 1)},
            )
        elif not asked:
            continue
        began = monotonic()
        await list_again()
        await asyncio.sleep(max(_LOOK_SECONDS, (monotonic() - began) * (1 / _PART - 1)))
