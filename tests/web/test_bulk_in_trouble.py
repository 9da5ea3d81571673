"""Bulk when what it names isn't what it seems, when it isn't allowed any more, or can't go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.kube.errors import ApiError
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.directory.provider import AWAY, replace
from tests.web.endpoint import Endpoint
from tests.web.test_bulk import bulk, group, statuses, user


@pytest.mark.parametrize("path", ["/Users/bulkId:new/", "/Users/bulkId%3Anew", "/Users/bulkId:new?x=/"])
async def test_path_that_names_what_is_made_later(endpoint: Endpoint, path: str) -> None:
    change = {"method": "PATCH", "path": path, "data": {"Operations": [replace("title", "Dr")]}}
    assert statuses(await bulk(endpoint, change, user("new"))) == ["200", "201"]
    (made,) = endpoint.index.all("entra", "User")
    assert made.document["title"] == "Dr"


async def test_what_looks_like_a_reference(endpoint: Endpoint) -> None:
    taken = {"op": "remove", "path": 'members[value eq "bulkId:ada"]'}
    results = await bulk(
        endpoint,
        user("ada", title="bulkId: how it works"),
        group("team", "ada"),
        {"method": "PATCH", "path": "/Groups/bulkId:team", "data": {"Operations": [taken]}},
    )
    assert statuses(results) == ["201", "201", "400"]
    assert results[2]["response"]["scimType"] == "invalidPath"
    assert endpoint.index.all("entra", "User")[0].document["title"] == "bulkId: how it works"


def revoke(endpoint: Endpoint) -> None:
    endpoint.tokens.replace([])


def drop_directory(endpoint: Endpoint) -> None:
    endpoint.directories.objects.remove(endpoint.api.drop(DIRECTORIES, "entra"))
    endpoint.directories.refresh("entra")


@pytest.mark.parametrize(("end", "status"), [(revoke, "401"), (drop_directory, "503")])
async def test_right_that_ends_meanwhile(
    endpoint: Endpoint, end: Callable[[Endpoint], None], status: str
) -> None:
    def before(verb: str, plural: str) -> None:
        if len(endpoint.names()) == 1:
            endpoint.api.before = None
            end(endpoint)

    endpoint.api.before = before
    results = await bulk(endpoint, *(user(f"u{number}") for number in range(5)))
    assert statuses(results) == ["201", "201", status, status, status]


async def test_right_that_ends_within_a_circle(endpoint: Endpoint) -> None:
    def before(verb: str, plural: str) -> None:
        if endpoint.names("scimgroups"):
            endpoint.api.before = None
            revoke(endpoint)

    endpoint.api.before = before
    # One was under way; the other can't be completed any more, and goes again.
    assert statuses(await bulk(endpoint, group("a", "b"), group("b", "a"))) == ["201", "401"]
    assert [one.label for one in endpoint.index.all("entra", "Group")] == ["a"]


async def test_circles_wait_for_an_api_server_that_is_away_only_once(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def away(verb: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **more: Any) -> Any:
            asked.append(verb)
            raise AWAY

        return call

    monkeypatch.setattr(endpoint.api, "replace", away("replace"))
    monkeypatch.setattr(endpoint.api, "delete", away("delete"))
    # Both of a wheel are made before either is completed: its hub is named by all.
    wheel = [group("hub", "0", "1", "2"), *(group(str(number), "hub", str(number)) for number in range(3))]
    results = await bulk(endpoint, *wheel, user("ada"))
    assert asked == [*["replace"] * 3, *["delete"] * 3], (
        "as often as any write is tried, and none of the others"
    )
    failed = [result for result in results if result["status"] == "503"]
    assert len(failed) > 1
    for result in failed:
        detail = result["response"]["detail"]
        assert detail.endswith("still there: send the request again with the same X-Request-Id, or delete it")
        assert detail.count("nothing was lost") <= 1
        assert "location" in result


async def test_what_is_taken_back_was_deleted_by_nobody(endpoint: Endpoint) -> None:
    """A directory without users isn't frozen when the provider has deleted the last one."""
    endpoint.api.refuse["replace", "scimusers"] = ApiError(422, "Invalid", "no")
    results = await bulk(endpoint, user("a", **{ENTERPRISE_URN: {"manager": {"value": "bulkId:a"}}}))
    assert statuses(results) == ["400"]
    assert endpoint.names() == []
    assert not endpoint.index.is_emptied("entra")
    await endpoint.delete(await endpoint.user("b"))
    assert endpoint.index.is_emptied("entra")


async def test_bulk_that_takes_long_is_answered_in_time(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim_operator.web.scim._BULK_SECONDS", 1.0)

    async def wait(verb: str, plural: str) -> None:
        if len(endpoint.names()) == 1:
            await asyncio.sleep(1.1)

    endpoint.api.before = wait
    results = await bulk(endpoint, *(user(f"u{number}") for number in range(4)))
    assert statuses(results) == ["201", "201", "503", "503"]
    assert "send the rest of it again" in results[2]["response"]["detail"]
