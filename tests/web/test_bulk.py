"""Many operations in one request (RFC 7644 section 3.7)."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.kube.errors import ApiError
from scim_operator.scim.bulk import MAX_OPERATIONS, MAX_PAYLOAD
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.directory.provider import AWAY, add, replace
from tests.web.endpoint import Endpoint

RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"


def post(path: str, bulk_id: str, **data: Any) -> dict[str, Any]:
    return {"method": "POST", "path": path, "bulkId": bulk_id, "data": data}


def user(name: str, **more: Any) -> dict[str, Any]:
    return post("/Users", name, userName=name, **more)


def group(name: str, *members: str) -> dict[str, Any]:
    return post("/Groups", name, displayName=name, members=[{"value": f"bulkId:{one}"} for one in members])


async def bulk(endpoint: Endpoint, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """What became of each."""
    answer = await endpoint.ask("POST", "/Bulk", {"Operations": list(operations), **more})
    content = await answer.json(content_type=None)
    assert answer.status == 200, content
    assert content["schemas"] == [RESPONSE]
    return list(content["Operations"])


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


def members(endpoint: Endpoint, name: str) -> list[str]:
    """Names of a group's members, as stored."""
    (held,) = (one for one in endpoint.index.all("entra", "Group") if one.label == name)
    found = (endpoint.index.member("entra", one) for one in endpoint.stored(held)["spec"].get("members", []))
    return [one.label for one in found if one]


async def test_each_operation_as_a_request_of_its_own(endpoint: Endpoint) -> None:
    ada, bob, eve = [await endpoint.user(name) for name in ("ada", "bob", "eve")]
    disable = {"Operations": [replace("active", "False")]}
    results = await bulk(
        endpoint,
        user("new", active="False"),
        {"method": "PUT", "path": f"/Users/{ada.id}", "data": {"userName": "ada", "title": "Dr"}},
        {"method": "patch", "path": f"Users/{bob.id}/?aadOptscim062020", "data": disable},
        {"method": "DELETE", "path": f"/Users/{eve.id}"},
    )  # fmt: skip
    base = f"http://127.0.0.1:{endpoint.server.port}/scim/v2/entra/Users"
    new = endpoint.index.all("entra", "User")[-1]
    assert results == [
        {
            "method": "POST",
            "bulkId": "new",
            "location": f"{base}/{new.id}",
            "version": 'W/"1"',
            "status": "201",
        },
        {"method": "PUT", "location": f"{base}/{ada.id}", "version": 'W/"2"', "status": "200"},
        {"method": "PATCH", "location": f"{base}/{bob.id}", "version": 'W/"2"', "status": "200"},
        {"method": "DELETE", "location": f"{base}/{eve.id}", "status": "204"},
    ]
    assert endpoint.stored(new)["spec"]["active"] is False
    assert endpoint.stored(ada)["spec"]["title"] == "Dr"
    assert endpoint.stored(bob)["spec"]["active"] is False
    assert eve.name not in endpoint.names()


async def test_references_before_and_behind(endpoint: Endpoint) -> None:
    results = await bulk(
        endpoint,
        group("team", "ada", "bob", "inner"),
        user("ada", **{ENTERPRISE_URN: {"manager": {"value": "bulkId:bob"}}}),
        {"method": "PATCH", "path": "/Groups/bulkId:inner", "data": {"Operations": [add("bulkId:eve")]}},
        user("bob"),
        group("inner"),
        user("eve"),
    )
    assert statuses(results) == ["201", "201", "200", "201", "201", "201"]
    assert [result.get("bulkId") for result in results] == ["team", "ada", None, "bob", "inner", "eve"]
    assert members(endpoint, "team") == ["ada", "bob", "inner"]
    assert members(endpoint, "inner") == ["eve"]
    people = {one.label: one for one in endpoint.index.all("entra", "User")}
    ada, bob = people["ada"], people["bob"]
    assert ada.document[ENTERPRISE_URN] == {"manager": {"value": bob.id}}


