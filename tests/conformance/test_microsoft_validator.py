"""Microsoft's SCIM validator: its tests by their names, with its wire habits.

Every test reads back what it wrote, over SCIM and from the custom resource, and runs with both forms of the
Tenant URL.
"""

from __future__ import annotations

import re

import pytest

from tests.conformance.paths import value_at
from tests.conformance.validator import (
    MANAGER,
    PREVIEW,
    REQUIRED,
    Stored,
    Validator,
    manager_in,
    members_replaced,
)
from tests.conformance.words import user_body, verbose_changes, word
from tests.entra import CORE_GROUP, ENTERPRISE, Dialect, EntraClient, Exchange, Json
from tests.installation import Connection, Installation


@pytest.fixture(scope="module")
def connection(operator: Installation) -> Connection:
    """Of directory `validator`."""
    return operator.connection("validator")


@pytest.fixture
def validator(connection: Connection, dialect: Dialect, stored: Stored) -> Validator:
    """The validator, with one form of the Tenant URL."""
    return Validator(EntraClient(connection.url, connection.token, dialect), stored)


def taken(exchange: Exchange) -> bool:
    return (exchange.status, exchange.answer["scimType"]) == (409, "uniqueness")


@pytest.mark.parametrize("name", [*REQUIRED, *PREVIEW])
def test_every_test_of_the_validator_is_here(name: str) -> None:
    assert "test_" + re.sub(r"\W+", "_", name.lower()).strip("_") in globals()


def test_there_are_25_required_and_7_preview_tests() -> None:
    assert (len(set(REQUIRED)), len(set(PREVIEW))) == (25, 7)


# --- users -------------------------------------------------------------------------------------------------


def test_create_a_new_user(validator: Validator) -> None:
    body = user_body(f"{word()}@testuser.com")
    made = validator.entra.call("POST", "/Users", body)
    assert made.status == 201
    assert made.headers["Location"] == made.answer["meta"]["location"]
    shown = validator.get("Users", made.answer["id"])
    assert shown == made.answer
    for path in (
        "userName",
        "externalId",
        "displayName",
        "title",
        "locale",
        "profileUrl",
        "name",
        ENTERPRISE,
    ):
        assert shown[path] == body[path]
    assert shown["active"] is True
    assert shown["roles"] == [body["roles"][0] | {"primary": True}]
    assert value_at(shown, 'emails[type eq "work"].primary') is True
    held = validator.stored(made.answer["id"]) or {}
    assert (held["userName"], held["active"], held["directory"]) == (body["userName"], True, "validator")


def test_create_a_duplicate_user(validator: Validator) -> None:
    user = validator.user()
    for name in (user["userName"], user["userName"].lower()):
        assert taken(validator.entra.call("POST", "/Users", user_body(name)))
    assert validator.found("Users", f'userName eq "{user["userName"]}"') == [user]


def test_filter_for_an_existing_user(validator: Validator) -> None:
    user = validator.user()
    assert validator.found("Users", f'userName eq "{user["userName"]}"') == [user]
    assert validator.found("Users", f'externalId eq "{user["externalId"]}"') == [user]


def test_filter_for_a_non_existing_user(validator: Validator) -> None:
    user = validator.user()
    assert validator.found("Users", f'userName eq "nonexistente997dccbd8b7_{user["userName"]}"') == []


def test_filter_for_an_existing_user_with_a_different_case(validator: Validator) -> None:
    user = validator.user()
    assert validator.found("Users", f'userName eq "{user["userName"].upper()}"') == [user]


def test_patch_user_replace_attributes_verbose_request(validator: Validator) -> None:
    user, changes = validator.user(), verbose_changes()
    assert len(changes) == 36
    validator.entra.ids["user"] = user["id"]
    validator.entra.update_user("user", changes)
    assert_changed(validator, user["id"], changes)


def assert_changed(validator: Validator, identifier: str, changes: Json) -> None:
    """Every path reads back as it was written; "True" as true."""
    shown = validator.get("Users", identifier)
    booleans = {"True": True, "False": False}
    for path, value in changes.items():
        assert value_at(shown, path) == booleans.get(value, value), path
    assert (validator.stored(identifier) or {})["displayName"] == changes["displayName"]


def test_update_user_username(validator: Validator) -> None:
    user, new = validator.user(), f"{word()}@testuser.com"
    changed = validator.patch("Users", user["id"], {"op": "replace", "value": {"userName": new}})
    assert changed["userName"] == new
    assert validator.found("Users", f'userName eq "{new}"') == [changed]
    assert validator.found("Users", f'userName eq "{user["userName"]}"') == []
    assert (validator.stored(user["id"]) or {})["userName"] == new


def test_patch_user_disable_user(validator: Validator) -> None:
    user = validator.user()
    validator.entra.ids["user"] = user["id"]
    assert validator.entra.set_active("user", False).answer["active"] is False
    assert validator.get("Users", user["id"])["active"] is False
    (found,) = validator.found("Users", f'userName eq "{user["userName"]}"')
    assert found["active"] is False
    assert (validator.stored(user["id"]) or {})["active"] is False


