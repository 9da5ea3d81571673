"""Every scimType of RFC 7644 (table 9) and RFC 9865: a request that gets it, and its line in docs/scim.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from scim_operator.scim.cursors import CURSOR_SECONDS
from scim_operator.web import listing
from tests.directory.provider import replace
from tests.web.documented import DOCUMENT
from tests.web.endpoint import Endpoint

TYPES = {
    *("invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget"),
    *("invalidValue", "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount"),
}
USER, GROUPS = "/Users/id-1", "/Groups"


def patch(*operations: Any) -> dict[str, Any]:
    return {"Operations": list(operations)}


REQUESTS: dict[str, list[tuple[str, str, Any]]] = {
    "invalidFilter": [
        ("GET", "/Users?filter=userName", None),
        ("GET", "/Users?filter=active gt true", None),
        ("POST", "/.search", {"filter": "a eq"}),
    ],
    "tooMany": [("GET", GROUPS, None), ("POST", "/.search", {})],
    "uniqueness": [("POST", "/Users", {"userName": "ADA"}), ("PUT", "/Users/id-2", {"userName": "ada"})],
    "mutability": [
        ("PATCH", USER, patch(replace("id", "x"))),
        ("PATCH", USER, patch({"op": "remove", "path": "userName"})),
        ("PATCH", "/Groups/id-3", patch(replace("members.value", "x"))),
    ],
    "invalidSyntax": [("POST", "/Users", "{"), ("PATCH", USER, {}), ("POST", "/Bulk", {})],
    "invalidPath": [("PATCH", USER, patch(replace("emails[type", "x")))],
    "noTarget": [("PATCH", USER, patch({"op": "remove"}))],
    "invalidValue": [
        ("POST", "/Users", {}),
        ("PATCH", USER, patch(replace("active", "perhaps"))),
        ("GET", "/Users?sortBy=name", None),
        ("PUT", USER, {"userName": "ada", "emails": 5}),
    ],
    "sensitive": [("GET", "/Users?filter=password eq x", None)],
    "invalidCursor": [("GET", "/Users?cursor=x", None), ("POST", "/.search", {"cursor": 1})],
    "invalidCount": [("GET", "/Users?cursor&count=0", None)],
}
STATUS = {"uniqueness": 409, "sensitive": 403}


@pytest.mark.parametrize("scim_type", REQUESTS)
async def test_scim_type(endpoint: Endpoint, scim_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = await endpoint.user("ada"), await endpoint.user("bob")
    for name in ("a", "b"):
        await endpoint.group(name, ada.id, bob.id)
    monkeypatch.setattr(listing, "MAX_MEMBERS", 3)
    for method, path, body in REQUESTS[scim_type]:
        answer = await endpoint.ask(method, path, body)
        error = await answer.json(content_type=None)
        assert (answer.status, error.get("scimType")) == (STATUS.get(scim_type, 400), scim_type), path
        assert error["status"] == str(answer.status)
        assert error["detail"]


async def test_expired_cursor(endpoint: Endpoint) -> None:
    for name in ("ada", "bob"):
        await endpoint.user(name)
    page = await (await endpoint.ask("GET", "/Users?count=1&cursor")).json(content_type=None)
    now: Callable[[], int] = endpoint.scim._lists._now
    endpoint.scim._lists._now = lambda: now() + CURSOR_SECONDS + 1
    answer = await endpoint.ask("GET", f"/Users?cursor={page['nextCursor']}")
    assert (answer.status, (await answer.json(content_type=None))["scimType"]) == (400, "expiredCursor")


async def test_other_version(endpoint: Endpoint) -> None:
    answer = await endpoint.http.get("/scim/v1/entra/Users")
    assert (answer.status, (await answer.json(content_type=None))["scimType"]) == (400, "invalidVers")


def test_all_are_here_and_on_the_page() -> None:
    assert REQUESTS.keys() | {"expiredCursor", "invalidVers"} == TYPES
    assert set(re.findall(r"^\| `(\w+)` \| 40[039] \|", DOCUMENT.read_text(), re.MULTILINE)) == TYPES
