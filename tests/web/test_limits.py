"""A directory's limits: 403 that names the field, for what adds to it alone; others have their own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from tests.directory.provider import add, remove, replace
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.talk import Talk


@pytest_asyncio.fixture
async def entra(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


def limit(entra: Talk, **limits: Any) -> None:
    entra.endpoint.directory("entra", {"limits": limits})


def names(said: dict[str, Any], field: str, value: Any) -> bool:
    """Whether a refusal tells where to look, and what it found there."""
    return (
        f"spec.limits.{field} of ScimDirectory 'entra' is {value}" in said["detail"]
        and "scimType" not in said
    )


@pytest.mark.parametrize(
    ("endpoint_name", "key", "field"), [("Users", "userName", "users"), ("Groups", "displayName", "groups")]
)
async def test_so_many_and_no_more(entra: Talk, endpoint_name: str, key: str, field: str) -> None:
    limit(entra, **{field: 2})
    path = f"/{endpoint_name}"
    first = await entra("POST", path, {key: "one"}, 201)
    await entra("POST", path, {key: "two"}, 201)
    assert names(await entra("POST", path, {key: "three"}, 403), field, 2)
    # who is there is found, changed and deleted
    assert (await entra("POST", path, {key: "ONE"}, 409))["scimType"] == "uniqueness"
    await entra.patch(f"{path}/{first['id']}", replace("externalId", "x"))
    await Talk(entra.endpoint, "okta")("POST", path, {key: "three"}, 201)
    await entra("DELETE", f"{path}/{first['id']}", None, 204)
    await entra("POST", path, {key: "three"}, 201)


async def test_many_at_once_don_t_go_past_it(entra: Talk) -> None:
    limit(entra, users=5)

    async def post(number: int) -> int:
        body = {"userName": f"u{number}"}
        return (await entra.endpoint.ask("POST", "/Users", body, token=TOKENS["entra"])).status

    statuses = await asyncio.gather(*map(post, range(20)))
    assert sorted(statuses) == [201] * 5 + [403] * 15
    assert len(entra.endpoint.names()) == 5


async def test_failed_writes_take_no_place(entra: Talk) -> None:
    limit(entra, users=1)
    entra.endpoint.api.away = True
    await entra("POST", "/Users", {"userName": "ada"}, 503)
    entra.endpoint.api.away = False
    await entra("POST", "/Users", {"userName": "ada"}, 201)


async def test_members_of_a_group(entra: Talk) -> None:
    limit(entra, membersPerGroup=2)
    ada, bob, eve = [await entra.user(name) for name in ("ada", "bob", "eve")]
    team = await entra.group("team", ada, bob)
    path, everybody = f"/Groups/{team}", [{"value": one} for one in (ada, bob, eve)]
    for refused in (
        await entra.patch(path, add(eve), status=403),
        await entra.patch(path, replace("members", everybody), status=403),
        await entra("PUT", path, {"displayName": "team", "members": everybody}, 403),
        await entra("POST", "/Groups", {"displayName": "all", "members": everybody}, 403),
    ):
        assert names(refused, "membersPerGroup", 2)
    assert await entra.members(team) == [ada, bob]
    await entra.patch(path, remove(ada), add(eve))
    assert await entra.members(team) == [bob, eve]


async def test_lowered_limits_take_nobody_away(entra: Talk) -> None:
    ada, bob, eve = [await entra.user(name) for name in ("ada", "bob", "eve")]
    team = await entra.group("team", ada, bob, eve)
    limit(entra, users=1, membersPerGroup=1, allowedUserNames=["*@example.com"])
    assert await entra.members(team) == [ada, bob, eve]
    await entra.patch(f"/Users/{ada}", replace("active", "False"))
    await entra("PUT", f"/Users/{bob}", {"userName": "bob", "title": "Dr"})
    await entra.patch(f"/Groups/{team}", replace("displayName", "crew"))
    await entra.patch(f"/Groups/{team}", remove(eve))
    assert await entra.members(team) == [ada, bob]
    await entra.patch(f"/Groups/{team}", add(eve), status=403)
    await entra("DELETE", f"/Users/{eve}", None, 204)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        (
            "*@example.com",
            ["ada@example.com", "ADA@EXAMPLE.COM", "@example.com"],
            ["ada", "ada@example.com.evil"],
        ),
        ("svc-*-x", ["svc-a-x", "svc--x"], ["svc-x", "a svc-a-x", "svc-a-x\nadmin"]),
        ("ada.lovelace", ["Ada.Lovelace"], ["adaXlovelace"]),
        ("*", ["anything", "a\nb"], []),
        ("[a-z]*", ["[a-z]b"], ["ab"]),
        ("ab*ba", ["abba", "ab ba"], ["aba"]),
        ("a*b*c*d", ["abcd", "a b b c d"], ["acbd", "abdc"]),
    ],
)
async def test_allowed_user_names(entra: Talk, pattern: str, allowed: list[str], refused: list[str]) -> None:
    limit(entra, allowedUserNames=["nobody else", pattern])
    for name in allowed:
        user = await entra.user(name)
        await entra("DELETE", f"/Users/{user}", None, 204)
    user = await entra.user(allowed[0])
    await entra.group("groups have no such limit")
    for name in refused:
        for said in (
            await entra("POST", "/Users", {"userName": name}, 403),
            await entra("PUT", f"/Users/{user}", {"userName": name}, 403),
            await entra.patch(f"/Users/{user}", replace("userName", name), status=403),
        ):
            assert names(said, "allowedUserNames", f"nobody else, {pattern}")
            assert repr(name) in said["detail"]
    assert (await entra("GET", f"/Users/{user}"))["userName"] == allowed[0]