async def test_circles(endpoint: Endpoint) -> None:
    results = await bulk(
        endpoint,
        group("a", "b", "ada"),
        group("b", "c"),
        group("c", "a", "c"),
        user("ada", **{ENTERPRISE_URN: {"department": "d", "manager": {"value": "bulkId:bob"}}}),
        user("bob", **{f"{ENTERPRISE_URN}:manager": "bulkId:ada"}),
    )
    assert statuses(results) == ["201"] * 5, results
    assert [members(endpoint, name) for name in "abc"] == [["b", "ada"], ["c"], ["a", "c"]]
    people = {one.label: one for one in endpoint.index.all("entra", "User")}
    ada, bob = people["ada"], people["bob"]
    assert ada.document[ENTERPRISE_URN] == {"department": "d", "manager": {"value": bob.id}}
    assert bob.document[ENTERPRISE_URN] == {"manager": {"value": ada.id}}
    for result, name in zip(results[:3], "abc", strict=True):
        shown = await endpoint.ask("GET", result["location"].partition("/entra")[2])
        assert shown.headers["ETag"] == result["version"], name


async def test_circle_that_cannot_close_leaves_nothing(endpoint: Endpoint) -> None:
    await endpoint.group("taken")
    names = endpoint.names("scimgroups")
    results = await bulk(endpoint, group("Taken", "b"), group("b", "Taken"), group("c", "b"), user("ada"))
    assert statuses(results) == ["409", "409", "409", "201"]
    assert results[0]["response"]["scimType"] == "uniqueness"
    assert "bulkId:Taken" in results[1]["response"]["detail"]
    assert "bulkId:b" in results[2]["response"]["detail"]
    assert not any("location" in result for result in results[:3])
    assert endpoint.names("scimgroups") == names


async def test_circle_whose_end_is_refused_is_taken_back(endpoint: Endpoint) -> None:
    endpoint.api.refuse["replace", "scimgroups"] = ApiError(422, "Invalid", "too many members")
    results = await bulk(endpoint, group("a", "b"), group("b", "a"), user("ada"))
    # a was made with b in it, and b is taken back: as a member that was deleted, it isn't shown.
    assert [(result["bulkId"], result["status"]) for result in results] == [
        ("a", "201"),
        ("b", "400"),
        ("ada", "201"),
    ]
    assert [group.label for group in endpoint.index.all("entra", "Group")] == ["a"]
    assert members(endpoint, "a") == []


async def test_many_that_wait_for_one_that_fails(endpoint: Endpoint) -> None:
    hub = await endpoint.group("hub")
    names = [str(number) for number in range(200)]
    wheel = [group("hub", *names), *(group(name, "hub") for name in names)]
    assert set(statuses(await bulk(endpoint, *wheel))) == {"409"}
    assert endpoint.names("scimgroups") == [hub.name]
    await endpoint.delete(hub)
    assert set(statuses(await bulk(endpoint, *wheel))) == {"201"}
    assert members(endpoint, "hub") == names
    assert members(endpoint, "199") == ["hub"]


async def test_what_cannot_be_taken_back_is_told(endpoint: Endpoint) -> None:
    await endpoint.group("taken")
    endpoint.api.refuse["delete", "scimgroups"] = AWAY
    results = await bulk(endpoint, group("taken", "b"), group("b", "taken"))
    assert statuses(results) == ["409", "409"]
    assert "still there" in results[1]["response"]["detail"]
    assert "location" in results[1]


async def test_request_that_comes_again_completes_a_circle(endpoint: Endpoint) -> None:
    body = {"Operations": [group("a", "b"), group("b", "a"), user("ada")]}
    cut_off = {("replace", "scimgroups"): AWAY, ("delete", "scimgroups"): AWAY}
    endpoint.api.refuse.update(cut_off)
    seen = []
    for expected in (["201", "503", "201"], ["201", "201", "201"]):
        answer = await endpoint.ask("POST", "/Bulk", body, headers={"X-Request-Id": "again"})
        results = (await answer.json(content_type=None))["Operations"]
        assert statuses(results) == expected, results
        seen.append([result["location"] for result in results])
        endpoint.api.refuse.clear()
    assert seen[0] == seen[1], "nothing is made twice"
    assert (members(endpoint, "a"), members(endpoint, "b")) == (["b"], ["a"])


async def test_what_depends_on_a_failure_is_not_tried(endpoint: Endpoint) -> None:
    await endpoint.user("ada")
    results = await bulk(
        endpoint,
        user("ADA"),
        group("team", "ADA"),
        {"method": "DELETE", "path": "/Users/bulkId:ADA"},
        group("other", "nobody"),
        user("bob"),
    )
    assert statuses(results) == ["409", "409", "409", "400", "201"]
    assert results[0]["response"]["scimType"] == "uniqueness"
    for result in results[1:3]:
        assert "bulkId:ADA" in result["response"]["detail"]
    assert "bulkId:nobody" in results[3]["response"]["detail"]
    assert endpoint.names("scimgroups") == []


