"""/metrics, as Prometheus reads it: requests are counted, and nobody makes series from outside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from scim_operator.directory.ignored import forget_ignored, tell_ignored
from scim_operator.directory.records import USERS
from scim_operator.web.metrics import metrics_application
from tests.web.endpoint import TOKENS, Endpoint

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest_asyncio.fixture
async def scraper(endpoint: Endpoint) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(metrics_application(endpoint.directories.names))) as client:
        yield client


async def scrape(client: TestClient[Any, Any]) -> Samples:
    answer = await client.get("/metrics")
    assert (answer.status, answer.content_type) == (200, "text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(await answer.text())
        for sample in family.samples
    }


def requests(samples: Samples) -> dict[tuple[str, str, str, str], float]:
    """(directory, resource, operation, status) -> count."""
    found = {}
    for (name, labels), value in samples.items():
        if name == "scim_operator_requests_total":
            by = dict(labels)
            found[by["directory"], by["resource"], by["operation"], by["status"]] = value
    return found


def grown(before: Samples, after: Samples) -> dict[tuple[str, str, str, str], float]:
    """What was counted in between: the registry is the whole process's."""
    was = requests(before)
    differences = {key: value - was.get(key, 0) for key, value in requests(after).items()}
    return {key: value for key, value in differences.items() if value}


async def test_process_is_shown(scraper: TestClient[Any, Any]) -> None:
    names = {name for name, _ in await scrape(scraper)}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names


async def test_requests_are_counted_by_what_they_want(
    endpoint: Endpoint, scraper: TestClient[Any, Any]
) -> None:
    before = await scrape(scraper)
    made = await (await endpoint.ask("POST", "/Users", {"userName": "ada"})).json()
    one = f"/Users/{made['id']}"
    await endpoint.ask("GET", one)
    await endpoint.ask("GET", "/Users")
    await endpoint.ask("GET", "/Users?Filter=userName+eq+%22ada%22")
    await endpoint.ask("GET", "?aadOptscim062020/Users?filter=userName+eq+%22ada%22")
    await endpoint.ask("PATCH", one, {"Operations": [{"op": "replace", "path": "active", "value": False}]})
    await endpoint.ask("PUT", one, {"userName": "ada"})
    await endpoint.ask("DELETE", one)
    await endpoint.ask("DELETE", one)
    await endpoint.ask("GET", "/Groups/nobody")
    await endpoint.ask("GET", "/Schemas")
    await endpoint.ask("GET", "/Unheard-of")
    await endpoint.ask("OPTIONS", "/Users")
    assert grown(before, await scrape(scraper)) == {
        ("entra", "users", "create", "201"): 1,
        ("entra", "users", "get", "200"): 1,
        ("entra", "users", "list", "200"): 1,
        ("entra", "users", "filter", "200"): 2,
        ("entra", "users", "patch", "200"): 1,
        ("entra", "users", "replace", "200"): 1,
        ("entra", "users", "delete", "204"): 1,
        ("entra", "users", "delete", "404"): 1,
        ("entra", "groups", "get", "404"): 1,
        ("entra", "", "discovery", "200"): 1,
        ("entra", "", "other", "404"): 1,
        ("entra", "users", "other", "405"): 1,
    }


