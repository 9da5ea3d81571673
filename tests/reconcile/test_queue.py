"""The queue: each key once, one worker a key, no change lost, failures with growing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.reconcile.queue import KeyedQueue, stuck


@pytest.fixture
def queue() -> Iterator[KeyedQueue[str]]:
    made: KeyedQueue[str] = KeyedQueue()
    yield made
    made.close()


async def waits(queue: KeyedQueue[str]) -> bool:
    """Whether the next worker would have to wait."""
    try:
        async with asyncio.timeout(0.02):
            await queue.get()
    except TimeoutError:
        return True
    return False


async def test_key_is_due_once_and_the_oldest_comes_first(queue: KeyedQueue[str]) -> None:
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert await waits(queue)


async def test_waiting_worker_is_woken(queue: KeyedQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in ("a", "b", "c"):
        queue.add(key)
    async with asyncio.timeout(1):
        assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]


async def test_change_during_the_work_makes_it_due_again(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    assert await waits(queue), "two workers must never have one key"
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert await waits(queue)


async def test_change_during_work_that_fails_is_not_delayed(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.failed("a")
    assert await queue.get() == "a"


async def test_pauses_grow_to_a_limit_and_begin_anew_after_success(queue: KeyedQueue[str]) -> None:
    pauses = []
    for _ in range(40):
        queue.add("a")
        await queue.get()
        pauses.append(queue.failed("a"))
    assert pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    queue.add("a")
    await queue.get()
    queue.done("a")
    queue.add("a")
    await queue.get()
    assert queue.failed("a") == 0.05


async def test_failures_of_one_key_do_not_slow_another(queue: KeyedQueue[str]) -> None:
    for key in ("a", "b"):
        queue.add(key)
        await queue.get()
    queue.failed("a")
    assert queue.failed("b") == 0.05


async def test_failed_comes_back_by_itself(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.failed("a")
    assert await waits(queue)
    async with asyncio.timeout(1):
        assert await queue.get() == "a"


async def test_later_is_later_but_an_event_is_at_once(queue: KeyedQueue[str]) -> None:
    queue.add_later("a", 0.04)
    assert await waits(queue)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    await asyncio.sleep(0.05)
    assert len(queue) == 0, "the timer must be gone"


async def test_later_keeps_the_first_moment(queue: KeyedQueue[str]) -> None:
    queue.add_later("a", 0.03)
    for _ in range(5):
        queue.add_later("a", 60)
    async with asyncio.timeout(1):
        assert await queue.get() == "a"


async def test_many_at_one_moment_let_others_have_their_turn(queue: KeyedQueue[str]) -> None:
    loop, many = asyncio.get_running_loop(), [str(number) for number in range(2_000)]
    queue.add_all_later([*many, *many], 0.01)
    turns: set[int] = set()

    def turn() -> None:
        turns.add(len(queue))
        if len(queue) < len(many):
            loop.call_soon(turn)

    turn()
    async with asyncio.timeout(5):
        while len(queue) < len(many):
            await asyncio.sleep(0.01)
    assert turns >= {0, 500, 1_000, 1_500}
    assert [await queue.get() for _ in many] == many


async def test_one_of_many_becomes_due_earlier(queue: KeyedQueue[str]) -> None:
    queue.add_all_later("abcd", 0.2)
    queue.add_all_later("b", 0.1)
    queue.add_all_later("bc", 0.05)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    async with asyncio.timeout(1):
        assert [await queue.get() for _ in "bcd"] == ["b", "c", "d"]
    for key in "bcd":
        queue.done(key)
    assert await waits(queue), "each once"


async def test_later_while_it_is_worked_on(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add_later("a", 0.01)
    await asyncio.sleep(0.02)
    queue.done("a")
    assert await queue.get() == "a"


async def test_idle(queue: KeyedQueue[str]) -> None:
    await queue.idle()
    queue.add("a")
    waiting = asyncio.create_task(queue.idle())
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.get()
    await asyncio.sleep(0)
    assert not waiting.done(), "being worked on isn't idle"
    queue.add("a")
    queue.done("a")
    await asyncio.sleep(0)
    assert not waiting.done(), "due again isn't idle"
    await queue.get()
    queue.done("a")
    async with asyncio.timeout(1):
        await waiting


async def test_what_waits_for_its_pause_is_idle(queue: KeyedQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.failed("a")
    async with asyncio.timeout(0.02):
        await queue.idle()


async def test_closed_queue_forgets_what_was_to_come(queue: KeyedQueue[str]) -> None:
    queue.add_later("a", 0.01)
    queue.close()
    await asyncio.sleep(0.02)
    assert len(queue) == 0


async def test_nothing_is_kept_of_keys_that_are_done(queue: KeyedQueue[str]) -> None:
    for number in range(50):
        key = f"k{number}"
        queue.add(key)
        await queue.get()
        queue.add(key)
        queue.failed(key)
        await queue.get()
        queue.done(key)
    kept = {name: len(value) for name, value in vars(queue).items() if isinstance(value, dict | set)}
    assert set(kept.values()) == {0}, kept


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), max_size=30))
async def test_last_change_of_every_key_is_worked_on(steps: list[tuple[str, bool, int]]) -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    state = dict.fromkeys("abc", 0)
    seen = dict.fromkeys("abc", 0)
    busy: set[str] = set()
    fail = [fails for _, fails, _ in steps]

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in busy
            busy.add(key)
            found = state[key]
            await asyncio.sleep(0)
            busy.discard(key)
            if fail and fail.pop():
                queue.failed(key)
            else:
                seen[key] = found
                queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(3)]
    for key, _, turns in steps:
        state[key] += 1
        queue.add(key)
        for _ in range(turns):
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while seen != state:
            await asyncio.sleep(0.005)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    queue.close()


class Clock:
    """The queue's, in our hands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr("scim_operator.reconcile.queue.time.monotonic", lambda: self.seconds)


