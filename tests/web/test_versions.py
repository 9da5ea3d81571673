"""Requests that depend on a version (RFC 7644 section 3.14)."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.directory.records import USERS
from tests.directory.provider import add, replace
from tests.web.endpoint import Endpoint

RENAME = {"Operations": [replace("title", "Dr")]}


async def answered(endpoint: Endpoint, method: str, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await endpoint.ask(method, path, body, headers=names)
    content = await answer.read()
    return answer.status, (await answer.json(content_type=None)) if content else None


async def test_get_of_a_version_that_is_known(endpoint: Endpoint) -> None:
    ada = await endpoint.user()
    path = f"/Users/{ada.id}?excludedAttributes=groups"
    shown = await endpoint.ask("GET", path)
    tag = shown.headers["ETag"]
    assert tag == (await shown.json(content_type=None))["meta"]["version"] == 'W/"1"'
    unchanged = await endpoint.ask("GET", path, headers={"If-None-Match": f'W/"9", {tag}'})
    assert (unchanged.status, unchanged.headers["ETag"], await unchanged.read()) == (304, tag, b"")
    assert (await answered(endpoint, "GET", path, None, If_None_Match="*"))[0] == 304
    await endpoint.patch(ada, replace("title", "Dr"))
    status, changed = await answered(endpoint, "GET", path, None, If_None_Match=tag)
    assert (status, changed["meta"]["version"]) == (200, 'W/"2"')
    # It speaks of what exists: a 304 here would hide that somebody is gone.
    assert (await answered(endpoint, "GET", "/Users/none", None, If_None_Match="*"))[0] == 404


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", RENAME), ("PUT", {"userName": "ada", "title": "Dr"}), ("DELETE", None)]
)
@pytest.mark.parametrize(
    "header", [("If-Match", 'W/"1"'), ("If-Match", 'W/"3", "4"'), ("If-None-Match", "*"), ("If-Match", "2")]
)
async def test_change_of_another_version(
    endpoint: Endpoint, method: str, body: Any, header: tuple[str, str]
) -> None:
    ada = await endpoint.user(title="Prof")
    ada = await endpoint.patch(ada, replace("nickName", "A"))
    before = endpoint.stored(ada)
    refused = await endpoint.ask(method, f"/Users/{ada.id}", body, headers=dict([header]))
    error = await refused.json(content_type=None)
    assert refused.status == (400 if header[1] == "2" else 412)
    assert error["status"] == str(refused.status)
    assert endpoint.stored(ada) == before


@pytest.mark.parametrize("header", [{"If-Match": 'W/"1"'}, {"If-Match": "*"}, {"If-None-Match": 'W/"7"'}])
async def test_change_of_the_version_that_is_meant(endpoint: Endpoint, header: dict[str, str]) -> None:
    ada = await endpoint.user()
    changed = await endpoint.ask("PATCH", f"/Users/{ada.id}", RENAME, headers=header)
    assert (changed.status, changed.headers["ETag"]) == (200, 'W/"2"')
    second = {"If-Match": 'W/"2"'} if "If-Match" in header else header
    assert (await endpoint.ask("DELETE", f"/Users/{ada.id}", headers=second)).status == 204


async def test_unknown_resource_is_missing_and_not_of_another_version(endpoint: Endpoint) -> None:
    for method, body in (("PATCH", RENAME), ("PUT", {"userName": "x"}), ("DELETE", None)):
        assert (await answered(endpoint, method, "/Users/none", body, If_Match='W/"1"'))[0] == 404


async def test_change_that_comes_in_between_is_seen(endpoint: Endpoint) -> None:
    """The version is looked at where the change is made: again, after the API server reported a conflict."""
    ada, bob = await endpoint.user("ada"), await endpoint.user("bob")
    team = await endpoint.group("team", ada.id)

    async def intrude(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", "scimgroups"):
            endpoint.api.before = None
            stored = endpoint.stored(team)
            stored["spec"]["displayName"] = "renamed"
            stored["spec"]["meta"]["version"] += 1
            stored["metadata"]["resourceVersion"] = "5000"

    endpoint.api.before = intrude
    status, error = await answered(
        endpoint, "PATCH", f"/Groups/{team.id}", {"Operations": [add(bob.id)]}, If_Match='W/"1"'
    )
    assert status == 412, error
    assert endpoint.stored(team)["spec"]["members"] == [ada.id]


@pytest.mark.parametrize("tag", ["3", "W/3", "", '"\xff'])
async def test_condition_that_is_none_is_passed_over_by_a_read_alone(endpoint: Endpoint, tag: str) -> None:
    ada = await endpoint.user()
    path = f"/Users/{ada.id}"
    for header in ("If_None_Match", "If_Match"):
        assert (await answered(endpoint, "GET", path, None, **{header: tag}))[0] == 200
        assert (await answered(endpoint, "DELETE", path, None, **{header: tag}))[0] == 400


async def test_edit_in_kubernetes_is_another_version(endpoint: Endpoint) -> None:
    ada = await endpoint.user(title="Dr")
    path, first = f"/Users/{ada.id}?excludedAttributes=groups", 'W/"1"'
    seen = {first}
    for edited in ("Prof", "Dr"):
        obj = endpoint.stored(ada)
        endpoint.index.put(endpoint.api.put(USERS, {**obj, "spec": {**obj["spec"], "title": edited}}))
        status, shown = await answered(endpoint, "GET", path, None, If_None_Match=", ".join(seen))
        assert (status, shown["title"]) == (200, edited)
        assert (await answered(endpoint, "PATCH", path, RENAME, If_Match=", ".join(seen)))[0] == 412
        seen.add(shown["meta"]["version"])
    status, changed = await answered(endpoint, "PATCH", path, {"Operations": [replace("title", "x")]})
    assert status == 200
    assert changed["meta"]["version"] not in seen
    # No effect, no write, no other version.
    same, _ = await answered(endpoint, "PATCH", path, {"Operations": [replace("title", "x")]})
    tag = changed["meta"]["version"]
    assert (same, (await answered(endpoint, "GET", path, None, If_None_Match=tag))[0]) == (200, 304)


async def test_what_is_brought_back_from_a_backup_is_another_version(endpoint: Endpoint) -> None:
    ada = await endpoint.user()
    for title in ("Dr", "Prof"):
        ada = await endpoint.patch(ada, replace("title", title))
    obj = endpoint.stored(ada)
    endpoint.index.evict("User", ada.name, ada.uid)
    endpoint.api.drop(USERS, ada.name)
    metadata = {"name": ada.name}
    endpoint.index.put(endpoint.api.put(USERS, {"metadata": metadata, "spec": obj["spec"]}))
    path = f"/Users/{ada.id}?excludedAttributes=groups"
    assert (await answered(endpoint, "GET", path, None, If_None_Match='W/"1", W/"2", W/"3"'))[0] == 200


async def test_what_is_derived_is_never_taken_for_known(endpoint: Endpoint) -> None:
    ada, bob = await endpoint.user("ada"), await endpoint.user("bob")
    team = await endpoint.group("team", ada.id, bob.id)
    user, group, tag = f"/Users/{ada.id}", f"/Groups/{team.id}", 'W/"1"'

    async def known(path: str) -> bool:
        return (await answered(endpoint, "GET", path, None, If_None_Match=tag))[0] == 304

    assert [await known(path) for path in (group, f"{group}?attributes=members")] == [True, True]
    assert not await known(f"{group}?attributes=members.display")
    assert not await known(user), "another group may have come"
    assert await known(f"{user}?attributes=userName")
    await endpoint.delete(bob)
    assert not await known(group), "a copy of it holds a leaver"
    assert await known(f"{group}?excludedAttributes=members")