async def test_durations_have_a_histogram(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    key = (
        "scim_operator_request_duration_seconds_count",
        frozenset({("directory", "entra"), ("resource", "groups"), ("operation", "list")}),
    )
    before = await scrape(scraper)
    await endpoint.ask("GET", "/Groups")
    assert (await scrape(scraper))[key] == before.get(key, 0) + 1


async def test_strangers_make_no_series(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    await endpoint.http.get("/nowhere")
    before = await scrape(scraper)
    for n in range(20):
        await endpoint.ask("GET", f"/Users/{n}", directory=f"dir{n}", token=None)
        await endpoint.ask("GET", f"/Users/{n}", directory=f"dir{n}")
        await endpoint.ask(f"VERB{'X' * n}", f"/E{n}", directory=f"dir{n}", token="x" * n)
        await endpoint.http.get(f"/nowhere{n}")
    assert {key[0] for key in grown(before, await scrape(scraper))} == {""}
    assert len(await scrape(scraper)) < len(before) + 60


async def test_refusals_say_why(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    def refused(samples: Samples) -> dict[str, float]:
        return {
            dict(labels)["reason"]: value
            for (name, labels), value in samples.items()
            if name == "scim_operator_authentications_refused_total"
        }

    before = refused(await scrape(scraper))
    await endpoint.ask("GET", "/Users", token=None)
    await endpoint.ask("GET", "/Users", token="guess")
    await endpoint.ask("GET", "/Users", token=TOKENS["okta"])
    await endpoint.ask("GET", "/Users")
    after = refused(await scrape(scraper))
    assert {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key)} == {
        "missing": 1,
        "unknown": 1,
        "other_directory": 1,
    }


async def test_series_of_a_directory_begin_with_it(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    """At 0, so that the first request, and the first one that fails, is seen to be more."""
    known = requests(await scrape(scraper))
    for status in ("201", "500", "503"):
        assert ("okta", "users", "create", status) in known
    for operation in ("create", "get", "list", "filter", "replace", "patch", "delete"):
        assert {key[3] for key in known if key[:3] == ("okta", "groups", operation)} >= {"500", "503"}


async def test_series_of_a_directory_end_with_it(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    await endpoint.ask("GET", "/Users", token=TOKENS["okta"], directory="okta")
    body = {"userName": "ada", "shoeSize": 43}
    await endpoint.ask("POST", "/Users", body, token=TOKENS["okta"], directory="okta")
    assert ("okta", "users", "list", "200") in requests(await scrape(scraper))
    endpoint.directories.objects.discard({"metadata": {"name": "okta"}})
    endpoint.directories.refresh("okta")
    left = await scrape(scraper)
    assert not [labels for _, labels in left if ("directory", "okta") in labels]
    await endpoint.ask("GET", "/Users", token=TOKENS["okta"], directory="okta")
    assert not [labels for _, labels in await scrape(scraper) if ("directory", "okta") in labels]


def ignored(samples: Samples) -> dict[str, float]:
    """Attribute -> how often directory entra sent it in vain."""
    return {
        dict(labels)["attribute"]: value
        for (name, labels), value in samples.items()
        if name == "scim_operator_attributes_ignored_total" and ("directory", "entra") in labels
    }


async def test_ignored_attributes_are_counted(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    forget_ignored("entra")
    body = {"userName": "ada", "shoeSize": 43, "name": {"nick": "A"}, "grace@example.com": 1}
    made = await (await endpoint.ask("POST", "/Users", body)).json(content_type=None)
    operations = [
        {"op": "add", "path": "shoeSize", "value": 44},
        {"op": "add", "path": "title", "value": "Dr"},
    ]
    # Tried again because of a conflict, it is still one request.
    endpoint.api.before = conflict_once(endpoint)
    await endpoint.ask("PATCH", f"/Users/{made['id']}", {"Operations": operations})
    counts = ignored(await scrape(scraper))
    # What came in one request only has no series of its own: a hundred of them would be all there can be.
    assert counts == {"shoeSize": 1, "(other)": 3}


def conflict_once(endpoint: Endpoint) -> Any:
    """Somebody else writes the user just before we do."""

    def before(verb: str, plural: str) -> None:
        if verb == "replace":
            endpoint.api.before = None
            (user,) = endpoint.api.all(USERS)
            endpoint.api.put(USERS, user)

    return before


async def test_nobody_fills_the_registry_with_names(
    endpoint: Endpoint, scraper: TestClient[Any, Any]
) -> None:
    forget_ignored("entra")
    junk = {f"made-up-{number}": 1 for number in range(150)}
    for name in ("ada", "bob"):
        assert (await endpoint.ask("POST", "/Users", {"userName": name, **junk})).status == 201
    counts = ignored(await scrape(scraper))
    assert (len(counts), counts["(other)"]) == (101, 200)


async def test_names_that_come_once_take_no_place(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    forget_ignored("entra")
    tell_ignored("entra", ["early"], "request")
    for number in range(1_000):
        tell_ignored("entra", [f"made-up-{number}"], "request")
    for name in ("early", "shoeSize", "shoeSize"):
        tell_ignored("entra", [name], "request")
    # Of those seen once the last thousand are remembered.
    assert ignored(await scrape(scraper)) == {"shoeSize": 1, "(other)": 1_003}


async def test_no_person_is_named(endpoint: Endpoint, scraper: TestClient[Any, Any]) -> None:
    await endpoint.ask("POST", "/Users", {"userName": "grace@example.com"})
    await endpoint.ask("GET", "/Users/grace@example.com")
    assert "grace" not in json.dumps([str(key) for key in await scrape(scraper)])


async def test_every_spelling_of_a_call_is_counted_as_what_it_is(
    endpoint: Endpoint, scraper: TestClient[Any, Any]
) -> None:
    before = await scrape(scraper)
    await endpoint.ask("POST", "/Users/.search", {"filter": 'userName eq "ada"'})
    await endpoint.ask("GET", '?filter=displayName eq "x"')
    await endpoint.ask("GET", "/serviceConfiguration")
    await endpoint.ask("POST", "/bulk", {"Operations": [{}]})
    counted = grown(before, await scrape(scraper))
    assert counted == {
        ("entra", "users", "filter", "200"): 1,
        ("entra", "", "filter", "200"): 1,
        ("entra", "", "discovery", "200"): 1,
        ("entra", "", "bulk", "200"): 1,
    }
