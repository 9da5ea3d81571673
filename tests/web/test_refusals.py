"""Every refusal is a SCIM Error with SCIM's media type, whatever raised it (Okta fails on anything else)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from scim_operator.directory.index import Index
from scim_operator.directory.tokens import Tokens
from scim_operator.kube.errors import ApiError
from scim_operator.web.bodies import MAX_BODY
from tests.directory.people import listed
from tests.directory.provider import replace
from tests.web.endpoint import TOKENS, Endpoint

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


async def refusal(
    asked: Awaitable[aiohttp.ClientResponse], status: int, scim_type: str | None = None
) -> aiohttp.ClientResponse:
    """The answer, after a look at what every refusal has in common."""
    answer = await asked
    body = await answer.json(content_type="application/scim+json")
    assert answer.status == status, body
    assert answer.content_type == "application/scim+json"
    assert answer.headers["X-Request-Id"]
    assert body["schemas"] == [ERROR]
    assert body["status"] == str(status)
    assert body["detail"]
    assert body.get("scimType") == scim_type
    return answer


# --- 401 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKENS['entra']}", TOKENS["entra"]),
        *(f"Bearer {TOKENS['okta']}", f"Bearer {TOKENS['entra']}x", f"Bearer {TOKENS['entra']}, x"),
    ],
)
async def test_no_valid_token(endpoint: Endpoint, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("GET", "/Users"), ("POST", "/Users"), ("PUT", "/x"), ("GET", "/Schemas")):
        answer = await refusal(endpoint.ask(method, path, token=None, headers=headers), 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_unknown_directory_is_like_a_bad_token(endpoint: Endpoint) -> None:
    known = await refusal(endpoint.ask("GET", "/Users", token="x"), 401)
    unknown = await refusal(endpoint.ask("GET", "/Users", directory="nobody"), 401)
    nothing = await refusal(endpoint.ask("GET", "", directory=""), 401)
    assert await known.json() == await unknown.json() == await nothing.json()


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_spellings_of_the_scheme(endpoint: Endpoint, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKENS['entra']}"}
    assert (await endpoint.ask("GET", "/Users", token=None, headers=headers)).status == 200


async def test_bytes_that_are_no_text_in_the_token(endpoint: Endpoint) -> None:
    head = b"GET /scim/v2/entra/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = await endpoint.raw(head + b"Authorization: Bearer \xff\xfe\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"application/scim+json" in answer


@pytest.mark.parametrize(
    "query", ["filter=%FF", "filter=userName%20eq%20%22%ED%B2%80%22", "attributes=%FF", "startIndex=%FF"]
)
async def test_bytes_that_are_no_text_in_the_query(endpoint: Endpoint, query: str) -> None:
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {TOKENS['entra']}\r\n\r\n"
    answer = await endpoint.raw(f"GET /scim/v2/entra/Users?{query} HTTP/1.1\r\n{head}".encode())
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 200"))
    assert b"application/scim+json" in answer


# --- 404, 405, 413 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/Me", "/me/", "/Me/x", "/Me?attributes=id"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_nobody_is_me(endpoint: Endpoint, method: str, path: str) -> None:
    answer = await refusal(endpoint.ask(method, path, None if method == "GET" else {}), 501)
    assert "token" in (await answer.json())["detail"]
    await refusal(endpoint.ask(method, path, token="wrong"), 401)


@pytest.mark.parametrize(
    "path", ["/scim/v1/entra/Users", "/scim/1.1/entra/Users", "/scim/v3/", "/scim/v2.1/x"]
)
async def test_other_versions_of_scim(endpoint: Endpoint, path: str) -> None:
    await refusal(endpoint.http.get(path), 400, "invalidVers")


@pytest.mark.parametrize("text", ['password eq "x"', 'not (userName pr or PASSWORD sw "x")', "password pr"])
async def test_secret_in_a_url(endpoint: Endpoint, text: str) -> None:
    ada = await endpoint.user(password="x")
    for path in ("/Users", ""):
        await refusal(endpoint.ask("GET", f"{path}?filter={text}"), 403, "sensitive")
    # In a body it harms nobody, and finds nobody.
    found = await (await endpoint.ask("POST", "/Users/.search", {"filter": text})).json(content_type=None)
    assert found["totalResults"] == 0
    assert "password" not in endpoint.stored(ada)["spec"]


@pytest.mark.parametrize("path", ["/Schemas/.search", "/.search/x", "/Bulk/x", "/Users/.search/x"])
async def test_endpoint_that_there_is_not(endpoint: Endpoint, path: str) -> None:
    await refusal(endpoint.ask("POST", path, {}), 404)


@pytest.mark.parametrize("path", ["/.search", "/Groups/.search", "/Bulk"])
async def test_endpoint_that_is_posted_to(endpoint: Endpoint, path: str) -> None:
    answer = await refusal(endpoint.ask("GET", path), 405)
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Schemas/x"])
async def test_discovery_is_not_filtered(endpoint: Endpoint, path: str) -> None:
    await refusal(endpoint.ask("GET", path + '?filter=id eq "x"'), 403)
    assert (await endpoint.ask("GET", "/Schemas?sortBy=id&count=1")).status == 200


@pytest.mark.parametrize(
    "path", ["/Users/nobody", "/Groups/nobody", "/Users/1/2", "/Schemas/x", "/ResourceTypes/x"]
)
async def test_not_found(endpoint: Endpoint, path: str) -> None:
    await refusal(endpoint.ask("GET", path), 404)


async def test_not_found_outside_of_the_api(endpoint: Endpoint) -> None:
    for path in ("/", "/scim/v2", "/scim/entra/Users", "/favicon.ico"):
        await refusal(endpoint.http.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/Users", {"GET", "POST"}),
        ("PATCH", "/Groups", {"GET", "POST"}),
        ("POST", "/Users/1", {"GET", "PATCH", "DELETE"}),
        ("POST", "/ServiceProviderConfig", {"GET"}),
        ("DELETE", "/Schemas", {"GET"}),
        ("POST", "", {"GET"}),
    ],
)
async def test_method_that_is_not_allowed(
    endpoint: Endpoint, method: str, path: str, allowed: set[str]
) -> None:
    answer = await refusal(endpoint.ask(method, path), 405)
    assert allowed <= {name.strip() for name in answer.headers["Allow"].split(",")}


async def test_body_that_is_too_large(endpoint: Endpoint) -> None:
    await refusal(endpoint.ask("POST", "/Users", b" " * (MAX_BODY + 1)), 413)
    endpoint.api.refuse["create", "scimusers"] = ApiError(500, "", "etcdserver: request is too large")
    await refusal(endpoint.ask("POST", "/Users", {"userName": "a"}), 413)


# --- 400, 409 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"text"', b"\xff", '{"a": "\\ud800"}', "[" * 10_000, "<html>"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/Users"), ("PATCH", "/Users/{id}")])
async def test_body_that_is_no_object(endpoint: Endpoint, method: str, path: str, body: Any) -> None:
    ada = await endpoint.user()
    await refusal(endpoint.ask(method, path.format(id=ada.id), body), 400, "invalidSyntax")


async def test_query_that_makes_no_sense(endpoint: Endpoint) -> None:
    for query in ("filter=userName", "filter=", "FILTER=%20"):
        await refusal(endpoint.ask("GET", f"/Users?{query}"), 400, "invalidFilter")
    await refusal(endpoint.ask("GET", "/Users?count=many"), 400, "invalidValue")
    await refusal(endpoint.ask("GET", "/Users?startIndex=1.5"), 400, "invalidValue")
    await refusal(endpoint.ask("GET", "/Users?startIndex=" + "9" * 5000), 400, "invalidValue")
    await refusal(endpoint.ask("GET", "/Users?attributes=id&excludedAttributes=name"), 400, "invalidValue")


async def test_bad_projection_is_refused_before_anything_is_written(endpoint: Endpoint) -> None:
    query = "?attributes=id&excludedAttributes=name"
    await refusal(endpoint.ask("POST", "/Users" + query, {"userName": "a"}), 400, "invalidValue")
    assert endpoint.names() == []


async def test_taken_name(endpoint: Endpoint) -> None:
    await endpoint.user("ada")
    await refusal(endpoint.ask("POST", "/Users", {"userName": "ADA"}), 409, "uniqueness")


# --- 500, 503 ----------------------------------------------------------------------------------------------


async def test_failure_of_ours_names_the_log_line(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.api.refuse["create", "scimusers"] = ApiError(
        403, "Forbidden", 'scimusers "grace-hopper-1234567890" is forbidden'
    )
    asked = endpoint.ask("POST", "/Users", {"userName": "a"}, headers={"X-Request-Id": "trace-7"})
    answer = await refusal(asked, 500)
    detail = (await answer.json())["detail"]
    assert "trace-7" in detail
    (line,) = (vars(record) for record in caplog.records if record.levelname == "ERROR")
    told = {name: line[name] for name in ("request_id", "kind", "api_status", "reason")}
    assert told == {"request_id": "trace-7", "kind": "ScimUser", "api_status": 403, "reason": "Forbidden"}
    # The API server names the object, and by it the person.
    assert "grace" not in detail
    assert "grace" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_writes_while_the_api_server_is_away(endpoint: Endpoint) -> None:
    ada = await endpoint.user()
    endpoint.api.away = True
    for method, path, body in (
        ("POST", "/Users", {"userName": "bob"}),
        ("PATCH", f"/Users/{ada.id}", {"Operations": [replace("active", "False")]}),
        ("DELETE", f"/Users/{ada.id}", None),
    ):
        answer = await refusal(endpoint.ask(method, path, body), 503)
        assert int(answer.headers["Retry-After"]) > 0
    # reads go on
    assert (await endpoint.ask("GET", f"/Users/{ada.id}")).status == 200
    assert (await (await endpoint.ask("GET", "/Users")).json())["totalResults"] == 1


async def test_directory_that_is_missing(endpoint: Endpoint) -> None:
    answer = await refusal(endpoint.ask("GET", "/Users", token=TOKENS["ghost"], directory="ghost"), 503)
    assert int(answer.headers["Retry-After"]) > 0


async def test_before_the_first_listing_nobody_is_missing(endpoint: Endpoint) -> None:
    endpoint.scim._index = endpoint.store.index = Index(lambda: 0.0)
    listed(endpoint.store.index, "User", [], "1")
    for method, path, body in (
        ("GET", "/Users", None),
        ("GET", '/Users?filter=userName eq "x"', None),
        ("GET", "/Users/x", None),
        ("POST", "/Users", {"userName": "a"}),
        ("PATCH", "/Users/x", {"Operations": []}),
        ("DELETE", "/Users/x", None),
        ("GET", "/Groups", None),
    ):
        answer = await refusal(endpoint.ask(method, path, body), 503)
        assert "Retry-After" in answer.headers
    assert endpoint.names() == []
    assert (await endpoint.ask("GET", "/ServiceProviderConfig")).status == 200


async def test_before_the_tokens_are_known_none_is_wrong(endpoint: Endpoint) -> None:
    endpoint.scim._tokens = Tokens(endpoint.tokens._now)
    answer = await refusal(endpoint.ask("GET", "/Users"), 503)
    assert "WWW-Authenticate" not in answer.headers


# --- request ids and the log -------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc-1", "A.b:c_9", "x" * 128])
async def test_request_id_is_kept(endpoint: Endpoint, given: str) -> None:
    answer = await endpoint.ask("POST", "/Users", {"userName": "a"}, headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given
    assert endpoint.stored(endpoint.index.all("entra", "User")[0])["spec"]["meta"]["request"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a;b", "<script>"])
async def test_request_id_that_could_do_harm_is_replaced(endpoint: Endpoint, given: str) -> None:
    answer = await endpoint.ask("GET", "/Users", headers={"X-Request-Id": given})
    assert len(answer.headers["X-Request-Id"]) == 36


async def test_log_tells_the_request_without_its_query(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "scim_operator")
    await endpoint.ask("GET", '/Users?filter=userName eq "ada@example.com"')
    await endpoint.ask("GET", "/Users", token="wrong-token")
    lines = [vars(record) for record in caplog.records if record.message == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/scim/v2/entra/Users", 200),
        ("GET", "/scim/v2/entra/Users", 401),
    ]
    assert all(line["request_id"] and line["milliseconds"] >= 0 for line in lines)
    printed = json.dumps([vars(record) for record in caplog.records], default=str)
    assert "ada@example.com" not in printed
    assert "wrong-token" not in printed
    assert TOKENS["entra"] not in printed


async def test_body_that_cannot_be_unpacked_is_the_clients_fault(endpoint: Endpoint) -> None:
    sent = endpoint.ask("POST", "/Users", '{"userName": "ada"}', headers={"Content-Encoding": "gzip"})
    await refusal(sent, 400, "invalidSyntax")


async def test_client_that_hangs_up_is_no_failure_of_ours(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST /scim/v2/entra/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKENS['entra']}\r\n"
    runner = web.AppRunner(endpoint.scim.application())  # a test's server cancels what nobody waits for
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    with caplog.at_level(logging.INFO):
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(f'{head}Content-Length: 100\r\n\r\n{{"userN'.encode())
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await asyncio.sleep(0.2)
    await site.stop()
    await runner.cleanup()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", ["/Users?filter=userName+eq+%22" + "%C3%A9" * 1500 + "%22"])
async def test_filter_within_the_announced_length_is_answered(endpoint: Endpoint, path: str) -> None:
    answer = await endpoint.ask("GET", path)
    assert (answer.status, answer.content_type) == (200, "application/scim+json")
