"""The endpoint as a provider meets it: tokens, isolation, discovery, errors, what may not leak."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any

import pytest

from tests.entra import PATCH_OP, Dialect, EntraClient, Person
from tests.eventually import becomes
from tests.installation import NAMESPACE, Installation

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture(scope="module")
def entra(operator: Installation) -> EntraClient:
    """A connection of directory `scim`."""
    return operator.client("scim", Dialect.MODERN)


def _raw(
    entra: EntraClient, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, Any, Any]:
    """A request exactly as given: no headers that a library would add."""
    url = urllib.parse.urlsplit(entra.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.putrequest(method, url.path + path, skip_accept_encoding=True)
    for key, value in headers.items():
        connection.putheader(key, value)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content) if content else None, response.headers


def _authorized(entra: EntraClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {entra.token}"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": ""}],
)
def test_without_a_valid_token(entra: EntraClient, headers: dict[str, str]) -> None:
    status, body, answered = _raw(entra, "GET", "/Users", headers)
    assert status == 401
    assert body["schemas"] == [ERROR]
    assert body["status"] == "401"
    assert answered["Content-Type"].startswith("application/scim+json")
    assert answered["WWW-Authenticate"].startswith("Bearer")


def test_request_without_user_agent_accept_and_content_type(entra: EntraClient) -> None:
    body = json.dumps({"userName": "bare@scim.example.com"}).encode()
    status, made, _ = _raw(entra, "POST", "/Users", _authorized(entra), body)
    assert status == 201
    assert made["active"] is True
    assert _raw(entra, "GET", f"/Users/{made['id']}", _authorized(entra))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/Users?aadOptscim062020",
        "//Users/",
        "/aadOptscim062020/Users",
        "?aadOptscim062020/Users?filter=userName+eq+%22nobody%22",
        "/Users?filter=userName+eq+%22nobody%22&aadOptscim062020",
        "/Users?filter=userName%20eq%20%22nobody%22",
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22nobody%22",
        "/Users?filter=externalId+eq+%224045ea11%22",
        "/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22nobody%22",
    ],
)
def test_lists_answer_200_in_every_spelling(entra: EntraClient, path: str) -> None:
    status, body, _ = _raw(entra, "GET", path, _authorized(entra))
    assert status == 200
    assert "totalResults" in body


def test_discovery(entra: EntraClient) -> None:
    config = entra.call("GET", "/ServiceProviderConfig").answer
    assert config["patch"] == {"supported": True}
    assert {name for name, value in config.items() if isinstance(value, dict) and value.get("supported")} == {
        *("patch", "bulk", "filter", "sort", "etag")
    }
    types = entra.call("GET", "/ResourceTypes").answer["Resources"]
    assert {item["name"] for item in types} == {"User", "Group"}
    assert entra.call("GET", "/Schemas/urn:nothing").status == 404
    assert entra.call("GET", "").status == 200


def test_one_directory_never_reaches_another(operator: Installation, entra: EntraClient) -> None:
    other = operator.client("other")
    theirs = other.provision_user(Person("theirs@other.example.com", "The", "Irs"))
    group = entra.provision_group("isolation", [])
    assert entra.call("GET", f"/Users/{theirs}").status == 404
    assert entra.call("DELETE", f"/Users/{theirs}").status == 404
    assert entra.find("Users", "userName", "theirs@other.example.com") is None
    assert entra.find("Users", "id", theirs) is None
    operation = {"op": "add", "path": "members", "value": [{"value": theirs}]}
    patch = {"schemas": [PATCH_OP], "Operations": [operation]}
    refused = entra.call("PATCH", f"/Groups/{group}", patch)
    assert (refused.status, refused.answer["scimType"]) == (400, "invalidValue")
    assert theirs in refused.answer["detail"]
    crossed = EntraClient(other.url, entra.token)
    assert crossed.call("GET", "/Users").status == 401
    unknown = EntraClient(
        entra.url.replace("/scim", "/nowhere").replace("/nowhere/v2", "/scim/v2"), entra.token
    )
    assert unknown.call("GET", "/Users").status == 401
    assert other.get("Users", "theirs@other.example.com")["userName"] == "theirs@other.example.com"


def test_rename_onto_a_taken_name_is_refused_in_any_case(entra: EntraClient) -> None:
    entra.provision_user(Person("TAKEN@scim.example.com", "Taken", "Name"))
    entra.provision_user(Person("renamed@scim.example.com", "Re", "Named"))
    operation = {"op": "replace", "value": {"userName": "taken@scim.example.com"}}
    rename = {"schemas": [PATCH_OP], "Operations": [operation]}
    conflict = entra.call("PATCH", f"/Users/{entra.ids['renamed@scim.example.com']}", rename)
    assert (conflict.status, conflict.answer["scimType"]) == (409, "uniqueness")


def test_a_name_is_free_again_after_a_rename(entra: EntraClient) -> None:
    first = entra.provision_user(Person("first@scim.example.com", "First", "One"))
    entra.update_user("first@scim.example.com", {"userName": "later@scim.example.com"})
    second = entra.call("POST", "/Users", {"userName": "first@scim.example.com"})
    assert second.status == 201
    assert second.answer["id"] != first


def test_a_patch_without_effect_writes_nothing(operator: Installation, entra: EntraClient) -> None:
    user = entra.provision_user(Person("still@scim.example.com", "Still", "Here"))
    group = entra.provision_group("still", ["still@scim.example.com"])
    before = (entra.call("GET", f"/Users/{user}").answer, entra.call("GET", f"/Groups/{group}").answer)
    entra.set_active("still@scim.example.com", True)
    entra.update_user("still@scim.example.com", {"name.givenName": "Still", "displayName": "Still Here"})
    entra.add_members("still", ["still@scim.example.com"])
    after = (entra.call("GET", f"/Users/{user}").answer, entra.call("GET", f"/Groups/{group}").answer)
    assert after == before


def test_bulk_with_references_in_a_circle(operator: Installation, entra: EntraClient) -> None:
    theirs = operator.client("other").provision_user(Person("bulk@other.example.com", "The", "Irs"))

    def group(name: str, *members: str) -> dict[str, Any]:
        data = {"displayName": name, "members": [{"value": member} for member in members]}
        return {"method": "POST", "path": "/Groups", "bulkId": name, "data": data}

    asked = [
        group("bulk-a", "bulkId:bulk-b", "bulkId:ada"),
        group("bulk-b", "bulkId:bulk-a"),
        group("bulk-c", theirs),
        {"method": "POST", "path": "/Users", "bulkId": "ada", "data": {"userName": "ada@bulk.example.com"}},
        {"method": "DELETE", "path": f"/Users/{theirs}"},
    ]
    done = entra.call("POST", "/Bulk", {"Operations": asked})
    results = done.answer["Operations"]
    assert [result["status"] for result in results] == ["201", "201", "400", "201", "404"]
    ids = {result["bulkId"]: result["location"].rpartition("/")[2] for result in results[:2] + results[3:4]}
    stored = operator.cluster.request("GET", "/apis/scim-operator.io/v1alpha1/scimgroups").body["items"]
    members = {item["spec"]["displayName"]: item["spec"].get("members") for item in stored}
    assert members["bulk-a"] == [ids["bulk-b"], ids["ada"]]
    assert members["bulk-b"] == [ids["bulk-a"]]
    assert "bulk-c" not in members


def test_versions_and_cursors(entra: EntraClient) -> None:
    user = entra.provision_user(Person("versions@scim.example.com", "Ver", "Sion"))
    entra.provision_user(Person("cursors@scim.example.com", "Cur", "Sor"))
    authorized, path = _authorized(entra), f"/Users/{user}"
    _, shown, headers = _raw(entra, "GET", path, authorized)
    assert headers["ETag"] == shown["meta"]["version"]
    known = authorized | {"If-None-Match": headers["ETag"]}
    assert _raw(entra, "GET", f"{path}?excludedAttributes=groups", known)[0] == 304
    assert _raw(entra, "GET", path, known)[0] == 200, "another group is no other version"
    entra.set_active("versions@scim.example.com", False)
    assert _raw(entra, "DELETE", path, authorized | {"If-Match": headers["ETag"]})[0] == 412
    names, query = [], {"sortBy": "userName", "count": "1", "cursor": ""}
    while True:
        page = entra.call("GET", "/Users", query=query).answer
        names += [one["userName"] for one in page["Resources"]]
        if "nextCursor" not in page:
            break
        query["cursor"] = page["nextCursor"]
    assert len(names) == page["totalResults"]
    assert names == sorted(names, key=str.lower)


def test_errors_are_scim(entra: EntraClient) -> None:
    authorized = _authorized(entra)
    cases = [
        ("GET", "/Users/none", b"", 404),
        ("DELETE", "/Users/none", b"", 404),
        ("GET", "/Nothing", b"", 404),
        ("PUT", "/Users/none", b"{}", 404),
        ("POST", "/ServiceProviderConfig", b"{}", 405),
        ("POST", "/Users", b"{", 400),
        ("POST", "/Users", b"[]", 400),
        ("POST", "/Users", b"{}", 400),
        ("GET", "/Users?filter=userName+gx+1", b"", 400),
        ("GET", "/Users?count=many", b"", 400),
        ("GET", "/Users?filter=", b"", 400),
        ("POST", "/Users", b'{"userName":"' + b"x" * 5_000_000 + b'"}', 413),
    ]
    for method, path, body, wanted in cases:
        status, answer, headers = _raw(entra, method, path, authorized, body)
        assert (method, path, status) == (method, path, wanted)
        assert answer["schemas"] == [ERROR], path
        assert answer["status"] == str(wanted)
        assert headers["Content-Type"].startswith("application/scim+json")
        assert headers["X-Request-Id"]


@pytest.mark.parametrize(("first", "last"), [(0, 100), pytest.param(100, 1_100, marks=pytest.mark.long)])
def test_every_write_is_seen_by_the_next_request(entra: EntraClient, first: int, last: int) -> None:
    """By GET, by filter and in the list, whichever comes first."""
    team = entra.provision_group(f"ryw {first}", [])
    begin = entra.call("GET", "/Users", query={"count": "0"}).answer["totalResults"]

    def seen(made: Any, there: int) -> None:
        assert entra.find("Users", "externalId", made["externalId"]) == (made if there else None)
        shown = entra.call("GET", f"/Users/{made['id']}")
        assert (shown.answer if there else shown.status) == (made if there else 404)
        page = {"startIndex": str(begin + 1), "count": "5"}
        listed = entra.call("GET", "/Users", query=page).answer
        assert (listed["Resources"], listed["totalResults"]) == ([made] * there, begin + there)

    def by_bulk(body: Any) -> Any:
        """With a group that they are in; it is gone again when the user is shown."""
        group = {"displayName": "ryw bulk", "members": [{"value": "bulkId:1"}]}
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": body},
            {"method": "POST", "path": "/Groups", "bulkId": "2", "data": group},
        ]
        results = entra.call("POST", "/Bulk", {"Operations": operations}).answer["Operations"]
        assert [result["status"] for result in results] == ["201", "201"]
        user, team = (result["location"].rpartition("/")[2] for result in results)
        shown = entra.call("GET", f"/Users/{user}").answer
        assert [one["value"] for one in shown["groups"]] == [team]
        members = entra.call("GET", "/Groups", query={"filter": f'members eq "{user}"'}).answer["Resources"]
        assert [one["id"] for one in members] == [team]
        delete = {"method": "DELETE", "path": f"/Groups/{team}"}
        entra.call("POST", "/Bulk", {"Operations": [delete]})
        assert entra.call("GET", f"/Groups/{team}").status == 404
        return entra.call("GET", f"/Users/{user}").answer

    for i in range(first, last):
        name = f"ryw{i}@scim.example.com"
        body = {"userName": name, "externalId": f"ryw-{i}"}
        made = entra.call("POST", "/Users", body).answer if i % 10 != 5 else by_bulk(body)
        entra.ids[name] = made["id"]
        seen(made, 1)
        changed = entra.set_active(name, False).answer
        assert changed["active"] is False
        seen(changed, 1)
        if i % 10 == 0:
            entra.add_members(f"ryw {first}", [name])
            (group,) = entra.call("GET", "/Groups", query={"filter": f'members eq "{made["id"]}"'}).answer[
                "Resources"
            ]
            assert (group["id"], [one["value"] for one in group["members"]]) == (team, [made["id"]])
        entra.delete("Users", name)
        seen(made, 0)


def test_a_deleted_secret_revokes_its_token(operator: Installation) -> None:
    client = operator.client("other")
    assert client.test_connection().status == 200
    done = operator.command("token", "create", "other", "-n", NAMESPACE, "-o", "json")
    made = json.loads(done.stdout)
    second = EntraClient(made["url"], made["token"])
    assert second.test_connection().status == 200
    operator.cluster.kubectl("delete", "secret", "-n", NAMESPACE, made["secret"].split("/")[1])
    becomes(lambda: second.test_connection().status, 401)
    assert client.test_connection().status == 200


def test_token_for_a_directory_that_does_not_exist(operator: Installation) -> None:
    done = operator.command("token", "create", "nothing", "-n", NAMESPACE)
    assert done.returncode == 1
    assert "there is no ScimDirectory 'nothing'" in done.stderr


def test_logs_hold_neither_tokens_nor_query_strings(operator: Installation, entra: EntraClient) -> None:
    entra.find("Users", "userName", "secret.person@scim.example.com")
    log = operator.process.log.read_text()
    assert entra.token not in log
    assert "secret.person" not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert any(line["message"] == "request" and line["path"] == "/scim/v2/scim/Users" for line in lines)
    # kopf reports an API server that went away (other tests take it away) as an error; we never have one.
    ours = [line for line in lines if line["logger"].startswith("scim_operator")]
    # But for a Secret that opens nothing, which is told as one (test_tokens makes some).
    expected = "a Secret is no valid token and opens nothing"
    errors = [line for line in ours if line["level"] in ("ERROR", "CRITICAL")]
    assert not [line for line in errors if line["message"] != expected]
