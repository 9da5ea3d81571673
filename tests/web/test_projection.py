"""Which attributes an answer shows (RFC 7644 section 3.9), whatever was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.directory.records import Record
from scim_operator.scim.schemas import ENTERPRISE_URN, USER_URN
from scim_operator.web import resources
from scim_operator.web.rendering import Renderer
from tests.directory.provider import add, replace
from tests.web.endpoint import Endpoint

ALWAYS = {"schemas", "id"}
ADA: dict[str, Any] = {
    "userName": "ada",
    "password": "secret",
    "name": {"givenName": "Ada", "familyName": "L"},
    "emails": [{"type": "work", "value": "a@x"}],
    ENTERPRISE_URN: {"department": "d", "manager": {"value": "m"}},
}
WHOLE = ALWAYS | {"userName", "name", "emails", "active", "groups", "meta", ENTERPRISE_URN}


async def answered(endpoint: Endpoint, method: str, path: str, body: Any = None) -> Any:
    answer = await endpoint.ask(method, path, body)
    content = await answer.json(content_type=None)
    assert answer.status in (200, 201), content
    return content


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("attributes=userName", ALWAYS | {"userName"}),
        ("ATTRIBUTES=USERNAME,name.givenName", ALWAYS | {"userName", "name"}),
        (f"attributes={USER_URN}:userName", ALWAYS | {"userName"}),
        (f"attributes={ENTERPRISE_URN}:manager.value", ALWAYS | {ENTERPRISE_URN}),
        ("attributes=password,foo", ALWAYS),
        ("attributes=&excludedAttributes=", WHOLE),
        ("excludedAttributes=id,schemas,emails,groups", WHOLE - {"emails", "groups"}),
        (f"excludedAttributes={ENTERPRISE_URN},meta.created", WHOLE - {ENTERPRISE_URN}),
        (f"excludedAttributes={USER_URN}", ALWAYS | {"meta", ENTERPRISE_URN}),
        ("", WHOLE),
    ],
)
async def test_every_answer_shows_what_was_asked_for(endpoint: Endpoint, query: str, shown: set[str]) -> None:
    made = await answered(endpoint, "POST", f"/Users?{query}", ADA)
    await endpoint.group("team", made["id"])
    body = {"Operations": [replace("title", "")]}
    path = f"/Users/{made['id']}?{query}"
    answers = [
        await answered(endpoint, "GET", path),
        await answered(endpoint, "PUT", path, ADA),
        await answered(endpoint, "PATCH", path, body),
        (await answered(endpoint, "GET", f"/Users?{query}"))["Resources"][0],
    ]
    asked = {name: value for name, _, value in (part.partition("=") for part in query.split("&")) if name}
    answers.append((await answered(endpoint, "POST", "/Users/.search", asked))["Resources"][0])
    assert made.keys() == shown
    for answer in answers:
        assert answer.keys() == shown
        assert answer == answers[0]
        if "name" in query.split(",")[-1]:
            assert answer["name"] == {"givenName": "Ada"}


async def test_parts_of_an_extension(endpoint: Endpoint) -> None:
    made = await endpoint.user(**{ENTERPRISE_URN: ADA[ENTERPRISE_URN]})
    path = f"/Users/{made.id}"
    shown = await answered(endpoint, "GET", f"{path}?attributes={ENTERPRISE_URN}:manager")
    assert shown[ENTERPRISE_URN] == {"manager": {"value": "m"}}
    shown = await answered(endpoint, "GET", f"{path}?excludedAttributes=manager")
    assert shown[ENTERPRISE_URN] == {"department": "d"}
    assert ENTERPRISE_URN in shown["schemas"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/Users"), ("PUT", "/Users/{}"), ("PATCH", "/Users/{}")]
)
async def test_both_lists_at_once_are_refused_before_anything_is_written(
    endpoint: Endpoint, method: str, path: str
) -> None:
    bob = await endpoint.user("bob")
    endpoint.api.writes.clear()
    body = {"Operations": [replace("title", "Dr")]} if method == "PATCH" else ADA
    query = "?attributes=id&excludedAttributes=meta"
    refused = await endpoint.ask(method, path.format(bob.id) + query, body)
    assert (refused.status, (await refused.json(content_type=None))["scimType"]) == (400, "invalidValue")
    assert endpoint.api.writes == []


async def test_large_group_is_answered_without_members_and_what_else_is_excluded(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_MEMBERS_IN_PATCH", 1)
    ada, bob = await endpoint.user("ada"), await endpoint.user("bob")
    team = await endpoint.group("team", ada.id)
    body = {"Operations": [add(bob.id)]}
    shown = await answered(endpoint, "PATCH", f"/Groups/{team.id}?excludedAttributes=meta", body)
    assert shown.keys() == ALWAYS | {"displayName"}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "LIST"])
async def test_members_are_not_built_when_excluded(
    endpoint: Endpoint, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await endpoint.user()
    team = await endpoint.group("team", ada.id)
    monkeypatch.setattr("scim_operator.web.rendering.Renderer._members", None)
    body = {"PUT": {"displayName": "team"}, "PATCH": {"Operations": [replace("displayName", "t")]}}.get(
        method
    )
    path = "/Groups" if method == "LIST" else f"/Groups/{team.id}"
    await answered(
        endpoint, "GET" if method == "LIST" else method, f"{path}?excludedAttributes=members", body
    )


async def test_lists_in_parts(endpoint: Endpoint) -> None:
    await endpoint.user("ada", title="Dr", nickName="A")
    shown = await answered(endpoint, "GET", "/Users?attributes=userName&ATTRIBUTES=title,nickName")
    assert shown["Resources"][0].keys() == ALWAYS | {"userName", "title", "nickName"}
    shown = await answered(endpoint, "GET", "/Users?excludedAttributes=title&excludedAttributes=meta")
    assert not {"title", "meta"} & shown["Resources"][0].keys()


@pytest.mark.parametrize("name", ["filter", "sortBy", "sortOrder", "startIndex", "count", "cursor"])
async def test_parameter_with_two_values_is_refused(endpoint: Endpoint, name: str) -> None:
    refused = await endpoint.ask("GET", f"/Users?{name}=a&{name.upper()}=b")
    error = await refused.json(content_type=None)
    assert (refused.status, error["scimType"]) == (400, "invalidValue")
    assert error["detail"].startswith(f"{name} is given twice")


async def test_groups_of_a_page_are_made_once(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred users in three hundred groups each it would be thirty thousand times."""
    people = [await endpoint.user(f"u{number}") for number in range(10)]
    for number in range(10):
        await endpoint.group(f"g{number}", *(one.id for one in people))
    made: list[str] = []
    location = Renderer.location

    def counted(renderer: Renderer, record: Record) -> str:
        made.append(record.type)
        return location(renderer, record)

    monkeypatch.setattr(Renderer, "location", counted)
    shown = await answered(endpoint, "GET", "/Users")
    assert all(len(one["groups"]) == 10 for one in shown["Resources"])
    assert made.count("Group") == 10