def test_patch_user_add_attributes_verbose_request(validator: Validator) -> None:
    made = validator.entra.call("POST", "/Users", {"userName": f"{word()}@testuser.com"}).answer
    changes = verbose_changes()
    if validator.entra.dialect is Dialect.LEGACY:
        operations = [{"op": "Add", "path": path, "value": value} for path, value in changes.items()]
    else:
        joined = {path: value for path, value in changes.items() if "[" not in path}
        operations = [
            *({"op": "add", "path": path, "value": changes[path]} for path in changes if "[" in path),
            {"op": "add", "value": joined},
        ]
    validator.patch("Users", made["id"], *operations)
    assert_changed(validator, made["id"], changes)


@pytest.mark.parametrize("form", ["raw string", "object", "object in a list"])
def test_patch_user_add_manager(validator: Validator, form: str) -> None:
    boss = validator.user()["id"]
    made = validator.entra.call("POST", "/Users", {"userName": f"{word()}@testuser.com"}).answer
    validator.patch("Users", made["id"], {"op": "add", "path": MANAGER, "value": manager_in(form, boss)})
    assert validator.manager(made["id"]) == boss


@pytest.mark.parametrize("op", ["replace", "add"])
@pytest.mark.parametrize("form", ["raw string", "object", "object in a list"])
def test_patch_user_replace_manager(validator: Validator, form: str, op: str) -> None:
    boss, user = validator.user()["id"], validator.user()
    validator.patch("Users", user["id"], {"op": op, "path": MANAGER, "value": manager_in(form, boss)})
    assert validator.manager(user["id"]) == boss
    # whom nobody knows
    validator.patch(
        "Users", user["id"], {"op": op, "path": MANAGER, "value": manager_in(form, "GFZMFOVZMHIV")}
    )
    assert validator.manager(user["id"]) == "GFZMFOVZMHIV"


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "replace", "path": MANAGER, "value": ""}, id="replace-by-nothing"),
        pytest.param(
            {"op": "replace", "path": MANAGER, "value": {"value": ""}}, id="replace-value-by-nothing"
        ),
        pytest.param({"op": "replace", "path": MANAGER, "value": None}, id="replace-by-null"),
        pytest.param({"op": "Remove", "path": MANAGER}, id="remove"),
    ],
)
def test_patch_user_remove_manager(validator: Validator, operation: Json) -> None:
    user = validator.user()
    assert validator.manager(user["id"]) == user[ENTERPRISE]["manager"]["value"]
    left = validator.patch("Users", user["id"], operation)
    assert validator.manager(user["id"]) is None
    assert left[ENTERPRISE] == {"department": user[ENTERPRISE]["department"]}


def test_delete_a_user(validator: Validator) -> None:
    user = validator.user()
    assert validator.entra.call("DELETE", f"/Users/{user['id']}").status == 204
    assert validator.gone("Users", user["id"])
    assert validator.found("Users", f'userName eq "{user["userName"]}"') == []


def test_patch_user_multiple_ops_on_different_attributes(validator: Validator) -> None:
    user, mail, formatted = validator.user(), f"{word()}@testuser.com", word()
    changed = validator.patch(
        "Users",
        user["id"],
        {"op": "remove", "path": 'phoneNumbers[type eq "work"].value'},
        {"op": "add", "path": 'emails[type eq "home"].value', "value": word()},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": mail},
        {"op": "replace", "value": {"name.formatted": formatted, "active": "False"}},
    )
    assert value_at(changed, 'phoneNumbers[type eq "work"].value') is None
    assert value_at(changed, 'phoneNumbers[type eq "fax"].value') == user["phoneNumbers"][1]["value"]
    assert value_at(changed, 'emails[type eq "work"].value') == mail
    assert (changed["name"]["formatted"], changed["active"]) == (formatted, False)


def test_patch_user_multiple_ops_on_same_attribute(validator: Validator) -> None:
    user, first, last = validator.user(), word(), word()
    for path in ("displayName", "userName"):
        changed = validator.patch(
            "Users",
            user["id"],
            {"op": "remove", "path": path},
            {"op": "add", "path": path, "value": first},
            {"op": "replace", "path": path, "value": last},
        )
        assert changed[path] == last


def test_delete_a_non_existent_user(validator: Validator) -> None:
    assert validator.entra.call("DELETE", f"/Users/{word()}").status == 404


def test_delete_the_same_user_twice(validator: Validator) -> None:
    path = f"/Users/{validator.user()['id']}"
    assert [validator.entra.call("DELETE", path).status for _ in range(2)] == [204, 404]


# --- groups ------------------------------------------------------------------------------------------------


def test_get_group_by_id_excluding_members(validator: Validator) -> None:
    group = validator.group(validator.user()["id"])
    shown = validator.entra.call(
        "GET", f"/Groups/{group['id']}", query={"excludedAttributes": "members"}
    ).answer
    assert (shown["id"], shown["displayName"], "members" in shown) == (
        group["id"],
        group["displayName"],
        False,
    )


