"""Work that goes on while the working loop is busy: in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any


async def aside(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Run a coroutine in a thread of this name until it ends. Raises what it raises.

    Cancelling this cancels it. A process that ends without doing so doesn't wait for the thread.
    """
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work())

    def turn() -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        except Exception as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)
        finally:
            loop.close()

    threading.Thread(target=turn, name=name, daemon=True).start()
    waiting = asyncio.wrap_future(ended)
    try:
        await asyncio.wait({waiting})
        waiting.result()
    finally:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended by itself
            loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait({waiting})
