"""Work in a thread of its own: how it ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from scim_operator.kube.aside import aside


async def test_it_goes_on_while_the_loop_stands_still() -> None:
    turned: list[str] = []

    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(0.01)
            turned.append(threading.current_thread().name)

    task = asyncio.create_task(aside(work, "somebody"))
    await asyncio.sleep(0)
    deadline = time.monotonic() + 5
    while len(turned) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251
    assert turned == ["somebody"] * 3
    await task


async def test_what_it_raises_is_raised() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await aside(work, "somebody")


async def test_who_cancels_it_sees_its_end() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)  # as a session that is closed
            cleaned.set()

    task = asyncio.create_task(aside(work, "somebody"))
    while not begun.is_set():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.is_set()
