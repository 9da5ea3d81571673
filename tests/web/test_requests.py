"""What Entra asks and what it is answered; the engine's own cases are in tests/scim."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from scim_operator.directory.records import GROUPS
from scim_operator.kube.errors import ApiError
from tests.directory.provider import add, remove, replace
from tests.web.endpoint import NOW, TOKENS, Endpoint

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


async def answered(endpoint: Endpoint, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await endpoint.ask(method, path, body)
    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/scim+json"
    return await answer.json(content_type=None)


def operations(*items: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(items)}


# --- the first contact -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/Users?filter=userName+eq+%227d420df3-9995-4831-a406-ecf8166f5f6a%22",
        "/Users?filter=userName%20eq%20%22a%40b.c%22",
        "/Users/?filter=externalId+eq+%22x%22",
        "//Users?aadOptscim062020&filter=userName+eq+%22x%22",
        "/aadOptscim062020/Users?filter=userName+eq+%22x%22",
        "?aadOptscim062020/Users?filter=userName+eq+%22x%22",
        "/Users?Filter=userName+eq+%22x%22",
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22X%22",
        "/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22x%22",
        "/Users?filter=userName+eq+x",
    ],
)
async def test_connection_is_tested(endpoint: Endpoint, path: str) -> None:
    await endpoint.user("somebody")  # who must not be listed
    assert await answered(endpoint, "GET", path) == {
        "schemas": [LIST],
        "totalResults": 0,
        "startIndex": 1,
        "itemsPerPage": 0,
        "Resources": [],
    }


async def test_path_behind_the_flag_is_read_with_its_body(endpoint: Endpoint) -> None:
    made = await answered(endpoint, "POST", "?aadOptscim062020/Users", {"userName": "ada"}, 201)
    body = operations(replace("active", "False"))
    path = f"?aadOptscim062020/Users/{made['id']}"
    assert (await answered(endpoint, "PATCH", path, body))["active"] is False
    assert (await endpoint.ask("GET", path, token=None)).status == 401


async def test_client_without_any_header_but_the_token(endpoint: Endpoint) -> None:
    request = (
        "GET /scim/v2/entra/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {TOKENS['entra']}\r\n\r\n"
    )
    answer = await endpoint.raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"application/scim+json" in answer


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/scim+json", "text/plain", "application/json; charset=UTF-16", ""],
)
async def test_any_content_type_is_read(endpoint: Endpoint, content_type: str) -> None:
    answer = await endpoint.ask("POST", "/Users", {"userName": "a"}, headers={"Content-Type": content_type})
    assert answer.status == 201


@pytest.mark.parametrize("path", ["", "/", "/ServiceProviderConfig", "/serviceConfiguration/"])
async def test_service_provider_config(endpoint: Endpoint, path: str) -> None:
    assert (await answered(endpoint, "GET", path))["patch"] == {"supported": True}


async def test_discovery(endpoint: Endpoint) -> None:
    for path, one in (("/Schemas", "urn:ietf:params:scim:schemas:core:2.0:User"), ("/ResourceTypes", "User")):
        listed = await answered(endpoint, "GET", path)
        assert listed["totalResults"] == len(listed["Resources"]) > 0
        assert await answered(endpoint, "GET", f"{path}/{one}") in listed["Resources"]
        assert await answered(endpoint, "GET", f"{path}/{one.upper()}") in listed["Resources"]


async def test_valid_requests_are_noted_and_no_others(endpoint: Endpoint) -> None:
    await endpoint.ask("GET", "/Users", token="wrong")
    assert endpoint.directories.last_request("entra") is None
    await endpoint.ask("GET", "/Users")
    assert endpoint.directories.last_request("entra") == NOW
    assert endpoint.directories.last_request("okta") is None


# --- a user's life -----------------------------------------------------------------------------------------


async def test_users_life(endpoint: Endpoint) -> None:
    answer = await endpoint.ask("POST", "/Users", {"userName": "Ada", "externalId": "x", "active": "True"})
    made = await answer.json(content_type=None)
    base = f"http://127.0.0.1:{endpoint.server.port}/scim/v2/entra"
    assert answer.status == 201
    assert answer.headers["Location"] == made["meta"]["location"] == f"{base}/Users/{made['id']}"
    assert answer.headers["ETag"] == made["meta"]["version"] == 'W/"1"'
    assert made["active"] is True

    found = await answered(endpoint, "GET", "/Users?filter=" + quote('userName eq "ada"'))
    assert found["Resources"] == [made]
    assert await answered(endpoint, "GET", f"/Users/{made['id']}") == made

    body = operations(replace("active", "False"))
    disabled = await answered(endpoint, "PATCH", f"/Users/{made['id']}?aadOptscim062020", body)
    assert disabled["active"] is False
    assert disabled["meta"]["version"] == 'W/"2"'
    assert (await answered(endpoint, "GET", f"/Users/{made['id']}"))["active"] is False

    deleted = await endpoint.ask("DELETE", f"/Users/{made['id']}")
    assert (deleted.status, await deleted.read()) == (204, b"")
    assert (await endpoint.ask("GET", f"/Users/{made['id']}")).status == 404
    assert (await endpoint.ask("DELETE", f"/Users/{made['id']}")).status == 404


async def test_links_name_the_host_that_providers_know() -> None:
    endpoint = Endpoint("https://scim.example.com/")
    async with endpoint.http:
        made = await answered(endpoint, "POST", "/Users", {"userName": "a"}, 201)
    assert made["meta"]["location"] == f"https://scim.example.com/scim/v2/entra/Users/{made['id']}"


async def test_groups_of_a_user_and_members_of_a_group_are_derived(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    inner = await endpoint.group("inner", ada.id)
    await endpoint.group("outer", inner.id)
    (shown,) = (await answered(endpoint, "GET", f"/Users/{ada.id}"))["groups"]
    assert (shown["value"], shown["display"], shown["type"]) == (inner.id, "inner", "direct")
    assert shown["$ref"].endswith(f"/scim/v2/entra/Groups/{inner.id}")
    query = "/Groups?attributes=displayName,members.value,members.type,members.display"
    groups = (await answered(endpoint, "GET", query))["Resources"]
    members = {group["displayName"]: group["members"] for group in groups}
    assert [(m["value"], m["display"], m["type"]) for m in members["inner"]] == [(ada.id, "ada", "User")]
    assert [(m["value"], m["display"], m["type"]) for m in members["outer"]] == [(inner.id, "inner", "Group")]
    (unasked,) = (await answered(endpoint, "GET", f"/Groups/{inner.id}"))["members"]
    assert unasked.keys() == {"value", "$ref", "type"}


async def test_deleted_members_are_not_shown(endpoint: Endpoint) -> None:
    ada, bob = await endpoint.user("ada"), await endpoint.user("bob")
    team = await endpoint.group("team", ada.id, bob.id)
    await endpoint.delete(ada)
    shown = await answered(endpoint, "GET", f"/Groups/{team.id}")
    assert [member["value"] for member in shown["members"]] == [bob.id]


async def test_deleted_members_are_not_found_and_come_back_by_no_request(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    team = await endpoint.group("team", ada.id)
    await endpoint.delete(ada)
    for text in (f'members eq "{ada.id}"', f'members[value eq "{ada.id}"]', "members pr"):
        assert (await answered(endpoint, "GET", f"/Groups?filter={quote(text)}"))["totalResults"] == 0
    for body in (operations(add(ada.id)), operations(replace("members", [{"value": ada.id}]))):
        assert (await answered(endpoint, "PATCH", f"/Groups/{team.id}", body, 400))[
            "scimType"
        ] == "invalidValue"
    body = {"displayName": "team", "members": [{"value": ada.id}]}
    assert (await answered(endpoint, "PUT", f"/Groups/{team.id}", body, 400))["scimType"] == "invalidValue"


async def test_put_replaces_and_answers_the_whole(endpoint: Endpoint) -> None:
    ada, bob = await endpoint.user("ada", title="Dr"), await endpoint.user("bob")
    shown = await answered(endpoint, "GET", f"/Users/{ada.id}")
    assert await answered(endpoint, "PUT", f"/Users/{ada.id}", shown) == shown
    del shown["title"]
    changed = await answered(endpoint, "PUT", f"/Users/{ada.id}", shown | {"nickName": "A"})
    assert changed == await answered(endpoint, "GET", f"/Users/{ada.id}")
    assert (changed["nickName"], "title" in changed, changed["meta"]["version"]) == ("A", False, 'W/"2"')
    taken = await endpoint.ask("PUT", f"/Users/{ada.id}", {"userName": "BOB"})
    assert (taken.status, (await taken.json(content_type=None))["scimType"]) == (409, "uniqueness")
    assert (await endpoint.ask("PUT", "/Users/none", {"userName": "x"})).status == 404
    team = await endpoint.group("team", ada.id)
    body = {"displayName": "team", "members": [{"value": bob.id}]}
    changed = await answered(endpoint, "PUT", f"/Groups/{team.id}?attributes=members", body)
    assert [member["value"] for member in changed["members"]] == [bob.id]


# --- groups with many members ------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "shown"), [(1000, True), (1001, False)])
async def test_answer_to_a_patch_of_a_large_group(endpoint: Endpoint, count: int, shown: bool) -> None:
    people = [(await endpoint.user(f"u{number}")).id for number in range(count)]
    team = await endpoint.group("team", *people[:-1])
    path = f"/Groups/{team.id}"
    changed = await answered(endpoint, "PATCH", path, operations(add(people[-1])))
    assert ("members" in changed) is shown
    asked = await answered(endpoint, "PATCH", path + "?attributes=members", operations(add(people[0])))
    assert len(asked["members"]) == count
    assert len((await answered(endpoint, "GET", path))["members"]) == count
    assert "members" not in await answered(endpoint, "GET", path + "?excludedAttributes=members")


async def test_members_are_not_built_when_nobody_wants_them(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await endpoint.user()
    await endpoint.group("team", ada.id)
    monkeypatch.setattr("scim_operator.web.rendering.Renderer._members", None)
    found = await answered(
        endpoint, "GET", "/Groups?excludedAttributes=members&filter=displayName+eq+%22team%22"
    )
    assert found["totalResults"] == 1
    assert "members" not in found["Resources"][0]


async def test_member_removal_in_both_dialects(endpoint: Endpoint) -> None:
    ada, bob, eve = [await endpoint.user(name) for name in ("ada", "bob", "eve")]
    team = await endpoint.group("team", ada.id, bob.id, eve.id)
    path = f"/Groups/{team.id}"
    left = await answered(endpoint, "PATCH", path, operations(remove(ada.id)))
    assert [member["value"] for member in left["members"]] == [bob.id, eve.id]
    one = {"op": "remove", "path": f'members[value eq "{bob.id}"]'}
    left = await answered(endpoint, "PATCH", path, operations(one))
    assert [member["value"] for member in left["members"]] == [eve.id]


# --- pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "start", "names"),
    [
        ("count=2", 1, ["u0", "u1"]),
        ("startIndex=2&count=2", 2, ["u1", "u2"]),
        ("startindex=2&COUNT=1", 2, ["u1"]),
        ("startIndex=0&count=1", 1, ["u0"]),
        ("startIndex=-5&count=1", 1, ["u0"]),
        ("startIndex=5", 5, ["u4"]),
        ("startIndex=6", 6, []),
        ("count=0", 1, []),
        ("count=-1", 1, []),
        ("startIndex=&count=", 1, ["u0", "u1", "u2", "u3", "u4"]),
    ],
)
async def test_page(endpoint: Endpoint, query: str, start: int, names: list[str]) -> None:
    for number in range(5):
        await endpoint.user(f"u{number}")
    page = await answered(endpoint, "GET", f"/Users?{query}")
    assert [user["userName"] for user in page["Resources"]] == names
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (5, start, len(names))


async def test_page_beyond_all_numbers_is_empty(endpoint: Endpoint) -> None:
    await endpoint.user()
    page = await answered(
        endpoint, "GET", "/Users?startIndex=99999999999999999999&count=99999999999999999999"
    )
    assert (page["totalResults"], page["Resources"]) == (1, [])


async def test_page_has_a_limit(endpoint: Endpoint) -> None:
    for number in range(205):
        await endpoint.user(f"u{number}")
    page = await answered(endpoint, "GET", "/Users?count=100000")
    assert (page["totalResults"], page["itemsPerPage"]) == (205, 200)
    assert (await answered(endpoint, "GET", "/Users"))["itemsPerPage"] == 100
    assert (await answered(endpoint, "GET", "/Users?startIndex=201"))["itemsPerPage"] == 5


async def test_search_is_a_list_asked_for_by_a_body(endpoint: Endpoint) -> None:
    for number in range(3):
        await endpoint.user(f"u{number}")
    await endpoint.group("u1")
    urn = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
    body: dict[str, Any] = {"schemas": [urn], "filter": 'userName ne "u0"', "sortBy": "userName", "count": 1}
    found = await answered(endpoint, "POST", "/Users/.search", body)
    assert found == await answered(endpoint, "GET", "/Users?filter=userName+ne+%22u0%22&count=1")
    assert (found["totalResults"], found["itemsPerPage"]) == (2, 1)
    assert await answered(endpoint, "POST", "/Groups/.search", {}) == await answered(
        endpoint, "GET", "/Groups"
    )
    body = {"attributes": ["displayName", "userName"], "startIndex": 3, "count": 2}
    both = await answered(endpoint, "POST", "/.search", body)
    assert (both["totalResults"], both["startIndex"]) == (4, 3)
    assert [shown.get("userName") or shown["displayName"] for shown in both["Resources"]] == ["u2", "u1"]
    assert all(shown.keys() <= {"schemas", "id", "userName", "displayName"} for shown in both["Resources"])
    one = await answered(endpoint, "POST", "/.search", {"filter": 'displayName eq "u1"'})
    assert [shown["meta"]["resourceType"] for shown in one["Resources"]] == ["Group"]


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ({"filter": ""}, "invalidFilter"),
        ({"filter": 5}, "invalidValue"),
        ({"count": "many"}, "invalidValue"),
        ({"startIndex": True}, "invalidValue"),
        ({"attributes": [1]}, "invalidValue"),
        ({"attributes": ["id"], "excludedAttributes": ["meta"]}, "invalidValue"),
        ("[]", "invalidSyntax"),
    ],
)
async def test_search_that_makes_no_sense(endpoint: Endpoint, body: Any, scim_type: str) -> None:
    await endpoint.user()
    assert (await answered(endpoint, "POST", "/.search", body, 400))["scimType"] == scim_type


async def test_attributes_are_chosen(endpoint: Endpoint) -> None:
    ada = await endpoint.user(title="Dr")
    shown = await answered(endpoint, "GET", f"/Users/{ada.id}?attributes=userName")
    assert shown.keys() == {"schemas", "id", "userName"}
    found = await answered(endpoint, "GET", "/Users?excludedAttributes=title,meta")
    assert not {"title", "meta"} & found["Resources"][0].keys()


# --- another directory's token -----------------------------------------------------------------------------


async def test_token_reaches_its_directory_alone(endpoint: Endpoint) -> None:
    ada = await endpoint.user("ada")
    team = await endpoint.group("team", ada.id)
    okta: dict[str, Any] = {"token": TOKENS["okta"], "directory": "okta"}
    for method, path, body in (
        ("GET", f"/Users/{ada.id}", None),
        ("DELETE", f"/Users/{ada.id}", None),
        ("PATCH", f"/Users/{ada.id}", operations(replace("active", False))),
        ("PATCH", f"/Groups/{team.id}", operations(remove(ada.id))),
    ):
        assert (await endpoint.ask(method, path, body, **okta)).status == 404
    for path in ("/Users", f'/Users?filter=id eq "{ada.id}"', '/Users?filter=userName eq "ada"', "/Groups"):
        found = await (await endpoint.ask("GET", path, **okta)).json(content_type=None)
        assert found["totalResults"] == 0
    refused = await endpoint.ask(
        "POST", "/Groups", {"displayName": "x", "members": [{"value": ada.id}]}, **okta
    )
    assert refused.status == 400
    assert endpoint.names("scimgroups") == [team.name]
    assert endpoint.stored(ada)["spec"]["active"] is True


async def test_member_of_another_directory_is_not_shown(endpoint: Endpoint) -> None:
    # However it got there: by kubectl, or by a restore.
    eve = await endpoint.user("eve", directory="okta")
    team = await endpoint.group()
    stored = endpoint.stored(team)
    stored["spec"]["members"] = [eve.id]
    endpoint.index.put(endpoint.api.put(GROUPS, stored))
    assert (await answered(endpoint, "GET", f"/Groups/{team.id}"))["members"] == []


async def test_page_over_both_kinds_has_its_length(endpoint: Endpoint) -> None:
    for name in ("u0", "u1"):
        await endpoint.user(name)
    for name in ("g0", "g1", "g2"):
        await endpoint.group(name)
    page = await answered(endpoint, "POST", "/.search", {"startIndex": 2, "count": 2})
    assert [shown.get("userName") or shown["displayName"] for shown in page["Resources"]] == ["u1", "g0"]


@pytest.mark.parametrize("number", ["1e21", "-1e19", "1e300"])
async def test_number_beyond_64_bits_under_an_unknown_urn_is_kept(endpoint: Endpoint, number: str) -> None:
    body = f'{{"userName": "ada", "urn:example:ext": {{"n": {number}}}}}'
    ada = await answered(endpoint, "POST", "/Users", body, 201)
    assert ada["urn:example:ext"]["n"] == float(number)
    again = await answered(endpoint, "PUT", f"/Users/{ada['id']}", body)
    assert again["meta"]["version"] == ada["meta"]["version"]


# --- the same request again (rule 19) ----------------------------------------------------------------------


@pytest.mark.parametrize(("path", "key"), [("/Users", "userName"), ("/Groups", "displayName")])
async def test_post_that_comes_again_is_answered_as_the_first(
    endpoint: Endpoint, path: str, key: str
) -> None:
    first = {"X-Request-Id": "r-1"}
    made = await (await endpoint.ask("POST", path, {key: "ada"}, headers=first)).json(content_type=None)
    again = await endpoint.ask("POST", path, {key: "ada"}, headers=first)
    assert (again.status, await again.json(content_type=None)) == (201, made)
    assert again.headers["Location"] == made["meta"]["location"]
    for headers in ({"X-Request-Id": "r-2"}, {}):
        assert (await endpoint.ask("POST", path, {key: "ADA"}, headers=headers)).status == 409
    changed = operations(replace("externalId", "x"))
    await endpoint.ask("PATCH", f"{path}/{made['id']}", changed, headers={"X-Request-Id": "r-3"})
    assert (await endpoint.ask("POST", path, {key: "ada"}, headers=first)).status == 201
    assert (await endpoint.ask("POST", path, {key: "ada"}, headers={"X-Request-Id": "r-3"})).status == 409
    assert len(endpoint.api.writes) == 2


async def test_post_of_another_name_with_a_known_request_id_is_another_one(endpoint: Endpoint) -> None:
    for name in ("ada", "bob"):
        answer = await endpoint.ask("POST", "/Users", {"userName": name}, headers={"X-Request-Id": "r-1"})
        assert answer.status == 201
    assert len(endpoint.names()) == 2


async def test_post_whose_answer_was_lost_on_the_way_from_the_api_server(endpoint: Endpoint) -> None:
    create = endpoint.api.create

    async def lost(*arguments: Any, **more: Any) -> Any:
        await create(*arguments, **more)
        endpoint.api.away = True
        raise ApiError(0, "Unreachable", "ServerDisconnectedError")

    endpoint.api.create = lost  # type: ignore[method-assign]
    sent: dict[str, Any] = {"body": {"userName": "ada"}, "headers": {"X-Request-Id": "r-1"}}
    assert (await endpoint.ask("POST", "/Users", **sent)).status == 503
    endpoint.api.create, endpoint.api.away = create, False  # type: ignore[method-assign]
    assert (await endpoint.ask("POST", "/Users", **sent)).status == 201
    assert len(endpoint.names()) == 1


async def test_two_posts_of_one_name_in_a_bulk_are_no_repetition(endpoint: Endpoint) -> None:
    posts = [
        {"method": "POST", "path": "/Users", "bulkId": str(number), "data": {"userName": "ada"}}
        for number in range(2)
    ]
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": posts}
    for _ in range(2):  # the whole request may come again, too
        answer = await endpoint.ask("POST", "/Bulk", bulk, headers={"X-Request-Id": "r-1"})
        said = await answer.json(content_type=None)
        assert [one["status"] for one in said["Operations"]] == ["201", "409"]
    assert len(endpoint.names()) == 1
