"""The line that each request leaves in the log: enough to follow it, and nobody's name."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from scim_operator.cli.logs import configure_logs
from scim_operator.web.requests import shown_path
from tests.web.endpoint import TOKENS, Endpoint

Line = dict[str, Any]
ID = "0b5a4d0e-7c5e-4c2b-9a52-0c1f6d1d2e3f"


class Log:
    """What was written so far, as a log collector reads it."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def __call__(self, message: str = "request") -> list[Line]:
        """The lines with that message."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["message"] == message]


@pytest.fixture
def logged() -> Iterator[Log]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()  # `configure_logs` closes what it finds, and pytest's are needed again
    configure_logs("info")
    made = Log()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(made.stream)
    # The test's own server has it on; ours leaves it off.
    logging.getLogger("aiohttp.access").disabled = True
    yield made
    logging.getLogger("aiohttp.access").disabled = False
    root.handlers[:] = before
    root.setLevel(level)


async def test_line_of_a_request(endpoint: Endpoint, logged: Log) -> None:
    await endpoint.ask("POST", "/Users", {"userName": "ada@example.com"}, headers={"X-Request-Id": "r-1"})
    (line,) = logged()
    assert line.pop("milliseconds") >= 0
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "scim_operator.web.requests",
        "message": "request",
        "request_id": "r-1",
        "directory": "entra",
        "resource": "users",
        "operation": "create",
        "method": "POST",
        "path": "/scim/v2/entra/Users",
        "token": "token-entra",
        "status": 201,
    }


async def test_line_of_a_stranger(endpoint: Endpoint, logged: Log) -> None:
    await endpoint.ask("GET", "/Users", token=TOKENS["okta"])
    (line,) = logged()
    assert (line["status"], line["refusal"]) == (401, "other_directory")
    assert line["path"] == "/scim/v2/entra/Users"
    assert "directory" not in line
    assert "token" not in line


async def test_what_a_request_causes_carries_its_id(endpoint: Endpoint, logged: Log) -> None:
    body = {"userName": "ada", "shoeSize": 43}
    await endpoint.ask("POST", "/Users", body, headers={"X-Request-Id": "r-2"})
    (line,) = logged("attributes were ignored")
    assert line["request_id"] == "r-2"

    endpoint.api.before = lambda verb, plural: logging.getLogger("far.below").warning("%s %s", verb, plural)
    await endpoint.ask("POST", "/Users", {"userName": "eve"}, headers={"X-Request-Id": "r-3"})
    (line,) = logged("create scimusers")
    assert line["request_id"] == "r-3"
    logging.getLogger("elsewhere").warning("unrelated")
    assert "request_id" not in logged("unrelated")[0]


async def test_no_name_and_no_query_in_any_line(endpoint: Endpoint, logged: Log) -> None:
    made = await (
        await endpoint.ask(
            "POST", "/Users", {"userName": "grace@example.com", "name": {"givenName": "Grace"}}
        )
    ).json()
    await endpoint.ask("GET", '/Users?filter=userName eq "grace@example.com"')
    await endpoint.ask("GET", '?aadOptscim062020/Users?filter=userName eq "grace@example.com"')
    await endpoint.ask("GET", "/Users/grace@example.com")
    await endpoint.ask("GET", "/Users/grace")
    await endpoint.ask("PATCH", f"/Users/{made['id']}", {"Operations": [{"op": "grace"}]})
    await endpoint.ask("POST", "/Users", {"userName": "grace@example.com"})
    await endpoint.ask("GET", "/Grace Hopper")
    text = logged.stream.getvalue()
    assert text.count('"message": "request"') == 8
    assert "grace" not in text.lower()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/scim/v2/entra/Users", "/scim/v2/entra/Users"),
        (f"/scim/v2/entra/Users/{ID}", f"/scim/v2/entra/Users/{ID}"),
        ("/scim/v2/entra/Users/ada", "/scim/v2/entra/Users/…"),
        ("/scim/v2/entra/Users%3Ffilter=ada", "/scim/v2/entra/…"),
        ("//scim//v2/entra/", "/scim/v2/entra"),
        ("/scim/v2/a%0Ab/Users", "/scim/v2/…/Users"),
        ("/" + "x" * 64, "/…"),
        ("/a" * 100, "/a/a/a/a/…/…/…/…/…"),
        ("/", "/"),
    ],
)
def test_paths_are_shown_without_what_may_be_a_name(path: str, shown: str) -> None:
    assert shown_path(path) == shown


async def test_ignored_attributes_are_named_without_what_they_hold(endpoint: Endpoint, logged: Log) -> None:
    path = 'emails[value eq "grace@example.com"].shoe'
    body = {
        "userName": "ada",
        "password": "grace",
        "grace@example.com": 1,
        path: "grace",
        "name.shoe": "grace",
    }
    await endpoint.ask("POST", "/Users", body)
    (line,) = logged("attributes were ignored")
    assert line["attributes"] == ["(other)", "emails.shoe", "name.shoe"]
    assert line["count"] == 3
    assert "grace" not in logged.stream.getvalue()


async def test_a_line_stays_one_line(endpoint: Endpoint, logged: Log) -> None:
    await endpoint.ask("POST", "/Users", {"userName": "ada", 'a\nb": {"level": "CRITICAL"': 1, "\u2028": 2})
    (line,) = logged("attributes were ignored")
    assert line["level"] == "INFO"


async def test_odd_request_ids_and_methods_are_replaced(endpoint: Endpoint, logged: Log) -> None:
    await endpoint.ask("GET", "/Users", headers={"X-Request-Id": "x y z"})
    await endpoint.ask("M-SEARCH", "/Users")
    first, second = logged()
    assert " " not in first["request_id"]
    assert second["method"] == "?"
