"""Small requests that would cost much: refused, or answered, before anybody notices."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from tests.web.endpoint import TOKENS, Endpoint

# Each of them took from seconds to minutes once.
LOOSE_SECONDS = 10.0
FOREIGN = "urn:example:params:scim:schemas:1.0:User"
REQUESTS: dict[str, tuple[str, Any, int]] = {
    "brackets in attributes": ("/.search", {"attributes": "[" * 8000}, 200),
    "long attributes": ("/.search", {"attributes": "[" * 50_000}, 400),
    "brackets in an unknown name": ("/Users", {"userName": "ada", "name": {"[" * 50_000: 1}}, 201),
    "large extension": ("/Users", {"userName": "ada", FOREIGN: {f"a{n}": 1 for n in range(6000)}}, 400),
    "many parts": ("/Users", {"userName": "ada", "name": {f"a{n}": 1 for n in range(6000)}}, 400),
    "many nulls": ("/Users", {"userName": "ada", **{f"a{n}": None for n in range(60_000)}}, 413),
    "many values": ("/Users", {"userName": "ada", "x": [0] * 700_000}, 413),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_it_costs_little(endpoint: Endpoint, name: str) -> None:
    path, body, status = REQUESTS[name]
    since = time.monotonic()
    answer = await endpoint.ask("POST", path, json.dumps(body))
    assert answer.status == status, await answer.text()
    assert time.monotonic() - since < LOOSE_SECONDS


ADDRESSES = [{"value": f"m{number}@x", "type": f"t{number}"} for number in range(200)]
TERMS = " or ".join(f'value co "zz{number}"' for number in range(50))
COSTLY: dict[str, dict[str, Any]] = {
    "filters": {"op": "remove", "path": f"emails[{TERMS}]"},
    "values": {"op": "add", "path": "emails", "value": ADDRESSES},
}


@pytest.mark.parametrize("name", COSTLY)
async def test_patch_costs_little(endpoint: Endpoint, name: str) -> None:
    ada = await endpoint.user("ada", emails=ADDRESSES)
    since = time.monotonic()
    sent = json.dumps({"Operations": [COSTLY[name]] * 200})
    assert (await endpoint.ask("PATCH", f"/Users/{ada.id}", sent)).status == 413
    assert time.monotonic() - since < LOOSE_SECONDS
    few = json.dumps({"Operations": [COSTLY[name]] * 2})
    assert (await endpoint.ask("PATCH", f"/Users/{ada.id}", few)).status == 200


@pytest.mark.parametrize("token", [TOKENS["entra"], "none"])
async def test_nothing_is_unpacked(endpoint: Endpoint, token: str) -> None:
    packed = gzip.compress(b"[" + b"0," * 5_000_000 + b"0]")
    answer = await endpoint.ask("POST", "/Users", packed, token=token, headers={"Content-Encoding": "gzip"})
    assert answer.status == (401 if token == "none" else 400)
    assert ("Content-Encoding" in await answer.text()) is (token != "none")


@pytest.mark.parametrize("header", [b'If-Match: "\xff"', b"If-None-Match: \xff", b"Host: a\xffb"])
async def test_header_that_is_no_text_is_refused(endpoint: Endpoint, header: bytes) -> None:
    body = b'{"userName": "ada"}'
    host = b"" if header.startswith(b"Host") else b"Host: x\r\n"
    head = b"POST /scim/v2/entra/Users HTTP/1.1\r\n" + host + header + b"\r\nConnection: close\r\n"
    token = f"Authorization: Bearer {TOKENS['entra']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    answer = await endpoint.raw(head + token + body)
    assert b" 5" not in answer.split(b"\r\n")[0]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["schemas"]


@pytest.mark.parametrize("version", [7, ['W/"7"'], {}, True, ""])
async def test_version_in_bulk_that_is_none_changes_nothing(endpoint: Endpoint, version: Any) -> None:
    made = await (await endpoint.ask("POST", "/Users", '{"userName": "ada"}')).json()
    operation = {"method": "DELETE", "path": f"/Users/{made['id']}", "version": version}
    sent = json.dumps({"Operations": [operation]})
    (result,) = (await (await endpoint.ask("POST", "/Bulk", sent)).json())["Operations"]
    assert result["status"] == "400"
    assert (await endpoint.ask("GET", f"/Users/{made['id']}")).status == 200
