"""Lists of everybody: taken in beside other work, never shown by half, and asked for until they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import pytest

from scim_operator.directory import feed
from scim_operator.directory.feed import take_in, until_listed
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import KubeClient, Listing
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.scim.schemas import USER
from tests.directory.people import group, user

MANY = 8_000
T = TypeVar("T")


class Lists:
    """What an API server lists: so many people, as of a version, on two pages, and a group."""

    def __init__(self, people: int, version: int = 10) -> None:
        self._users = [user(f"u{number}", version=version) for number in range(people)]
        self._groups = [group(version=version)]

    async def pages(self, resource: Resource) -> AsyncIterator[Listing]:
        assert resource == USERS
        half = len(self._users) // 2
        yield Listing(self._users[:half], "20")
        yield Listing(self._users[half:], "20")

    async def list(self, resource: Resource, **_: Any) -> Listing:
        return Listing(self._groups if resource == GROUPS else [], "20")


class Late(Lists):
    """Its first page is on its way for a while."""

    def __init__(self, people: int) -> None:
        super().__init__(people)
        self.asked, self.come = asyncio.Event(), asyncio.Event()

    async def pages(self, resource: Resource) -> AsyncIterator[Listing]:
        self.asked.set()
        await self.come.wait()
        async for page in super().pages(resource):
            yield page


def lists(people: int, version: int = 10) -> KubeClient:
    """As the client gives them."""
    return cast(KubeClient, Lists(people, version))


async def beside(work: Awaitable[object], look: Callable[[], T]) -> list[T]:
    """What is to be seen at each turn that the loop makes meanwhile."""
    seen: list[T] = []

    async def watch() -> None:
        while True:
            seen.append(look())
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await work
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return seen


@pytest.fixture
def index() -> Index:
    return Index(lambda: 0.0)


async def test_others_get_their_turn_and_see_no_half_index(index: Index) -> None:
    """Rule 21; before the first list is whole nobody may be told that somebody is missing."""
    seen = await beside(take_in(index, lists(MANY)), lambda: (index.synced, index.count("entra", USER.name)))
    assert len(seen) > 5
    assert not [some for synced, some in seen if synced and some < MANY]
    assert (index.synced, index.count("entra", USER.name)) == (True, MANY)


async def test_a_later_list_hides_nobody_meanwhile(index: Index) -> None:
    await take_in(index, lists(MANY))
    seen = await beside(take_in(index, lists(MANY, version=11)), lambda: index.count("entra", USER.name))
    assert len(seen) > 5
    assert set(seen) == {MANY}


async def test_an_older_list_brings_nobody_back_whom_a_newer_one_has_no_more(index: Index) -> None:
    late = Late(3)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(take_in(index, cast(KubeClient, late)))
        await late.asked.wait()
        tasks.create_task(take_in(index, lists(2)))
        await asyncio.sleep(0.01)
        late.come.set()
    assert index.count("entra", USER.name) == 2


async def test_what_happens_meanwhile_counts(index: Index) -> None:
    """The list is older: whoever was deleted since stays away, whoever was changed since stays so."""
    last = f"u{MANY - 1}"

    async def meanwhile() -> None:
        index.evict(USER.name, last, f"uid-{last}")
        index.put(user("u0", version=15, title="new"))
        index.put(user("come", version=21))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take_in(index, lists(MANY)))
        tasks.create_task(meanwhile())
    assert index.named(USER.name, last) is None
    found = index.named(USER.name, "u0")
    assert found is not None
    assert found.document["title"] == "new"
    assert index.named(USER.name, "come") is not None


class Listed:
    """Fails in turn, and succeeds at last."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.returned = 0

    async def __call__(self) -> None:
        if self._failures:
            raise self._failures.pop(0)

    def tell(self) -> None:
        self.returned += 1


@pytest.mark.parametrize(
    ("failures", "returned"),
    [
        ((), 0),
        ((ApiError(503, "", ""), ApiError(0, "Unreachable", "")), 0),
        ((ApiError(404, "NotFound", ""), ApiError(503, "", "")), 1),
        ((ValueError("a page that can't be read"),), 0),
    ],
)
async def test_it_is_asked_for_until_it_comes(
    monkeypatch: pytest.MonkeyPatch, failures: tuple[Exception, ...], returned: int
) -> None:
    monkeypatch.setattr(feed, "_FIRST_PAUSE", 0.001)
    listing = Listed(*failures)
    await until_listed(listing, listing.tell)
    assert listing.returned == returned


async def test_as_late_as_the_api_server_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    listing = Listed(ApiError(429, "", "", 17.0), ApiError(503, "", ""))
    await until_listed(listing, listing.tell)
    assert pauses == [17.0, 0.4]
