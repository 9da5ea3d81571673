"""The order of lists, and pages by cursor (RFC 9865)."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
from typing import Any
from urllib.parse import quote

import pytest

from scim_operator.scim.cursors import CURSOR_SECONDS
from scim_operator.web import listing
from tests.directory import people
from tests.directory.provider import replace
from tests.web.endpoint import TOKENS, Endpoint


async def answered(endpoint: Endpoint, path: str, body: Any = None, status: int = 200, **how: Any) -> Any:
    answer = await endpoint.ask("GET" if body is None else "POST", path, body, **how)
    content = await answer.json(content_type=None)
    assert answer.status == status, content
    return content


def names(page: Any) -> list[str]:
    return [shown.get("userName") or shown["displayName"] for shown in page["Resources"]]


async def walk(endpoint: Endpoint, query: str, count: int) -> list[str]:
    """The names on all pages, by cursor."""
    seen, cursor = [], ""
    while True:
        page = await answered(endpoint, f"/Users?{query}&count={count}&cursor={cursor}")
        seen += names(page)
        assert page["itemsPerPage"] == len(page["Resources"]) <= count
        assert "startIndex" not in page
        if "nextCursor" not in page:
            return seen
        cursor = page["nextCursor"]


# --- sorting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("sortBy=userName", ["Ada", "bob", "cyd", "Dan"]),
        ("sortBy=userName&sortOrder=descending", ["Dan", "cyd", "bob", "Ada"]),
        ("sortby=USERNAME&SORTORDER=Descending&startIndex=2&count=2", ["cyd", "bob"]),
        ("sortBy=userName&startIndex=4&count=9", ["Dan"]),
        ("sortBy=userName&sortOrder=descending&startIndex=5", []),
        ("sortBy=title", ["cyd", "bob", "Dan", "Ada"]),
        ("sortBy=title&sortOrder=descending", ["Ada", "Dan", "bob", "cyd"]),
        ("sortBy=title&filter=title+pr", ["cyd", "bob"]),
        ("sortBy=meta.created", ["Dan", "bob", "Ada", "cyd"]),
        ("sortBy=&sortOrder=descending", ["Dan", "bob", "Ada", "cyd"]),
    ],
)
async def test_sorted(endpoint: Endpoint, query: str, wanted: list[str]) -> None:
    for name, more in (("Dan", {}), ("bob", {"title": "z"}), ("Ada", {}), ("cyd", {"title": "A"})):
        await endpoint.user(name, **more)
    page = await answered(endpoint, f"/Users?{query}")
    assert names(page) == wanted


async def test_both_types_are_sorted_as_one(endpoint: Endpoint) -> None:
    await endpoint.user("b", displayName="b")
    await endpoint.group("a")
    await endpoint.user("c", displayName="c")
    body = {"sortBy": "displayName", "sortOrder": "descending", "count": 2}
    assert names(await answered(endpoint, "/.search", body)) == ["c", "b"]
    # What a type doesn't have is missing there.
    assert names(await answered(endpoint, "/.search", {"sortBy": "userName"})) == ["b", "c", "a"]


@pytest.mark.parametrize("query", ["sortBy=foo", "sortBy=name", "sortBy=groups", "sortBy=id&sortOrder=up"])
async def test_order_that_there_is_not(endpoint: Endpoint, query: str) -> None:
    refused = await answered(endpoint, f"/Users?{query}", status=400)
    assert refused["scimType"] == "invalidValue"
    assert "sort" in refused["detail"]


async def test_many_are_sorted(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """In portions."""
    monkeypatch.setattr("scim_operator.web.ordering._AT_ONCE", 7)
    people = [f"u{number:02}" for number in range(50)]
    for name in random.Random(1).sample(people, 50):
        await endpoint.user(name)
    assert names(await answered(endpoint, "/Users?sortBy=userName")) == people
    assert await walk(endpoint, "sortBy=userName&sortOrder=descending", 9) == people[::-1]


# --- cursors -----------------------------------------------------------------------------------------------

QUERIES = ["", "sortBy=userName", "sortBy=title&sortOrder=descending", "filter=" + quote('userName sw "u"')]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("count", [1, 3, 7, 8, 200])
async def test_pages_by_cursor_are_the_list(endpoint: Endpoint, query: str, count: int) -> None:
    for number in (4, 2, 6, 0, 5, 1, 3):
        await endpoint.user(f"u{number}", **({"title": f"t{number}"} if number % 2 else {}))
    whole = await answered(endpoint, f"/Users?{query}")
    assert "nextCursor" not in whole
    assert await walk(endpoint, query, count) == names(whole)


@pytest.mark.parametrize("query", QUERIES)
async def test_what_comes_and_goes_shifts_no_page(endpoint: Endpoint, query: str) -> None:
    people = [await endpoint.user(f"u{number}", title=f"t{number}") for number in range(6)]
    first = await answered(endpoint, f"/Users?{query}&count=2&cursor=")
    await endpoint.delete(next(one for one in people if one.id == first["Resources"][1]["id"]))
    await endpoint.delete(next(one for one in people if one.id == first["Resources"][0]["id"]))
    rest = await answered(endpoint, f"/Users?{query}&cursor={first['nextCursor']}")
    assert sorted(names(first) + names(rest)) == [f"u{number}" for number in range(6)]
    assert rest["totalResults"] == 4


async def test_search_takes_cursors_over_both_types(endpoint: Endpoint) -> None:
    await endpoint.user("u")
    for name in ("g0", "g1"):
        await endpoint.group(name)
    seen, body = [], {"cursor": "", "count": 1}
    while True:
        page = await answered(endpoint, "/.search", body)
        seen += names(page)
        assert page["totalResults"] == 3
        if "nextCursor" not in page:
            break
        body["cursor"] = page["nextCursor"]
    assert seen == ["u", "g0", "g1"]


async def test_empty_list_has_no_further_page(endpoint: Endpoint) -> None:
    page = await answered(endpoint, "/Users?cursor=")
    assert (page["totalResults"], page["Resources"], "nextCursor" in page) == (0, [], False)


async def test_cursor_is_bound_to_its_list(endpoint: Endpoint) -> None:
    for number in range(3):
        await endpoint.user(f"u{number}")
        await endpoint.user(f"u{number}", directory="okta")
        await endpoint.group(f"g{number}")
    cursor = (await answered(endpoint, "/Users?count=1&cursor="))["nextCursor"]
    elsewhere: dict[str, Any] = {"token": TOKENS["okta"], "directory": "okta"}
    for path, how in (
        ("/Groups?", {}),
        ("/Users?filter=userName+pr&", {}),
        ("/Users?sortBy=userName&", {}),
        ("/Users?", elsewhere),
    ):
        refused = await answered(endpoint, f"{path}cursor={cursor}", status=400, **how)
        assert refused["scimType"] == "invalidCursor"
    refused = await answered(endpoint, "/.search", {"cursor": cursor}, 400)
    assert refused["scimType"] == "invalidCursor"
    # It lets nobody in, and the size of a page is free.
    await answered(endpoint, f"/Users?cursor={cursor}", status=401, token=TOKENS["okta"])
    assert len((await answered(endpoint, f"/Users?count=200&cursor={cursor}"))["Resources"]) == 2


async def test_cursor_of_a_directory_that_was_made_again(endpoint: Endpoint) -> None:
    for number in range(2):
        await endpoint.user(f"u{number}")
    cursor = (await answered(endpoint, "/Users?count=1&cursor="))["nextCursor"]
    known = endpoint.directories.objects.get("entra")
    assert known is not None
    known["metadata"]["uid"] = "another"
    endpoint.directories.objects.put(known)
    assert (await answered(endpoint, f"/Users?cursor={cursor}", status=400))["scimType"] == "invalidCursor"


async def test_cursor_ends(endpoint: Endpoint) -> None:
    for number in range(2):
        await endpoint.user(f"u{number}")
    cursor = (await answered(endpoint, "/Users?count=1&cursor="))["nextCursor"]
    before = endpoint.scim._lists._now
    endpoint.scim._lists._now = lambda: before() + CURSOR_SECONDS + 1
    assert (await answered(endpoint, f"/Users?cursor={cursor}", status=400))["scimType"] == "expiredCursor"


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ("cursor=&count=0", "invalidCount"),
        ("cursor=&count=-1", "invalidCount"),
        ("cursor=&count=many", "invalidCount"),
        ("cursor=x", "invalidCursor"),
        ("cursor=%00", "invalidCursor"),
        ("cursor=&startIndex=2", "invalidCursor"),
    ],
)
async def test_page_that_there_is_not(endpoint: Endpoint, query: str, scim_type: str) -> None:
    await endpoint.user()
    assert (await answered(endpoint, f"/Users?{query}", status=400))["scimType"] == scim_type


@pytest.mark.parametrize("cursor", [5, True, ["x"], {}])
async def test_cursor_that_is_no_text(endpoint: Endpoint, cursor: Any) -> None:
    assert (await answered(endpoint, "/Users/.search", {"cursor": cursor}, 400))[
        "scimType"
    ] == "invalidCursor"


# --- at the root -------------------------------------------------------------------------------------------


async def test_filter_at_the_root_asks_all_types(endpoint: Endpoint) -> None:
    await endpoint.user("ada", displayName="x")
    await endpoint.group("x")
    text = 'displayName eq "X"'
    found = await answered(endpoint, f"?filter={quote(text)}&attributes=id")
    assert found["totalResults"] == 2
    assert found == await answered(endpoint, "/.search", {"filter": text, "attributes": ["id"]})
    # Without one the root says what there is: admins open it, and some test buttons do.
    assert "patch" in await answered(endpoint, "?count=1")


# --- what is too much --------------------------------------------------------------------------------------


async def test_page_of_too_many_members(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [(await endpoint.user(f"u{number}")).id for number in range(4)]
    for name in ("g0", "g1"):
        await endpoint.group(name, *people)
    monkeypatch.setattr(listing, "MAX_MEMBERS", 7)
    refused = await answered(endpoint, "/Groups", status=400)
    assert refused["scimType"] == "tooMany"
    assert "excludedAttributes=members" in refused["detail"]
    for path in ("/Groups?excludedAttributes=members", "/Groups?attributes=displayName", "/Groups?count=1"):
        await answered(endpoint, path)
    monkeypatch.setattr(listing, "MAX_MEMBERS", 3)
    assert len((await answered(endpoint, "/Groups?count=1"))["Resources"][0]["members"]) == 4, "one is shown"


async def test_order_holds_when_somebody_is_renamed(endpoint: Endpoint) -> None:
    people = [await endpoint.user(f"u{number}") for number in range(4)]
    first = await answered(endpoint, "/Users?sortBy=userName&count=2&cursor=")
    await endpoint.patch(people[1], replace("userName", "u9"))
    rest = await answered(endpoint, f"/Users?sortBy=userName&cursor={first['nextCursor']}")
    assert names(first) + names(rest) == ["u0", "u1", "u2", "u3", "u9"]


async def test_large_pages_show_members_by_their_ids(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Okta imports 100 groups at a time, however many members they have."""
    ada, ben = await endpoint.user("ada"), await endpoint.user("ben")
    for name in ("one", "two"):
        await endpoint.group(name, ada.id, ben.id)
    monkeypatch.setattr(listing, "DETAILED_MEMBERS", 3)
    page = await (await endpoint.ask("GET", "/Groups?startIndex=1&count=100")).json()
    assert [group["members"] for group in page["Resources"]] == [[{"value": ada.id}, {"value": ben.id}]] * 2
    monkeypatch.setattr(listing, "DETAILED_MEMBERS", 4)
    page = await (await endpoint.ask("GET", "/Groups?startIndex=1&count=100")).json()
    assert all(member["type"] == "User" for group in page["Resources"] for member in group["members"])


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("letter", ["n", "é", "😀", "ﷺ"])
async def test_cursor_of_long_values_tells_nothing_and_can_be_sent(
    endpoint: Endpoint, letter: str, order: str
) -> None:
    """Those that are alike for long are in the order of creation."""
    for number in range(5):
        await endpoint.user(f"u{number}", nickName="ada" + letter * 50_000 + str(number))
    query = f"sortBy=nickName&sortOrder={order}"
    whole = names(await answered(endpoint, f"/Users?{query}"))
    assert await walk(endpoint, query, 2) == whole
    page = await answered(endpoint, f"/Users?{query}&count=1&cursor=")
    assert len(page["nextCursor"]) < 30_000
    assert b"ada" not in base64.urlsafe_b64decode(page["nextCursor"] + "===")


