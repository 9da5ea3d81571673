"""What is no HTTP, or hardly: answered with a SCIM Error too, and the next client notices nothing."""

from __future__ import annotations

import json
import logging

import pytest

from tests.web.endpoint import TOKENS, Endpoint
from tests.web.talk import ERROR

HOST = b"Host: x\r\n"
TOKEN = f"Authorization: Bearer {TOKENS['entra']}\r\n".encode()
USERS = b"POST /scim/v2/entra/Users HTTP/1.1\r\n" + HOST + TOKEN

GARBAGE = {
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)) + b"\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "zeros": bytes(200) + b"\r\n\r\n",
    "a word": b"hello\r\n\r\n",
    "another version": b"GET /scim/v2/entra/Users HTTP/9.9\r\n" + HOST + b"\r\n",
    "not HTTP's version": b"GET /scim/v2/entra/Users SCIM/2.0\r\n" + HOST + b"\r\n",
    "method of odd bytes": b"G\xc3\x84T /scim/v2/entra/Users HTTP/1.1\r\n" + HOST + b"\r\n",
    "space in the path": b"GET /scim/v2/entra/Users?filter=userName eq x HTTP/1.1\r\n" + HOST + b"\r\n",
    "header without colon": b"GET /scim/v2/entra/Users HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "NUL in a header": b"GET /scim/v2/entra/Users HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "header of 9 KiB": b"GET /scim/v2/entra/Users HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    "path of 70 KiB": b"GET /scim/v2/entra/Users?x=" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "negative length": USERS + b"Content-Length: -5\r\n\r\n{}",
    "two lengths": USERS + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length of letters": USERS + b"Content-Length: two\r\n\r\n{}",
    "length and chunks": USERS + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "broken chunk": USERS + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "unknown coding": USERS + b"Connection: close\r\nContent-Length: 2\r\nContent-Encoding: br\r\n\r\n{}",
}


def error_of(answer: bytes) -> tuple[int, str]:
    """(status, detail) of a raw answer, after a look at its form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/scim+json" in head.lower(), answer[:500]
    said = json.loads(body)
    assert said["schemas"] == [ERROR]
    assert head.split(b" ")[1] == said["status"].encode()
    return int(said["status"]), said["detail"]


@pytest.mark.parametrize("name", GARBAGE)
async def test_it_is_refused_in_scim_form(
    endpoint: Endpoint, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    status, detail = error_of(await endpoint.raw(GARBAGE[name]))
    assert (status, bool(detail)) == (400, True)
    assert endpoint.api.writes == []
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR and "aiohttp" not in one.name]
    assert (await endpoint.ask("GET", "/Users")).status == 200


async def test_it_says_what_was_expected_and_repeats_nothing(endpoint: Endpoint) -> None:
    _, detail = error_of(await endpoint.raw(GARBAGE["ssh"]))
    assert "GET /scim/v2/DIRECTORY/Users HTTP/1.1" in detail
    assert "OpenSSH" not in detail


async def test_garbage_behind_a_good_request(endpoint: Endpoint) -> None:
    body = b'{"userName": "ada"}'
    good = USERS + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    answer = await endpoint.raw(good + b"\0\1\2 garbage\r\n\r\n")
    assert b" 400 Bad Request" in answer
    assert len(endpoint.names()) == answer.count(b"HTTP/1.1 201")  # done and told, or neither


@pytest.mark.parametrize("expectation", [b"100-continue", b"100-Continue", b"a miracle"])
async def test_expectations_are_met_or_passed_over(endpoint: Endpoint, expectation: bytes) -> None:
    body = b'{"userName": "ada"}'
    head = f"Connection: close\r\nContent-Length: {len(body)}\r\n".encode()
    answer = await endpoint.raw(USERS + head + b"Expect: " + expectation + b"\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue") is (b"100" in expectation)
    assert b"HTTP/1.1 201" in answer


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "PROPFIND", "GETT", "get"])
async def test_other_methods(endpoint: Endpoint, method: str) -> None:
    request = f"{method} /scim/v2/entra/Users HTTP/1.1\r\nConnection: close\r\n".encode()
    answer = await endpoint.raw(request + HOST + TOKEN + b"\r\n")
    assert answer.split(b" ")[1] in (b"405", b"400"), answer[:200]
    assert b"application/scim+json" in answer


async def test_absolute_url_and_asterisk(endpoint: Endpoint) -> None:
    end = b"Connection: close\r\n" + HOST + TOKEN + b"\r\n"
    whole = await endpoint.raw(b"GET http://x/scim/v2/entra/Users HTTP/1.1\r\n" + end)
    assert whole.startswith(b"HTTP/1.1 200")
    assert error_of(await endpoint.raw(b"OPTIONS * HTTP/1.1\r\n" + end))[0] == 404