async def test_how_long_the_oldest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    queue: KeyedQueue[str] = KeyedQueue()
    assert queue.oldest_seconds == 0
    queue.add("a")
    clock.seconds += 2
    queue.add("b")
    queue.add("a")
    clock.seconds += 1
    assert queue.oldest_seconds == 3, "made due again, it has waited since the first time"
    assert await queue.get() == "a"
    assert queue.oldest_seconds == 1
    await queue.get()
    assert queue.oldest_seconds == 0


async def test_failures_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for _ in range(2):
        queue.add("a")
        await queue.get()
        queue.failed("a")
    assert (queue.failing, queue.retries) == (1, 2)
    queue.add("a")
    await queue.get()
    queue.done("a")
    assert (queue.failing, queue.retries) == (0, 2)


async def test_work_that_does_not_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    queue: KeyedQueue[str] = KeyedQueue()
    clock.seconds += 100
    assert queue.stuck_seconds == 0, "nothing to do is no hang"
    queue.add("a")
    queue.add("b")
    clock.seconds += 10
    assert queue.stuck_seconds == 10, "nobody takes them"
    await queue.get()
    assert queue.stuck_seconds == 0
    clock.seconds += 5
    await queue.get()
    clock.seconds += 5
    assert queue.stuck_seconds == 10, "the work on a goes on"
    queue.done("a")
    assert queue.stuck_seconds == 5
    queue.done("b")
    assert queue.stuck_seconds == 0


async def test_long_queue_that_moves_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    queue: KeyedQueue[int] = KeyedQueue()
    for key in range(100):
        queue.add(key)
    for _ in range(100):
        key = await queue.get()
        clock.seconds += 6
        assert queue.stuck_seconds <= 6
        queue.done(key)


async def test_what_is_stuck_is_said_after_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    places: KeyedQueue[str] = KeyedQueue()
    queues = {"places": places, "statuses": KeyedQueue[str]()}
    places.add("a")
    await places.get()
    clock.seconds += 119
    assert stuck(queues) is None
    clock.seconds += 2
    assert stuck(queues) == "no progress in the queue of places for 121 s"
    places.failed("a")
    assert stuck(queues) is None, "what waits to be tried again isn't stuck"
    places.close()