@pytest.mark.parametrize("query", [*QUERIES, "sortBy=meta.lastModified", "sortBy=title&filter=title+pr"])
async def test_walk_while_others_come_and_go_and_change(endpoint: Endpoint, query: str) -> None:
    """Who is there all the while, and the same, is seen once."""
    chance = random.Random(7)
    fixed = [(await endpoint.user(f"u{number:02}", title=f"t{number % 7}")).label for number in range(20)]
    passing, seen, cursor = [], [], ""
    numbers = itertools.count()
    while True:
        page = await answered(endpoint, f"/Users?{query}&count=3&cursor={cursor}")
        seen += names(page)
        if "nextCursor" not in page:
            break
        cursor = page["nextCursor"]
        # The one at which the page ended goes as well.
        passing.append(await endpoint.user(f"u-{next(numbers)}", title=f"t{chance.randrange(7)}"))
        if chance.random() < 0.7:
            await endpoint.delete(passing.pop(chance.randrange(len(passing))))
        for one in passing:
            await endpoint.patch(one, replace("title", f"t{chance.randrange(7)}"))
        if len(seen) > 200:
            break  # whoever comes last by lastModified is met again and again
    assert sorted(name for name in seen if name in fixed) == fixed


async def turns_of_others(endpoint: Endpoint, path: str) -> int:
    """How often somebody else has their turn while a list is made."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert len(names(await answered(endpoint, path))) == 60
    task.cancel()
    return turns


@pytest.mark.parametrize(
    "query", ["filter=userName+sw+%22u%22", "sortBy=userName", "sortBy=userName&cursor="]
)
async def test_others_get_their_turn_while_many_are_looked_at(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Rule 21."""
    for number in range(60):
        endpoint.index.put(people.user(f"u{number:02}"))
    monkeypatch.setattr("scim_operator.directory.unhurried._AT_ONCE", 1)
    monkeypatch.setattr("scim_operator.directory.unhurried._PORTION", 60.0)
    at_once = await turns_of_others(endpoint, f"/Users?{query}")
    monkeypatch.setattr("scim_operator.directory.unhurried._PORTION", -1.0)
    assert await turns_of_others(endpoint, f"/Users?{query}") > at_once + 40
