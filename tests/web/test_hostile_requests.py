"""Limits, wrong types and hostile text in every position: 400 or 413 in SCIM form, or kept as sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from scim_operator.scim.filter_parser import MAX_DEPTH, MAX_LENGTH
from scim_operator.scim.foreign import MAX_ATTRIBUTES, MAX_EXTENSIONS
from scim_operator.scim.operations import MAX_OPERATIONS
from scim_operator.scim.schemas import ENTERPRISE_URN
from scim_operator.scim.values import MAX_DEPTH as MAX_NESTING
from scim_operator.scim.values import MAX_VALUES
from scim_operator.web.bodies import MAX_BODY
from tests.web.endpoint import TOKENS, Endpoint
from tests.web.talk import Json, Talk

EXTENSION = "urn:example:ext:2.0:User"
HEAD = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {TOKENS['entra']}\r\nContent-Length: 0\r\n\r\n"


@pytest_asyncio.fixture
async def entra(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"x": value}
    return value


# --- limits: what just fits, and one more ------------------------------------------------------------------

LIMITED: dict[str, tuple[int, Callable[[int], Json]]] = {
    "values of an attribute": (MAX_VALUES, lambda n: {"emails": [{"value": f"{i}@x.org"} for i in range(n)]}),
    "extensions": (MAX_EXTENSIONS, lambda n: {f"urn:x:{i}": {"a": "b"} for i in range(n)}),
    "attributes of one": (MAX_ATTRIBUTES, lambda n: {EXTENSION: {f"a{i}": "b" for i in range(n)}}),
    "depth of one": (MAX_NESTING, lambda n: {EXTENSION: {"a": nested(n)}}),
}


@pytest.mark.parametrize("name", LIMITED)
async def test_limit_of_a_resource(entra: Talk, name: str) -> None:
    most, made = LIMITED[name]
    user, too_much = await entra.user(**made(most)), made(most + 1)
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{user}")):
        assert (await entra(method, path, {"userName": "bob", **too_much}, 400))["scimType"] == "invalidValue"
    said = await entra.patch(f"/Users/{user}", {"op": "add", "value": too_much}, status=400)
    assert said["scimType"] == "invalidValue"
    assert len(entra.endpoint.names()) == 1


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        tuple(f'userName eq "{"a" * (MAX_LENGTH + more - 14)}"' for more in (0, 1)),
        tuple(f"{'(' * depth}active eq true{')' * depth}" for depth in (MAX_DEPTH, MAX_DEPTH + 1)),
        tuple("not (" * depth + "active eq true" + ")" * depth for depth in (MAX_DEPTH, MAX_DEPTH + 1)),
    ],
)
async def test_limit_of_a_filter(entra: Talk, fits: str, too_much: str) -> None:
    await entra("POST", "/Users/.search", {"filter": fits})
    await entra.find("Users", fits)
    assert (await entra("POST", "/Users/.search", {"filter": too_much}, 400))["scimType"] == "invalidFilter"
    assert (await entra("GET", f"/Users?filter={too_much}", None, 400))["scimType"] == "invalidFilter"


async def test_limit_of_operations(entra: Talk) -> None:
    path = f"/Users/{await entra.user()}"
    one = {"op": "add", "path": "title", "value": "t"}
    await entra.patch(path, *[one] * MAX_OPERATIONS)
    said = await entra.patch(path, *[one] * (MAX_OPERATIONS + 1), status=413)
    assert str(MAX_OPERATIONS) in said["detail"]


async def test_limit_of_a_body(entra: Talk) -> None:
    path = f"/Users/{await entra.user()}"
    body = b'{"userName": "ada", "nickName": "'
    fits = body + b"n" * (MAX_BODY - len(body) - 2) + b'"}'
    assert len(fits) == MAX_BODY
    await entra("PUT", path, fits)
    await entra("PUT", path, fits + b" ", 413)
    await entra("POST", "/Users", fits + b" ", 413)


# --- bodies that make no sense -----------------------------------------------------------------------------

WRONG_TYPES: dict[str, Json] = {
    "userName a number": {"userName": 5},
    "userName a boolean": {"userName": True},
    "userName an object": {"userName": {"x": "y"}},
    "userName a list": {"userName": ["a", "b"]},
    "userName missing": {},
    "userName null": {"userName": None},
    "userName blank": {"userName": " \t"},
    "name a string": {"userName": "a", "name": "Ada"},
    "name a number": {"userName": "a", "name": 5},
    "part of a name a number": {"userName": "a", "name": {"givenName": 5}},
    "emails a number": {"userName": "a", "emails": 5},
    "e-mail a number": {"userName": "a", "emails": [5]},
    "e-mail in a list in a list": {"userName": "a", "emails": [[["a@x.org"]], "b@x.org"]},
    "value of an e-mail an object": {"userName": "a", "emails": [{"value": {"x": "y"}}]},
    "primary a number": {"userName": "a", "emails": [{"value": "a", "primary": 1}]},
    "active a number": {"userName": "a", "active": 0},
    "active a word": {"userName": "a", "active": "nope"},
    "externalId a huge number": {"userName": "a", "externalId": 10**400},
    "extension a string": {"userName": "a", ENTERPRISE_URN: "x"},
    "extension a list": {"userName": "a", ENTERPRISE_URN: [1, 2]},
    "manager of two": {"userName": "a", ENTERPRISE_URN: {"manager": ["1", "2"]}},
}


@pytest.mark.parametrize("name", WRONG_TYPES)
async def test_wrong_type(entra: Talk, name: str) -> None:
    ada = await entra.user()
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{ada}")):
        said = await entra(method, path, WRONG_TYPES[name], 400)
        assert said["scimType"] in ("invalidValue", "invalidSyntax")
    assert entra.endpoint.api.writes == [("create", "scimusers", entra.endpoint.names()[0])]


@pytest.mark.parametrize(
    "members",
    [5, True, "no such id", [5], [{}], [{"value": 5}], [{"value": ""}], [[]], [None], [["x"]], {"x": 1}],
)
async def test_members_of_a_wrong_type(entra: Talk, members: Any) -> None:
    ada = await entra.user()
    team = await entra.group("team", ada)
    for method, path in (("POST", "/Groups"), ("PUT", f"/Groups/{team}")):
        assert (await entra(method, path, {"displayName": "x", "members": members}, 400))["scimType"]
    for op in ("add", "replace"):
        said = await entra.patch(
            f"/Groups/{team}", {"op": op, "path": "members", "value": members}, status=400
        )
        assert said["scimType"] == "invalidValue"
    assert await entra.members(team) == [ada]


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "9" * 400, "1" + "0" * 25, "NaN", "Infinity", "0x1F", "01"]
)
async def test_number_beyond_measure(entra: Talk, number: str) -> None:
    body = f'{{"userName": "ada", "{EXTENSION}": {{"n": {number}}}}}'
    answer = await entra.endpoint.ask("POST", "/Users", body)
    said = await answer.json(content_type="application/scim+json")
    assert answer.status in (201, 400)
    assert answer.status == 400 or isinstance(said[EXTENSION]["n"], int | float)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"userName": "a"',
        b'{"userName": "a"} {}',
        b'{"userName": "a",}',
        b"{'userName': 'a'}",
        b'{"userName": "\\ud800"}',
        b'{"\\udfff": "a"}',
        b'{"userName": "\xff"}',
        b'{"userName": "\xc0\xaf"}',
        b'{"userName": "a\nb"}',
        '{"userName": "a"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\0",
        b"userName=a&active=true",
        b"<User/>",
    ],
)
async def test_malformed_json(entra: Talk, method: str, body: bytes) -> None:
    ada = await entra.user()
    path = "/Users" if method == "POST" else f"/Users/{ada}"
    assert (await entra(method, path, body, 400))["scimType"] == "invalidSyntax"
    assert len(entra.endpoint.api.writes) == 1


async def test_of_duplicate_keys_the_last_one_counts(entra: Talk) -> None:
    made = await entra(
        "POST", "/Users", '{"userName": "a", "active": true, "userName": "b", "ACTIVE": false}', 201
    )
    assert (made["userName"], made["active"]) == ("b", False)
    twice = (
        '{"Operations": [{"op": "add", "op": "replace", "path": "title", "path": "nickName", "value": "n"}]}'
    )
    shown = await entra("PATCH", f"/Users/{made['id']}", twice)
    assert (shown.get("title"), shown["nickName"]) == (None, "n")


# --- text of every kind, in every position -----------------------------------------------------------------

TEXTS = {
    "accents": "Zoë Ünïcødé",
    "right to left": "עדה שלום",
    "combining": "Zoe\u0308",
    "beyond the basic plane": "😀 \U0001d538\U0001d555\U0001d552",
    "full width": "\uff21\uff24\uff21",
    "NUL": "a\0b",
    "controls": "a\x1bcb\x07\x7f",
    "lines": "a\r\nSet-Cookie: x\n\nb",
    "direction marks": "a\u202eb\u2066c",
    "quotes": "a\"b'c\\d",
    "markup": "<script>alert(1)</script>",
    "a path": "../../../etc/passwd",
    "percents": "100%25 %s %00",
    "non-character": "a\uffff\ufdd0",
    "byte order mark": "\ufeffada",
    "long": "x" * 2000,
}


@pytest.mark.parametrize("name", TEXTS)
async def test_text_comes_back_as_sent(entra: Talk, name: str) -> None:
    text = TEXTS[name]
    body = {
        "externalId": text,
        "displayName": text,
        "name": {"givenName": text},
        "emails": [{"type": text, "value": text}],
        ENTERPRISE_URN: {"department": text, "manager": {"value": text}},
        EXTENSION: {"a": text, "list": [text]},
    }
    made = await entra("POST", "/Users", {"userName": text, **body}, 201)
    shown = await entra("GET", f"/Users/{made['id']}")
    assert shown == made == {**shown, "userName": text, **body}
    group = await entra.group(text, made["id"], externalId=text)
    literal = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for attribute in ("userName", "externalId", "displayName", "name.givenName", "emails.value", "manager"):
        assert [one["id"] for one in await entra.find("Users", f"{attribute} eq {literal}")] == [made["id"]]
    assert [one["id"] for one in await entra.find("Users", f"emails[type eq {literal}].value sw {literal}")]
    assert [one["id"] for one in await entra.find("Groups", f"displayName eq {literal}")] == [group]
    operation = {"op": "replace", "path": f"emails[type eq {literal}].value", "value": "changed"}
    changed = await entra.patch(f"/Users/{made['id']}", operation)
    assert changed["emails"] == [{"type": text, "value": "changed"}]
    assert (await entra("POST", "/Users", {"userName": text}, 409))["scimType"] == "uniqueness"


@pytest.mark.parametrize("name", TEXTS)
async def test_text_where_none_of_ours_stands(entra: Talk, name: str) -> None:
    text = TEXTS[name]
    ada = await entra.user()
    await entra.patch(f"/Users/{ada}", {"op": "replace", "value": {text: "x"}})  # an unknown attribute
    assert (await entra.patch(f"/Users/{ada}", {"op": text, "path": "title", "value": "x"}, status=400))[
        "detail"
    ]
    if name != "long":  # an unknown attribute of 2,000 letters, but a name
        await entra.patch(f"/Users/{ada}", {"op": "add", "path": text, "value": "x"}, status=400)
    group = await entra.group()
    await entra.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": text}, status=400)
    await entra.patch(f"/Groups/{group}", {"op": "remove", "path": "members", "value": text})
    shown = await entra("POST", "/Users/.search", {"attributes": [text], "count": 1})
    assert shown["Resources"] == [{"schemas": shown["Resources"][0]["schemas"], "id": ada}]


PATHS = {
    "bad percent": "/Users/%",
    "bad digits": "/Users/%zz",
    "half a letter": "/Users/%C3",
    "surrogate": "/Users/%ED%A0%80",
    "overlong": "/Users/%C0%AF",
    "NUL": "/Users/%00",
    "slash": "/Users/%2e%2e%2f",
    "dots": "/Users/..%5c..",
    "emoji": "/Users/%F0%9F%98%80",
    "line break": "/Users/a%0d%0aSet-Cookie:x",
    "endpoint": "/%55sers%00/x",
    "long": "/Users/" + "x" * 7000,
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_odd_paths_find_nobody(entra: Talk, method: str, name: str) -> None:
    await entra.user()
    answer = await entra.endpoint.raw(f"{method} /scim/v2/entra{PATHS[name]} HTTP/1.1\r\n{HEAD}".encode())
    assert answer.split(b" ")[1] in (b"404", b"400"), answer
    assert b"application/scim+json" in answer
    assert b"\r\nSet-Cookie" not in answer
    assert len(entra.endpoint.names()) == 1


@pytest.mark.parametrize(
    "query", ["filter=%", "filter=%zz", "filter=%00", "count=%E0", "attributes=%ED%A0%80", "%=%"]
)
async def test_odd_queries(entra: Talk, query: str) -> None:
    await entra.user()
    answer = await entra.endpoint.raw(f"GET /scim/v2/entra/Users?{query} HTTP/1.1\r\n{HEAD}".encode())
    assert answer.split(b" ")[1] in (b"200", b"400"), answer
    assert b"application/scim+json" in answer


@pytest.mark.parametrize(
    "path",
    [
        *("//Users", "///Users//", "/users", "/USERS/", "/Users?", "/Users?&&=&", "/Users?aadOptscim062020"),
        *("/aadOptscim062020/Users", "/AADOPTSCIM062020//Users", "/Users/aadOptscim062020"),
        *("/AzureAdScimPatch062020/Users", "/AzureAdScimPatch2017/Users", "?aadOptscim062020=true/Users"),
        "?aadOptscim062020/Users",
    ],
)
async def test_spellings_of_a_url(entra: Talk, path: str) -> None:
    await entra.user()
    assert (await entra("GET", path))["totalResults"] == 1
