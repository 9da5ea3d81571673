"""A replica that stands by, and kinds that weren't there when it began."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from scim_operator.directory import feed, standby
from scim_operator.directory.directories import Directories
from scim_operator.directory.feed import take_in
from scim_operator.directory.records import USERS
from scim_operator.directory.standby import Standby
from scim_operator.kube.client import Listing
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from tests.directory.provider import Provider, replace


@pytest.mark.parametrize(("status", "tells"), [(404, True), (503, False)])
async def test_a_kind_that_comes_later_is_told_of(
    monkeypatch: pytest.MonkeyPatch, status: int, tells: bool
) -> None:
    """The watches don't know it: only a new process does. An API server that was away is no such thing."""
    monkeypatch.setattr(feed, "_FIRST_PAUSE", 0.01)
    provider, told, tries = Provider(), [], 0
    listing = provider.api.list

    async def list_later(*arguments: Any, **more: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ApiError(status, "NotNow", "")
        return await listing(*arguments, **more)

    provider.api.list = list_later  # type: ignore[method-assign]
    stands_by = Standby(cast(Any, provider.api), provider.index, Directories(), lambda: told.append(tries))
    await stands_by.list_until_listed()
    assert stands_by.listed
    assert bool(told) is tells


class Held:
    """The API server's lists of users: begun as they are asked for, answered when they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
        self.begun = asyncio.Semaphore(0)
        self.let = asyncio.Semaphore(0)
        pages = provider.api.pages

        async def held(resource: Resource, **more: Any) -> AsyncIterator[Listing]:
            found = [page async for page in pages(resource, **more)]
            if resource == USERS:
                self.begun.release()
                await self.let.acquire()
            for page in found:
                yield page

        monkeypatch.setattr(provider.api, "pages", held)


async def test_it_lists_when_asked_and_what_began_before_tells_nothing_of_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its watches are dead, and another replica has written since its list began."""
    monkeypatch.setattr(standby, "_PAUSE_SECONDS", 0.01)
    leads = Provider()
    ada = await leads.user("ada", active=True)
    other = await leads.restarted()
    held, index = Held(monkeypatch, leads), other.index
    stands_by = Standby(cast(Any, leads.api), index, Directories(), lambda: None)
    running = asyncio.create_task(stands_by.run())
    await held.begun.acquire()
    other.clock = 10.0
    await leads.patch(ada, replace("active", False))
    index.lists.ask()
    held.let.release()
    await held.begun.acquire()
    assert not index.lists.tell_since(10.0), "the one before was of before"
    held.let.release()
    async with asyncio.timeout(5):
        while not index.lists.tell_since(10.0):
            await asyncio.sleep(0)
    known = index.get("entra", "User", ada.id)
    assert known is not None
    assert known.document["active"] is False
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_list_that_is_given_up_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """This replica is to lead, or to end."""
    leads = Provider()
    other = await leads.restarted()
    held = Held(monkeypatch, leads)
    other.clock = 10.0
    listing = asyncio.create_task(take_in(other.index, cast(Any, leads.api)))
    await held.begun.acquire()
    listing.cancel()
    await asyncio.gather(listing, return_exceptions=True)
    assert not other.index.lists.tell_since(10.0)
    held.let.release()
    await take_in(other.index, cast(Any, leads.api))
    assert other.index.lists.tell_since(10.0)


async def test_what_was_listed_when_nobody_else_wrote_any_more_is_not_listed_again() -> None:
    leads = Provider()
    other = await leads.restarted()
    calls = list[tuple[str, str]]()

    async def note(verb: str, plural: str) -> None:
        calls.append((verb, plural))

    leads.api.before = note
    stands_by = Standby(cast(Any, leads.api), other.index, Directories(), lambda: None)
    other.clock = 10.0
    for since, lists in ((9.0, True), (9.0, False), (10.0, False), (10.5, True), (None, True)):
        calls.clear()
        await stands_by.list_until_listed(since)
        assert (("list", "scimusers") in calls, ("list", "scimdirectories") in calls) == (lists, True)
