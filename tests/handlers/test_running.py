"""kopf, embedded, under the conditions of a container."""

from __future__ import annotations

import asyncio
import pwd
from typing import NoReturn

import pytest

from scim_operator.handlers import running
from scim_operator.handlers.running import LastResort
from scim_operator.kube.credentials import load_credentials
from tests.cluster.cluster import Cluster


async def test_it_runs_as_a_user_without_a_name(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, never_given_up: None
) -> None:
    """The image's user is a number that no file of it knows."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    stop = asyncio.Event()
    told: list[str] = []

    async def on_start() -> None:
        told.append("started")
        stop.set()

    async def on_stop() -> None:
        told.append("stopped")

    login = await load_credentials(str(cluster.kubeconfig))
    async with asyncio.timeout(30):
        await running.run(stop=stop, on_start=on_start, on_stop=on_stop, login=login, observe=lambda *_: None)
    assert told == ["started", "stopped"]


async def fails() -> None:
    await asyncio.sleep(0.01)
    raise RuntimeError("an event was an error")


async def test_what_does_not_end_by_itself_is_ended() -> None:
    """kopf waits for ever for watches that wait for a login."""
    ended = asyncio.Event()
    failing, going_on = asyncio.create_task(fails()), asyncio.create_task(asyncio.sleep(0.05))
    cancelled = asyncio.create_task(asyncio.sleep(60))
    LastResort(ended.set).after_failure(2.0)
    cancelled.cancel()
    await going_on
    assert not ended.is_set()
    with pytest.raises(RuntimeError):
        await failing
    async with asyncio.timeout(10):
        await ended.wait()


async def test_once_all_else_is_done_it_is_ended_sooner() -> None:
    ended = asyncio.Event()
    failing = asyncio.create_task(fails())
    last_resort = LastResort(ended.set)
    last_resort.after_failure(60)
    await asyncio.gather(failing, return_exceptions=True)
    last_resort.after(0.1)
    async with asyncio.timeout(5):
        await ended.wait()


async def test_who_ends_as_they_should_are_left_alone() -> None:
    ended = asyncio.Event()
    fine, cancelled = asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(asyncio.sleep(60))
    LastResort(ended.set).after_failure(0.0)
    cancelled.cancel()
    await asyncio.gather(fine, cancelled, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert not ended.is_set()


async def test_after_the_end_nothing_is_ended_any_more() -> None:
    ended = asyncio.Event()
    failing = asyncio.create_task(fails())
    last_resort = LastResort(ended.set)
    last_resort.after_failure(0.0)
    last_resort.after(0.0)
    last_resort.cancel()
    await asyncio.gather(failing, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert not ended.is_set()
