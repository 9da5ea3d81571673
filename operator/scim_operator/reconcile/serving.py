"""Works a queue off, one key at a time: what fails is told, and tried again after a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.queue import AgainError, KeyedQueue

log = logging.getLogger(__name__)

K = TypeVar("K")
# An API server that was away for long must not find us asleep: a leaver waits.
_AWAY_PAUSE = 3.0
# The next key would fare no better: 10,000 of them tried at once would keep the loop from noticing anything.
_BREATH = 0.1


async def serve(
    queue: KeyedQueue[K],
    work: Callable[[K], Awaitable[bool | None]],
    failed: str,
    identity: Callable[[K], dict[str, Any]],
) -> None:
    """Until cancelled. `work` says False for what is to be tried again though nothing went wrong; `failed`
    and `identity` tell in the log what couldn't be done, and to what. One odd key must not end the work on
    the others.
    """
    while True:
        key = await queue.get()
        try:
            if await work(key) is False:
                queue.failed(key)
            else:
                queue.done(key)
        except AgainError:
            queue.again(key)
        except ApiError as error:
            pause = failed_by(queue, key, error)
            log.warning(failed, extra={**identity(key), "error": str(error), "again_in_seconds": pause})
            if error.unavailable:
                await asyncio.sleep(_BREATH)
        except Exception:
            pause = queue.failed(key)
            log.exception(failed, extra={**identity(key), "again_in_seconds": pause})


def failed_by(queue: KeyedQueue[K], key: K, error: ApiError) -> float:
    """What the API server said decides when to try again. -> the pause in seconds"""
    if error.unavailable or error.unauthorized:
        return queue.failed(key, at_least=error.retry_after, at_most=_AWAY_PAUSE)
    return queue.failed(key)
