"""Bugs 1 to 17 of field_bugs.py, those of memberships, over HTTP; and that no number is missing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.directory.provider import add
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.field_bugs import BUGS, ELSEWHERE
from tests.web.talk import Json, Talk

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def entra(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


async def team(entra: Talk, *names: str) -> tuple[str, list[str]]:
    """A group of these people. -> its id, theirs"""
    people = [await entra.user(name) for name in names]
    return await entra.group("team", *people), people


def removal(value: Any, op: str = "Remove") -> Json:
    return {"op": op, "path": "members", "value": value}


def test_every_bug_has_its_test() -> None:
    tested = {
        int(number)
        for path in Path(__file__).parent.glob("test_field_bugs_*.py")
        for number in re.findall(r"def test_bug_(\d\d)_", path.read_text())
    }
    assert tested | ELSEWHERE.keys() == BUGS.keys() == set(range(1, 48))
    for file, name in (place.split("::") for places in ELSEWHERE.values() for place in places):
        assert f"def {name}(" in (ROOT / file).read_text(), (file, name)


async def test_bug_01_removal_by_value_array_does_not_empty_the_group(entra: Talk) -> None:
    group, (ada, bob) = await team(entra, "ada", "bob")
    await entra.patch(f"/Groups/{group}", removal([{"value": ada}]))
    assert await entra.members(group) == [bob]


async def test_bug_02_nor_is_it_refused(entra: Talk) -> None:
    group, (ada,) = await team(entra, "ada")
    await entra.patch(f"/Groups/{group}", removal([{"$ref": None, "value": ada}]))
    assert await entra.members(group) == []


async def test_bug_03_value_is_not_ignored(entra: Talk) -> None:
    group, (ada, bob, eve) = await team(entra, "ada", "bob", "eve")
    await entra.patch(f"/Groups/{group}", removal([{"value": ada}, {"value": eve}], "remove"))
    assert await entra.members(group) == [bob]


async def test_bug_04_one_removal_is_one(entra: Talk) -> None:
    group, (ada, bob, eve) = await team(entra, "ada", "bob", "eve")
    path = f"/Groups/{group}"
    await entra.patch(path, {"op": "remove", "path": f'members[value eq "{bob}"]'})
    assert await entra.members(group) == [ada, eve]
    await entra.patch(path, removal([{"value": bob}]))  # who is out already
    assert await entra.members(group) == [ada, eve]


async def test_bug_05_nobody_is_a_member_twice(entra: Talk) -> None:
    group, (ada, bob) = await team(entra, "ada", "bob")
    await entra.patch(f"/Groups/{group}", add(ada, ada), add(ada, bob))
    assert await entra.members(group) == [ada, bob]
    twice = await entra.group("twice", ada, ada)
    assert await entra.members(twice) == [ada]


@pytest.mark.parametrize("wrap", [lambda one: {"value": one}, lambda one: one, lambda one: [one]])
async def test_bug_06_removal_by_value_has_an_effect(entra: Talk, wrap: Any) -> None:
    group, (ada, bob) = await team(entra, "ada", "bob")
    await entra.patch(f"/Groups/{group}", removal(wrap(ada)))
    assert await entra.members(group) == [bob]


@pytest.mark.parametrize("op", ["Add", "ADD", "add"])
async def test_bug_07_capitalised_operations(entra: Talk, op: str) -> None:
    group, _ = await team(entra)
    ada = await entra.user()
    await entra.patch(f"/Groups/{group}", {"op": op, "path": "members", "value": [{"value": ada}]})
    assert await entra.members(group) == [ada]


async def test_bug_08_removal_with_a_value_can_stand_beside_others(entra: Talk) -> None:
    group, (ada, bob) = await team(entra, "ada", "bob")
    eve = await entra.user("eve")
    rename = {"op": "Replace", "path": "displayName", "value": "crew"}
    shown = await entra.patch(f"/Groups/{group}", removal([{"value": ada}]), rename, add(eve))
    assert (shown["displayName"], await entra.members(group)) == ("crew", [bob, eve])


async def test_bug_09_without_user_agent_with_words_for_booleans(entra: Talk) -> None:
    group, (ada, bob) = await team(entra, "ada", "bob")
    await entra.patch(f"/Users/{ada}", {"op": "Replace", "path": "active", "value": "False"})
    await entra.patch(f"/Groups/{group}", removal([{"$ref": None, "value": ada}]))
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {TOKENS['entra']}\r\n\r\n"
    answer = await entra.endpoint.raw(f"GET /scim/v2/entra/Users/{ada} HTTP/1.1\r\n{head}".encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"active":false' in answer
    assert await entra.members(group) == [bob]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "externalId", "value": "x"},
        {"op": "Replace", "value": {"displayName": "crew", "externalId": "x"}},
        {"op": "replace", "value": {"id": "7", "displayName": "crew"}},
        {"op": "replace", "path": "description", "value": "no attribute of groups"},
        {"op": "add", "path": "urn:example:2.0:Group:cost", "value": "7"},
        {"op": "remove", "path": "externalId"},
    ],
)
async def test_bug_10_replacing_something_else_keeps_the_members(entra: Talk, operation: Json) -> None:
    group, people = await team(entra, "ada", "bob")
    await entra.patch(f"/Groups/{group}", operation)
    assert await entra.members(group) == people


async def test_bug_11_re_adding_a_member_is_fine_and_no_change(entra: Talk) -> None:
    group, (ada,) = await team(entra, "ada")
    before = await entra("GET", f"/Groups/{group}")
    again = {"op": "add", "path": "members", "value": [{"value": ada, "display": "another"}]}
    assert await entra.patch(f"/Groups/{group}", again) == before


async def test_bug_12_it_is_answered_with_the_group(entra: Talk) -> None:
    group, (ada,) = await team(entra, "ada")
    shown = await entra.patch(f"/Groups/{group}", add(ada))
    assert shown == await entra("GET", f"/Groups/{group}")
    assert (shown["id"], shown["displayName"]) == (group, "team")


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "members", "value": []},
        {"op": "Replace", "path": "members", "value": None},
        {"op": "replace", "value": {"id": "7", "displayName": "team", "members": []}},
        {"op": "remove", "path": "members"},
    ],
)
async def test_bug_13_pushing_nobody_empties_the_group(entra: Talk, operation: Json) -> None:
    group, _ = await team(entra, "ada", "bob")
    await entra.patch(f"/Groups/{group}", operation)
    assert await entra.members(group) == []


async def test_bug_14_full_push(entra: Talk) -> None:
    group, (_, bob) = await team(entra, "ada", "bob")
    eve = await entra.user("eve")
    full = [{"value": bob, "display": "bob"}, {"value": eve, "display": "eve"}]
    await entra.patch(f"/Groups/{group}", {"op": "replace", "path": "members", "value": full})
    assert await entra.members(group) == [bob, eve]
    await entra.patch(f"/Groups/{group}", {"op": "replace", "value": {"members": full[:1]}})
    assert await entra.members(group) == [bob]


async def test_bug_15_members_of_whole_groups_are_read_whoever_sends_them(entra: Talk) -> None:
    for provider in ("Entra", "Okta", "Generic"):
        entra.endpoint.directory("entra", {"provider": provider})
        ada, bob = await entra.user(f"ada {provider}"), await entra.user(f"bob {provider}")
        group = await entra.group(provider, ada)
        assert await entra.members(group) == [ada]
        await entra("PUT", f"/Groups/{group}", {"displayName": provider, "members": [{"value": bob}]})
        assert await entra.members(group) == [bob]


async def test_bug_16_parallel_changes_lose_nobody(entra: Talk) -> None:
    group, leavers = await team(entra, *(f"leaver{number}" for number in range(20)))
    joiners = [await entra.user(f"joiner{number}") for number in range(20)]
    path = f"/Groups/{group}"
    await asyncio.gather(
        *(entra.patch(path, add(one)) for one in joiners),
        *(entra.patch(path, removal([{"value": one}])) for one in leavers),
    )
    assert sorted(await entra.members(group)) == sorted(joiners)


async def test_bug_17_excluded_members_are_not_even_built(
    entra: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, _ = await team(entra, "ada")
    monkeypatch.setattr("scim_operator.web.rendering.Renderer._members", None)
    for path in (f"/Groups/{group}?", "/Groups?filter=displayName+eq+%22team%22&", "/Groups?"):
        await entra("GET", f"{path}excludedAttributes=members")