@pytest.mark.parametrize(("limit", "tried"), [(None, 5), (1, 1), (2, 3), (3, 4), (4, 5)])
async def test_fail_on_errors(endpoint: Endpoint, limit: int | None, tried: int) -> None:
    missing = {"method": "DELETE", "path": "/Users/none"}
    more = {} if limit is None else {"failOnErrors": limit}
    results = await bulk(endpoint, missing, user("a"), missing, missing, user("b"), **more)
    assert statuses(results) == ["404", "201", "404", "404", "201"][:tried]


async def test_circle_that_is_cut_off_leaves_nothing(endpoint: Endpoint) -> None:
    results = await bulk(
        endpoint,
        group("a", "b", "bad"),
        group("b", "a"),
        post("/Groups", "bad", members=[{"value": "bulkId:b"}]),
        failOnErrors=1,
    )
    assert {result.get("bulkId"): result["status"] for result in results} == {"b": "409", "bad": "400"}
    assert endpoint.names("scimgroups") == []


@pytest.mark.parametrize(
    ("operation", "status", "scim_type"),
    [
        ({}, "400", "invalidSyntax"),
        ({"method": "GET", "path": "/Users"}, "400", "invalidSyntax"),
        ({"method": 5, "path": "/Users"}, "400", "invalidSyntax"),
        ({"method": "POST", "path": "/Users", "data": {"userName": "a"}}, "400", "invalidSyntax"),
        ({"method": "POST", "path": "/Users", "bulkId": "x"}, "400", "invalidSyntax"),
        ({"method": "POST", "path": "/Users", "bulkId": "x", "data": []}, "400", "invalidSyntax"),
        ({"method": "PUT", "path": "/Users/1"}, "400", "invalidSyntax"),
        (post("", "x", userName="a"), "400", "invalidSyntax"),
        (post("/Nothing", "x", userName="a"), "400", "invalidSyntax"),
        (post("/Bulk", "x", userName="a"), "400", "invalidSyntax"),
        (post("/Users/.search", "x"), "400", "invalidSyntax"),
        (post("/Me", "x"), "400", "invalidSyntax"),
        (post("/Users/1", "x", userName="a"), "405", None),
        ({"method": "DELETE", "path": "/Users"}, "405", None),
        ({"method": "DELETE", "path": "/Users/1/2"}, "400", "invalidSyntax"),
        ({"method": "DELETE", "path": "/Users/none"}, "404", None),
        ({"method": "DELETE", "path": "/Users/bulkId:none"}, "400", "invalidValue"),
        ({"method": "DELETE", "path": "/Users/bulkId%3Anone"}, "400", "invalidValue"),
        ({"method": "DELETE", "path": "https://host/scim/v2/entra/Users/1"}, "400", "invalidSyntax"),
        (user("x", nickName={"deep": "bulkId:none"}), "400", "invalidValue"),
        (user(" "), "400", "invalidValue"),
    ],
)
async def test_operation_that_makes_no_sense(
    endpoint: Endpoint, operation: dict[str, Any], status: str, scim_type: str | None
) -> None:
    results = await bulk(endpoint, operation, user("fine"))
    assert statuses(results) == [status, "201"], results
    assert "location" not in results[0] or operation["method"] != "POST"
    error = results[0]["response"]
    assert error["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (error["status"], error.get("scimType")) == (status, scim_type)
    assert error["detail"]


async def test_version_is_asked_for(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    path = f"/Users/{ada.id}"
    change = {"method": "PATCH", "path": path, "data": {"Operations": [replace("title", "Dr")]}}
    gone = {"method": "DELETE", "path": path}
    results = await bulk(
        endpoint,
        change | {"version": 'W/"7"'},
        change | {"version": 'W/"1"'},
        gone | {"version": 'W/"1"'},
        gone | {"version": "2"},
        gone | {"version": 'W/"2"'},
    )
    assert statuses(results) == ["412", "200", "412", "400", "204"]


async def test_conditions_of_the_request_are_not_those_of_its_operations(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    body = {"Operations": [{"method": "DELETE", "path": f"/Users/{ada.id}"}]}
    answer = await endpoint.ask("POST", "/Bulk?count=0", body, headers={"If-Match": 'W/"9"'})
    assert statuses((await answer.json(content_type=None))["Operations"]) == ["204"]


async def test_another_directory_does_not_exist(endpoint: Endpoint) -> None:
    theirs, team = await endpoint.user("theirs", directory="okta"), await endpoint.group("team")
    before = endpoint.stored(theirs)
    results = await bulk(
        endpoint,
        {"method": "DELETE", "path": f"/Users/{theirs.id}"},
        {"method": "DELETE", "path": f"/../okta/Users/{theirs.id}"},
        {"method": "DELETE", "path": f"//okta/Users/{theirs.id}"},
        {"method": "DELETE", "path": f"/%2e%2e%2fokta/Users/{theirs.id}"},
        {"method": "PATCH", "path": f"/Groups/{team.id}", "data": {"Operations": [add(theirs.id)]}},
        post("/Groups", "x", displayName="x", members=[{"value": theirs.id}]),
        post("/okta/Users", "y", userName="y"),
    )
    assert statuses(results) == ["404", "400", "400", "400", "400", "400", "400"]
    assert endpoint.stored(theirs) == before
    assert endpoint.names("scimgroups") == [team.name]
    assert len(endpoint.names()) == 1


async def test_api_server_that_goes_away(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    endpoint.api.refuse["create", "scimusers"] = AWAY
    results = await bulk(
        endpoint, user("a"), user("b"), {"method": "DELETE", "path": f"/Users/{ada.id}"}, group("team", "a")
    )
    assert statuses(results) == ["503"] * 4
    assert endpoint.names() == [ada.name], "the rest isn't tried"


async def test_failure_of_ours_is_one_of_the_results(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint.store, "delete", None)
    results = await bulk(endpoint, {"method": "DELETE", "path": "/Users/1"}, user("ada"))
    assert statuses(results) == ["500", "201"]
    assert "request id" in results[0]["response"]["detail"]
    assert "a request failed" in caplog.text


async def test_limits(endpoint: Endpoint) -> None:
    config = await (await endpoint.ask("GET", "/ServiceProviderConfig")).json(content_type=None)
    assert config["bulk"] == {
        "supported": True,
        "maxOperations": MAX_OPERATIONS,
        "maxPayloadSize": MAX_PAYLOAD,
    }
    missing = {"method": "DELETE", "path": "/Users/none"}
    assert len(await bulk(endpoint, *[missing] * MAX_OPERATIONS)) == MAX_OPERATIONS
    for body, named in (
        ({"Operations": [missing] * (MAX_OPERATIONS + 1)}, f"maxOperations ({MAX_OPERATIONS})"),
        (b'{"Operations": []' + b" " * MAX_PAYLOAD + b"}", str(MAX_PAYLOAD)),
    ):
        refused = await endpoint.ask("POST", "/Bulk", body)
        assert refused.status == 413
        assert named in (await refused.json(content_type=None))["detail"]


@pytest.mark.parametrize("body", ["", "[]", {}, {"Operations": "x"}, {"Operations": [1]}])
async def test_message_that_is_none(endpoint: Endpoint, body: Any) -> None:
    refused = await endpoint.ask("POST", "/Bulk", body)
    assert (refused.status, (await refused.json(content_type=None))["scimType"]) == (400, "invalidSyntax")


async def test_log_tells_the_counts(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "scim_operator")
    await bulk(endpoint, user("secret-name"), {"method": "DELETE", "path": "/Users/1"}, failOnErrors=1)
    (line,) = (vars(record) for record in caplog.records if record.message == "bulk")
    assert (line["directory"], line["operations"], line["tried"], line["failed"]) == ("entra", 2, 2, 1)
    assert "secret-name" not in str([vars(record) for record in caplog.records])
    (asked,) = (vars(record) for record in caplog.records if record.message == "request")
    assert asked["operation"] == "bulk"


async def test_it_comes_to_the_same_as_in_order(endpoint: Endpoint) -> None:
    """Who is named later needs the name of who is deleted, or renamed, before (section 3.7)."""
    old, team = await endpoint.user("ada"), await endpoint.group("team")
    results = await bulk(
        endpoint,
        {"method": "PATCH", "path": f"/Groups/{team.id}", "data": {"Operations": [add("bulkId:new")]}},
        {"method": "DELETE", "path": f"/Users/{old.id}"},
        post("/Users", "new", userName="ada"),
        {"method": "PATCH", "path": "/Users/bulkId:new/", "data": {"Operations": [replace("title", "Dr")]}},
    )
    assert statuses(results) == ["200", "204", "201", "200"]
    assert members(endpoint, "team") == ["ada"]
