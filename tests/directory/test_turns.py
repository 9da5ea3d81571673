"""One writer at a time, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from scim_operator.directory.turns import Turns
from scim_operator.directory.unavailable import UnavailableError
from tests.directory.provider import Provider, replace


async def test_one_at_a_time() -> None:
    turns, inside, most = Turns(), 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with turns.of("a"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert (most, len(turns)) == (1, 0)


async def test_who_waits_bears_with_many_short_changes_but_not_with_one_that_hangs() -> None:
    turns, done, going = Turns(), 0, asyncio.Event()

    async def work(wait: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        async with turns.of("a", 1.0):
            await wait()
            done += 1

    await asyncio.gather(*(work(partial(asyncio.sleep, 0.1)) for _ in range(20)))
    assert (done, len(turns)) == (20, 0)
    hangs = asyncio.create_task(work(going.wait))
    await asyncio.sleep(0)
    others = await asyncio.gather(
        *(work(partial(asyncio.sleep, 0)) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(one, UnavailableError) for one in others), others
    going.set()
    await hangs
    await work(partial(asyncio.sleep, 0))
    assert done == 22


async def test_who_gives_up_takes_nobodys_turn() -> None:
    turns, got = Turns(), asyncio.Event()

    async def work() -> None:
        async with turns.of("a", 60):
            got.set()

    async with turns.of("a"):
        gives_up, waits = asyncio.create_task(work()), asyncio.create_task(work())
        await asyncio.sleep(0)
        gives_up.cancel()
    await waits
    assert (got.is_set(), gives_up.cancelled()) == (True, True)


async def test_who_waits_long_is_told_to_come_again(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.directory.turns._PATIENCE_SECONDS", 0.1)
    ada, bob = await provider.user("ada"), await provider.user("bob")
    going = asyncio.Event()

    async def wait(verb: str, plural: str) -> None:
        await going.wait()

    provider.api.before = wait
    slow = asyncio.create_task(provider.patch(ada, replace("title", "Dr")))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="nothing was done"):
        await provider.patch(ada, replace("title", "Prof"))
    other = asyncio.create_task(provider.patch(bob, replace("title", "Prof")))
    going.set()
    assert (await slow).document["title"] == "Dr"
    assert (await other).document["title"] == "Prof"
    assert (await provider.patch(ada, replace("title", "Prof"))).document["title"] == "Prof"