def test_filter_for_an_existing_group_excluding_members(validator: Validator) -> None:
    group = validator.group(validator.user()["id"])
    text = f'displayName eq "{group["displayName"]}"'
    (found,) = validator.found("Groups", text, excludedAttributes="members")
    assert (found["id"], "members" in found) == (group["id"], False)


def test_filter_for_an_existing_group(validator: Validator) -> None:
    user = validator.user()["id"]
    group = validator.group(user)
    (found,) = validator.found("Groups", f'displayName eq "{group["displayName"]}"')
    assert (found["id"], [member["value"] for member in found["members"]]) == (group["id"], [user])


def test_filter_for_a_non_existing_group(validator: Validator) -> None:
    text = f'displayName eq "nonexistente997dccbd8b7_{validator.group()["displayName"]}"'
    assert validator.found("Groups", text, excludedAttributes="members") == []


def test_filter_for_an_existing_group_with_a_different_case(validator: Validator) -> None:
    group = validator.group()
    assert validator.found("Groups", f'displayName eq "{group["displayName"].lower()}"') == [group]


def test_create_a_new_group(validator: Validator) -> None:
    group = validator.group()
    assert validator.get("Groups", group["id"]) == group
    assert (group["members"], group["schemas"]) == ([], [CORE_GROUP])
    held = validator.stored(group["id"]) or {}
    assert (held["displayName"], held["externalId"]) == (group["displayName"], group["externalId"])


def test_create_a_duplicate_group(validator: Validator) -> None:
    # The validator's group part makes its user once more and expects to hear of it.
    user, group = validator.user(), validator.group()
    assert taken(validator.entra.call("POST", "/Users", {"userName": user["userName"]}))
    assert taken(validator.entra.call("POST", "/Groups", {"displayName": group["displayName"].lower()}))
    assert validator.get("Groups", group["id"]) == group


def test_patch_group_replace_attributes(validator: Validator) -> None:
    user = validator.user()["id"]
    group, name, external = validator.group(user), word(), word()
    operations: list[Json] = [{"op": "replace", "value": {"displayName": name, "externalId": external}}]
    if validator.entra.dialect is Dialect.LEGACY:
        operations = [
            {"op": "Replace", "path": "displayName", "value": name},
            {"op": "Add", "path": "externalId", "value": external},
        ]
    changed = validator.patch("Groups", group["id"], *operations)
    assert (changed["displayName"], changed["externalId"]) == (name, external)
    assert validator.members(group["id"]) == [user]


def test_update_group_displayname(validator: Validator) -> None:
    group, name = validator.group(), word()
    validator.patch("Groups", group["id"], {"op": "replace", "path": "displayName", "value": name})
    assert [found["id"] for found in validator.found("Groups", f'displayName eq "{name}"')] == [group["id"]]
    assert validator.found("Groups", f'displayName eq "{group["displayName"]}"') == []
    assert (validator.stored(group["id"]) or {})["displayName"] == name


def test_patch_group_add_member(validator: Validator) -> None:
    first, second = validator.user()["id"], validator.user()["id"]
    group = validator.group()
    validator.patch("Groups", group["id"], members_replaced(first))
    assert validator.members(group["id"]) == [first]
    validator.entra.ids |= {"group": group["id"], "second": second}
    validator.entra.add_members("group", ["second"])
    assert validator.members(group["id"]) == [first, second]


def test_patch_group_remove_member(validator: Validator) -> None:
    first, second = validator.user()["id"], validator.user()["id"]
    group = validator.group(first, second)
    validator.entra.ids |= {"group": group["id"], "first": first}
    validator.entra.remove_members("group", ["first"])
    assert validator.members(group["id"]) == [second]


def test_delete_a_group(validator: Validator) -> None:
    user = validator.user()["id"]
    group = validator.group(user)
    assert validator.entra.call("DELETE", f"/Groups/{group['id']}").status == 204
    assert validator.gone("Groups", group["id"])
    assert validator.get("Users", user)["groups"] == []


def test_patch_group_multiple_ops_on_same_attribute(validator: Validator) -> None:
    group, last = validator.group(), word()
    changed = validator.patch(
        "Groups",
        group["id"],
        {"op": "remove", "path": "displayName"},
        {"op": "add", "path": "displayName", "value": word()},
        {"op": "replace", "path": "displayName", "value": last},
    )
    assert changed["displayName"] == last
    first, second = validator.user()["id"], validator.user()["id"]
    validator.patch(
        "Groups",
        group["id"],
        {"op": "add", "path": "members", "value": [{"value": first}, {"value": second}]},
        {"op": "remove", "path": f'members[value eq "{first}"]'},
    )
    assert validator.members(group["id"]) == [second]


def test_delete_a_non_existent_group(validator: Validator) -> None:
    assert validator.entra.call("DELETE", f"/Groups/{word()}").status == 404


def test_delete_the_same_group_twice(validator: Validator) -> None:
    path = f"/Groups/{validator.group()['id']}"
    assert [validator.entra.call("DELETE", path).status for _ in range(2)] == [204, 404]
