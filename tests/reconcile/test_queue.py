"""Each key once, one worker at a time, failures later."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.reconcile.queue import KeyedQueue


@pytest.fixture
def queue() -> KeyedQueue[str]:
    return KeyedQueue()


async def test_a_key_added_twice_is_worked_on_once(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 2  # both in work


async def test_a_key_is_never_in_two_hands(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)
    queue.done("a")
    assert await queue.get() == "a"  # what came while it was worked on isn't lost


async def test_idle_means_nothing_due_and_nothing_in_work(queue: KeyedQueue[str]) -> None:
    await queue.idle()
    queue.add("a")
    waiting = asyncio.create_task(queue.idle())
    await queue.get()
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add("a")
    queue.done("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.get()
    queue.done("a")
    await asyncio.wait_for(waiting, 1)


async def test_failures_are_tried_again_with_growing_pauses(queue: KeyedQueue[str]) -> None:
    pauses = []
    for _ in range(12):
        queue.add("a")
        await queue.get()
        pauses.append(queue.failed("a"))
    assert pauses == sorted(pauses)
    assert pauses[1] == 2 * pauses[0]
    assert pauses[-1] == 30.0
    queue.add("a")
    await queue.get()
    queue.done("a")
    queue.add("a")
    await queue.get()
    assert queue.failed("a") == pauses[0]
    queue.close()


async def test_a_failed_key_comes_back_by_itself(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.failed("a")
    assert await asyncio.wait_for(queue.get(), 2) == "a"


async def test_now_beats_later(queue: KeyedQueue[str]) -> None:
    queue.add_later("a", 3600)
    queue.add("a")
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.done("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)


async def test_later_happens_once(queue: KeyedQueue[str]) -> None:
    for _ in range(3):
        queue.add_later("a", 0.01)
    assert await asyncio.wait_for(queue.get(), 1) == "a"
    queue.done("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)
