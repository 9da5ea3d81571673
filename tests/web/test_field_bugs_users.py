"""Bugs 18 to 47 of field_bugs.py over HTTP: disabling, PATCH paths, look-ups, connection and conflicts."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.web.endpoint import Endpoint
from tests.web.talk import Json, Talk

WORK = 'emails[type eq "work"]'
ADDRESS = 'addresses[type eq "work"]'
MANAGER = f"{ENTERPRISE_URN}:manager"
FLAG = "?aadOptscim062020"


@pytest_asyncio.fixture
async def entra(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


async def patched(entra: Talk, *operations: Json, **attributes: Any) -> Json:
    """A new user after these operations, as the next GET shows it."""
    user = await entra.user(**attributes)
    answered = await entra.patch(f"/Users/{user}", *operations)
    shown: Json = await entra("GET", f"/Users/{user}")
    assert answered == shown
    return shown


# --- booleans and disabling --------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["false", "False", "FALSE", False, [{"$ref": None, "value": "False"}]])
async def test_bug_18_false_as_a_word_disables(entra: Talk, word: Any) -> None:
    assert (await patched(entra, {"op": "replace", "path": "active", "value": word}))["active"] is False


async def test_bug_19_add_of_active(entra: Talk) -> None:
    assert (await patched(entra, {"op": "Add", "path": "active", "value": "False"}))["active"] is False


async def test_bug_20_it_reaches_what_is_stored(entra: Talk) -> None:
    shown = await patched(entra, {"op": "Replace", "path": "active", "value": "False"})
    record = entra.endpoint.index.get("entra", "User", shown["id"])
    assert record is not None
    assert entra.endpoint.stored(record)["spec"]["active"] is False
    assert [found["id"] for found in await entra.find("Users", "active eq false")] == [shown["id"]]


async def test_bug_21_disabling_and_enabling_again_in_every_form(entra: Talk) -> None:
    user = await entra.user()
    for active, operation in (
        (False, {"op": "Replace", "path": "active", "value": "False"}),
        (True, {"op": "Replace", "path": "active", "value": "True"}),
        (False, {"op": "replace", "value": {"active": False}}),
        (True, {"op": "add", "value": {"active": "true"}}),
        (False, {"op": "replace", "path": f"{USER_URN}:active", "value": False}),
    ):
        assert (await entra.patch(f"/Users/{user}", operation))["active"] is active


async def test_bug_22_what_is_so_already_is_no_error_and_a_leaver_stays_visible(entra: Talk) -> None:
    user = await entra.user()
    await entra.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": True})
    for _ in range(2):
        await entra.patch(f"/Users/{user}", {"op": "replace", "path": "active", "value": False})
    assert [found["active"] for found in await entra.find("Users", 'userName eq "ada"')] == [False]


async def test_bug_23_active_in_a_put(entra: Talk) -> None:
    shown = await entra("GET", f"/Users/{await entra.user()}")
    for active in (False, True, False):
        said = await entra("PUT", f"/Users/{shown['id']}", shown | {"active": active})
        assert said["active"] is active
    left_out = {"userName": "ada"}  # enables nobody
    assert (await entra("PUT", f"/Users/{shown['id']}", left_out))["active"] is False


@pytest.mark.parametrize("query", ["", FLAG])
async def test_bug_24_words_in_lower_case_with_and_without_the_flag(entra: Talk, query: str) -> None:
    user = await entra.user()
    operation = {"op": "replace", "path": "active", "value": "false"}
    said = await entra("PATCH", f"/Users/{user}{query}", {"Operations": [operation]})
    assert said["active"] is False


# --- PATCH paths -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Add", "path": f"{WORK}.value", "value": "a@x.org"},
        {"op": "replace", "path": f"{WORK}.value", "value": "a@x.org"},
        {"op": "replace", "value": {f"{WORK}.value": "a@x.org"}},
        {"op": "add", "path": WORK, "value": {"value": "a@x.org"}},
        {"op": "add", "path": f"{USER_URN}:{WORK}.value", "value": "a@x.org"},
    ],
)
async def test_bug_25_value_path_on_a_missing_element_makes_it(entra: Talk, operation: Json) -> None:
    assert (await patched(entra, operation))["emails"] == [{"type": "work", "value": "a@x.org"}]


async def test_bug_26_several_operations_make_one_element_and_siblings_stay(entra: Talk) -> None:
    home = {"type": "home", "locality": "H"}
    parts = {"formatted": "f", "locality": "l", "country": "c"}
    operations = [{"op": "Add", "path": f"{ADDRESS}.{name}", "value": part} for name, part in parts.items()]
    shown = await patched(entra, *operations, addresses=[home])
    assert shown["addresses"] == [home, {"type": "work", **parts}]


async def test_bug_27_extension_attributes_without_path(entra: Talk) -> None:
    value = {f"{ENTERPRISE_URN}:employeeNumber": "9", "urn:example:ext:2.0:User:badge": "7"}
    shown = await patched(entra, {"op": "replace", "value": value})
    assert shown[ENTERPRISE_URN] == {"employeeNumber": "9"}
    assert shown["urn:example:ext:2.0:User"] == {"badge": "7"}
    assert {ENTERPRISE_URN, "urn:example:ext:2.0:User"} <= set(shown["schemas"])


@pytest.mark.parametrize("op", ["add", "replace", "Replace"])
async def test_bug_28_dotted_keys_without_path(entra: Talk, op: str) -> None:
    value = {"displayName": "D", "name.givenName": "G", "name.familyName": "F"}
    shown = await patched(entra, {"op": op, "value": value})
    assert (shown["displayName"], shown["name"]) == ("D", {"givenName": "G", "familyName": "F"})
    assert not [key for key in shown if "." in key]


@pytest.mark.parametrize("sent", ["271", {"value": "271"}, [{"value": "271"}]])
@pytest.mark.parametrize("path", [MANAGER, "manager", f"{ENTERPRISE_URN}.manager"])
@pytest.mark.parametrize("gone", ["", None, {"value": ""}, {"value": None}])
async def test_bug_29_manager_in_every_form(entra: Talk, sent: Any, path: str, gone: Any) -> None:
    user = await entra.user()
    given = await entra.patch(f"/Users/{user}", {"op": "Add", "path": path, "value": sent})
    assert given[ENTERPRISE_URN] == {"manager": {"value": "271"}}
    assert [found["id"] for found in await entra.find("Users", 'manager eq "271"')] == [user]
    taken = await entra.patch(f"/Users/{user}", {"op": "replace", "path": path, "value": gone})
    assert ENTERPRISE_URN not in taken


async def test_bug_30_enterprise_attributes_by_path(entra: Talk) -> None:
    names = ("employeeNumber", "costCenter", "organization", "division", "department")
    operations = [{"op": "add", "path": f"{ENTERPRISE_URN}:{name}", "value": name} for name in names]
    assert (await patched(entra, *operations))[ENTERPRISE_URN] == {name: name for name in names}


async def test_bug_31_whole_extension_by_path_and_filters_under_a_urn(entra: Talk) -> None:
    whole = {"op": "replace", "path": ENTERPRISE_URN, "value": {"department": "d", "manager": None}}
    filtered = {"op": "add", "path": f"{USER_URN}:{WORK}.display", "value": "W"}
    shown = await patched(entra, whole, filtered, emails=[{"type": "work", "value": "w"}])
    assert shown[ENTERPRISE_URN] == {"department": "d"}
    assert shown["emails"] == [{"type": "work", "value": "w", "display": "W"}]
    unknown = {"op": "replace", "path": "urn:example:x:2.0:User:seats[row eq 1].n", "value": 2}
    said = await entra.patch(f"/Users/{shown['id']}", unknown, status=400)
    assert said["scimType"] == "invalidPath"


async def test_bug_32_mixed_list_with_an_enterprise_path(entra: Talk) -> None:
    shown = await patched(
        entra,
        {"op": "Replace", "path": f"{WORK}.value", "value": "w@x.org"},
        {"op": "Replace", "path": f"{ADDRESS}.formatted", "value": "18/2111"},
        {"op": "Add", "path": f"{ENTERPRISE_URN}:department", "value": "Retail"},
    )
    assert shown["emails"] == [{"type": "work", "value": "w@x.org"}]
    assert shown["addresses"] == [{"type": "work", "formatted": "18/2111"}]
    assert shown[ENTERPRISE_URN] == {"department": "Retail"}


async def test_bug_33_roles_by_primary_as_a_word(entra: Talk) -> None:
    value = {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "Admin"}
    display = {"op": "Replace", "path": 'roles[primary eq "True"].display', "value": "The admin"}
    role = {"primary": True, "value": "Admin", "display": "The admin"}
    assert (await patched(entra, value, display))["roles"] == [role]
    assert await entra.find("Users", 'roles[primary eq "True"]')


@pytest.mark.parametrize("op", ["frobnicate", "", None, 5, ["add"]])
async def test_bug_34_unknown_operation(entra: Talk, op: Any) -> None:
    user = await entra.user()
    said = await entra.patch(f"/Users/{user}", {"op": op, "path": "title", "value": "x"}, status=400)
    assert said["scimType"] == "invalidSyntax"
    assert "op expects add, replace or remove" in said["detail"]


# --- look-ups, connection, conflicts -----------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "application/json;q=0", ""])
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/scim+json;charset=x"]
)
async def test_bug_35_headers_refuse_nobody(entra: Talk, accept: str, content_type: str) -> None:
    headers = {"Accept": accept, "Content-Type": content_type}
    await entra("GET", "/Users?filter=userName+eq+%227d420df3-9995%22", headers=headers)
    await entra("POST", "/Users", {"userName": "ada"}, 201, headers)


async def test_bug_36_nobody_found_is_200_and_no_token_401(entra: Talk) -> None:
    await entra.user()
    for text in ('userName eq "nobody"', 'id eq "nobody"', 'externalId eq "x" and active eq true'):
        assert await entra.find("Users", text) == []
    assert (await entra("GET", "/Groups"))["Resources"] == []
    answer = await entra.endpoint.ask("GET", "/Users", token=None)
    assert (answer.status, answer.content_type) == (401, "application/scim+json")


@pytest.mark.parametrize("endpoint_name", ["Users", "Groups"])
async def test_bug_37_external_id_is_a_filter(entra: Talk, endpoint_name: str) -> None:
    make = entra.user if endpoint_name == "Users" else entra.group
    one = await make("one", externalId="4045ea11")
    await make("other", externalId="4045EA11")  # case-exact (RFC 7643 section 3.1)
    found = await entra.find(endpoint_name, 'externalId eq "4045ea11"')
    assert [resource["id"] for resource in found] == [one]


async def test_bug_38_literals_without_quotes(entra: Talk) -> None:
    user = await entra.user("akadmin", externalId="4711")
    for text in ("userName eq akadmin", "externalId eq 4711", "username EQ akadmin", 'externalId eq "4711"'):
        assert [found["id"] for found in await entra.find("Users", text)] == [user]


async def test_bug_39_unknown_attribute_never_shows_everybody(entra: Talk) -> None:
    await entra.user()
    for text in ('foo eq "x"', 'foo ne "x"', 'not (foo eq "x")', "not (foo pr)", 'urn:a:b:c ne "x"'):
        assert await entra.find("Users", text) == [], text


async def test_bug_40_eq_is_not_contains_and_a_conflict_names_its_field(entra: Talk) -> None:
    await entra.user("bob", nickName="bob")
    bobby = await entra.user("bobby", nickName="bobby")
    for name in ("userName", "nickName"):  # the one is looked up, the other compared
        assert [found["userName"] for found in await entra.find("Users", f'{name} eq "bob"')] == ["bob"]
    rename = {"op": "replace", "path": "userName", "value": "Bob"}
    said = await entra.patch(f"/Users/{bobby}", rename, status=409)
    assert said["scimType"] == "uniqueness"
    assert said["detail"].startswith("userName")


async def test_bug_41_two_people_may_share_an_e_mail_but_no_name(entra: Talk) -> None:
    mail = [{"type": "work", "value": "team@x.org"}]
    assert await entra.user("ada", emails=mail) != await entra.user("bob", emails=mail)
    assert len(await entra.find("Users", f'{WORK}.value eq "TEAM@x.org"')) == 2
    said = await entra("POST", "/Users", {"userName": "Ada", "emails": mail}, 409)
    assert said["scimType"] == "uniqueness"


async def test_bug_42_conflicts_are_409_with_scim_type_and_status(entra: Talk) -> None:
    await entra.user("ada")
    await entra.group("team")
    for path, body in (("/Users", {"userName": "ADA"}), ("/Groups", {"displayName": "Team"})):
        said = await entra("POST", path, body, 409)
        assert (said["scimType"], said["status"]) == ("uniqueness", "409")


async def test_bug_43_extra_urns_of_a_group_and_a_put_against_itself(entra: Talk) -> None:
    schemas = [GROUP_URN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]
    ada = await entra.user()
    body = {"schemas": [*schemas, "urn:okta:custom:group:1.0"], "displayName": "team", "members": []}
    group = await entra("POST", "/Groups", body, 201)
    unchanged = await entra("PUT", f"/Groups/{group['id']}", body)
    assert unchanged == group
    put = await entra("PUT", f"/Groups/{group['id']}", body | {"members": [{"value": ada, "display": None}]})
    assert [member["value"] for member in put["members"]] == [ada]


async def test_bug_44_who_is_disabled_can_be_read_back(entra: Talk) -> None:
    user = await entra.user()
    group = await entra.group("team", user)
    await entra.patch(f"/Users/{user}", {"op": "Replace", "path": "active", "value": "False"})
    shown = await entra("GET", f"/Users/{user}")
    assert (shown["active"], [one["value"] for one in shown["groups"]]) == (False, [group])
    assert await entra.members(group) == [user]


async def test_bug_47_rename_by_put(entra: Talk) -> None:
    ada = await entra.user()
    group = await entra.group("team", ada)
    await entra("PUT", f"/Groups/{group}", {"id": group, "displayName": "crew"})
    assert [found["id"] for found in await entra.find("Groups", 'displayName eq "crew"')] == [group]
    assert await entra.find("Groups", 'displayName eq "team"') == []
    await entra("PUT", f"/Users/{ada}", {"userName": "eve"})
    assert [found["id"] for found in await entra.find("Users", 'userName eq "eve"')] == [ada]
    assert await entra.find("Users", 'userName eq "ada"') == []
    await entra.user("ada")
    await entra.group("team")
