"""Long work is done beside the event loop, or in portions, so that nobody waits for it (rule 21)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

# Reading a list of as many takes milliseconds.
_LONG = 1_000
# Seconds of work before others get their turn.
_PORTION = 0.005
# So many are looked at before the clock is; the longest filter takes milliseconds for them.
_AT_ONCE = 64
# Operations, an operation, its value, its members, a member.
_DEPTH = 5


async def unhurried(long: bool, work: Callable[[], T]) -> T:
    """What work gives or raises. It is pure: that of a long request runs in a thread."""
    return await asyncio.to_thread(work) if long else work()


def is_long(value: Any, depth: int = _DEPTH) -> bool:
    """Whether a request holds a list of thousands."""
    if depth == 0 or not isinstance(value, (dict, list)):
        return False
    if isinstance(value, list) and len(value) > _LONG:
        return True
    return any(is_long(item, depth - 1) for item in (value.values() if isinstance(value, dict) else value))


async def paced(items: Iterable[T]) -> AsyncIterator[T]:
    """Each of them, while others get their turn now and then; what is done with one counts."""
    since = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - since > _PORTION:
            await asyncio.sleep(0)
            since = time.monotonic()


def portions(items: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
    """So many of them at a time; by default for `paced`: many a work is shorter than a look at the clock."""
    ahead = iter(items)
    return iter(lambda: list(islice(ahead, size or _AT_ONCE)), [])
