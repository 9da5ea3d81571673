"""One write of a client is tried again here, while a client waits anyway: most faults last for one call.

Providers come back after minutes; one call in twenty that fails would show as one request in ten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError

T = TypeVar("T")

_PAUSES = (0.05, 0.3)
# Who has waited for so long is told: a call that hung, an API server that asks for more time.
_LONGEST = 3.0


async def persistently(attempt: Callable[[bool], Awaitable[T]]) -> T:
    """What `attempt` returns, at the third try at the latest. It is told whether it was tried before, and
    must look what became of that: a call whose answer was lost may have been carried out.

    Raises UnavailableError, saying when the API server wants to be asked again.
    """
    began = time.monotonic()
    for number, pause in enumerate(_PAUSES):
        try:
            return await attempt(number > 0)
        except UnavailableError as error:
            asked = error.__cause__.retry_after if isinstance(error.__cause__, ApiError) else 0.0
            seconds = max(pause, asked)
            if not error.again or time.monotonic() - began + seconds > _LONGEST:
                raise
        await asyncio.sleep(seconds)
    return await attempt(True)
