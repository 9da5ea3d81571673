"""What a replica says to have sent before (rule 19): if it was carried out then, it is a success now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from scim_operator.scim.schemas import USER
from scim_operator.web.forwarding import REPEATED
from tests.directory.provider import replace
from tests.web.endpoint import TOKENS, Endpoint

RENAME = {"Operations": [replace("title", "Dr")]}
PUT = {"userName": "ada", "title": "Dr"}


class Hop:
    """Another replica that passes on to this one."""

    def __init__(self, http: TestClient[Any, Any]) -> None:
        self._http = http

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        repeated: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {TOKENS['entra']}", **(headers or {})}
        if repeated:
            sent[REPEATED] = "true"
        answer = await self._http.request(method, f"/scim/v2/entra{path}", json=body, headers=sent)
        text = await answer.read()
        return answer.status, (await answer.json(content_type=None)) if text else None


@pytest_asyncio.fixture
async def hop(endpoint: Endpoint) -> AsyncIterator[Hop]:
    async with TestClient(TestServer(endpoint.scim.internal_application())) as http:
        yield Hop(http)


@pytest.mark.parametrize("path", ["/Users/{}", "/Bulk"])
async def test_delete_of_what_is_gone(endpoint: Endpoint, hop: Hop, path: str) -> None:
    ada = await endpoint.user()
    target = f"/Users/{ada.id}"

    async def delete(*, repeated: bool = True) -> str:
        if path == "/Bulk":
            operations = {"Operations": [{"method": "DELETE", "path": target}]}
            answer: Any = (await hop.ask("POST", "/Bulk", operations, repeated=repeated))[1]
            return str(answer["Operations"][0]["status"])
        return str((await hop.ask("DELETE", target, repeated=repeated))[0])

    assert [await delete(repeated=False), await delete(), await delete(repeated=False)] == [
        "204",
        "204",
        "404",
    ]


@pytest.mark.parametrize(("method", "body"), [("PATCH", RENAME), ("PUT", PUT)])
async def test_change_of_a_version_that_it_changed_itself(
    endpoint: Endpoint, hop: Hop, method: str, body: Any
) -> None:
    ada = await endpoint.user()
    headers = {"If-Match": 'W/"1"', "X-Request-Id": str(uuid4())}
    first = await hop.ask(method, f"/Users/{ada.id}", body, repeated=False, headers=headers)
    before = endpoint.stored(ada)
    assert await hop.ask(method, f"/Users/{ada.id}", body, headers=headers) == first
    assert endpoint.stored(ada) == before
    assert (await hop.ask(method, f"/Users/{ada.id}", body, repeated=False, headers=headers))[0] == 412
    # Somebody else has changed it since.
    await endpoint.patch(ada, replace("nickName", "A"))
    assert (await hop.ask(method, f"/Users/{ada.id}", body, headers=headers))[0] == 412


async def test_a_client_that_gives_all_its_requests_one_id(endpoint: Endpoint, hop: Hop) -> None:
    """What comes as a repetition may be new: no reason not to do it."""
    ada, headers = await endpoint.user(), {"X-Request-Id": "sync-cycle-7"}
    await hop.ask("PATCH", f"/Users/{ada.id}", RENAME, repeated=False, headers=headers)
    disable = {"Operations": [replace("active", False)]}
    assert (await hop.ask("PATCH", f"/Users/{ada.id}", disable, headers=headers))[0] == 200
    assert endpoint.stored(ada)["spec"]["active"] is False


async def test_change_of_what_it_has_removed_itself(endpoint: Endpoint, hop: Hop) -> None:
    ada, headers = await endpoint.user(), {"X-Request-Id": str(uuid4())}
    mail = {"value": "a@example.com", "type": "work"}
    await endpoint.patch(ada, {"op": "add", "path": "emails", "value": [mail]})
    moved = {"Operations": [replace('emails[value sw "a"].value', "b@example.com")]}
    first = await hop.ask("PATCH", f"/Users/{ada.id}", moved, repeated=False, headers=headers)
    assert first[0] == 200
    assert await hop.ask("PATCH", f"/Users/{ada.id}", moved, headers=headers) == first
    assert (await hop.ask("PATCH", f"/Users/{ada.id}", moved, repeated=False, headers=headers))[0] == 400


async def test_operation_of_a_bulk_on_a_version_that_it_changed_itself(endpoint: Endpoint, hop: Hop) -> None:
    ada, request = await endpoint.user(), {"X-Request-Id": str(uuid4())}
    rename = {"method": "PATCH", "path": f"/Users/{ada.id}", "version": 'W/"1"', "data": RENAME}
    for repeated in (False, True):
        _, answer = await hop.ask(
            "POST", "/Bulk", {"Operations": [rename]}, repeated=repeated, headers=request
        )
        assert answer["Operations"][0]["status"] == "200"


async def test_post_of_what_was_made(endpoint: Endpoint, hop: Hop) -> None:
    headers = {"X-Request-Id": str(uuid4())}
    first = await hop.ask("POST", "/Users", {"userName": "ada"}, repeated=False, headers=headers)
    assert first[0] == 201
    assert await hop.ask("POST", "/Users", {"userName": "ada"}, headers=headers) == first
    assert endpoint.index.count("entra", USER.name) == 1


async def test_operations_of_a_bulk_that_was_cut_short(endpoint: Endpoint, hop: Hop) -> None:
    """The request has changed the user before, and yet not all of it was done."""
    ada, request = await endpoint.user(), {"X-Request-Id": str(uuid4())}
    rename = {"method": "PATCH", "path": f"/Users/{ada.id}", "data": RENAME}
    nick = {**rename, "data": {"Operations": [replace("nickName", "A")]}}
    await hop.ask("POST", "/Bulk", {"Operations": [rename]}, repeated=False, headers=request)
    status, answer = await hop.ask("POST", "/Bulk", {"Operations": [rename, nick]}, headers=request)
    assert (status, [item["status"] for item in answer["Operations"]]) == (200, ["200", "200"])
    assert endpoint.stored(ada)["spec"]["nickName"] == "A"


async def test_nobody_says_so_from_outside(endpoint: Endpoint) -> None:
    answer = await endpoint.ask("DELETE", "/Users/none", headers={REPEATED: "true"})
    assert answer.status == 404
