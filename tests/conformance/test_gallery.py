"""What Microsoft runs before an application enters Entra's gallery: its tests by their names.

The list is that of SCIM-Validation-Test-Overview.md (AzureAD/SCIMReferenceCode). Names without SCIM_ go
through Entra's provisioning (here: its client, tests/entra.py), SCIM_ ones call the endpoint; POD is
provisioning on demand, which never honours the flag of the Tenant URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.paths import value_at
from tests.conformance.words import user_body, word
from tests.entra import CORE_GROUP, CORE_USER, ENTERPRISE, PATCH_OP, Dialect, EntraClient, Json, Person
from tests.installation import Connection, Installation

TESTS = (
    *("Create_User", "Update_User", "Disable_User", "Delete_User", "User_Update_Manager", "Restore_User"),
    *("POD_User", "Create_Group", "Update_Group", "Delete_Group", "Group_Update_Add_Member"),
    *("Group_Update_Remove_Member", "POD_Group", "Restore_Group", "Schema_Discoverability"),
    *("SCIM_Null_Update", "SCIM_User_Create", "SCIM_User_Update", "SCIM_Group_Create", "SCIM_Group_Update"),
    *("Validate_Credentials", "SCIM_User_Pagination", "SCIM_Group_Pagination", "SCIM_Update_Manager"),
)
# Federated_Identity is single sign-on with the application: people sign in to the cluster, not to us.
NOT_OFFERED = ("Federated_Identity",)

MANAGER = f"{ENTERPRISE}:manager"
Stored = Callable[[str], Json | None]


@pytest.fixture(scope="module")
def connection(operator: Installation) -> Connection:
    """Of directory `gallery`."""
    return operator.connection("gallery")


@pytest.fixture
def entra(connection: Connection, dialect: Dialect) -> EntraClient:
    """Entra, with a fresh memory."""
    return EntraClient(connection.url, connection.token, dialect)


@pytest.mark.parametrize("name", TESTS)
def test_every_test_of_the_gallery_is_here(name: str) -> None:
    assert f"test_{name.lower()}" in globals()
    assert name not in NOT_OFFERED


def person() -> Person:
    return Person(f"{word().lower()}@gallery.example.com", word(), word())


def created(entra: EntraClient, endpoint: str = "Users", **body: Any) -> Json:
    """POSTed, with a name of its own."""
    name = {"userName": f"{word()}@gallery.example.com"} if endpoint == "Users" else {"displayName": word()}
    made = entra.call("POST", f"/{endpoint}", name | body)
    assert made.status == 201, made.answer
    return made.answer


def patched(entra: EntraClient, endpoint: str, identifier: str, *operations: Json) -> Json:
    """PATCHed; what a GET says then."""
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    done = entra.call("PATCH", f"/{endpoint}/{identifier}", body)
    assert done.status == 200, done.answer
    shown = entra.call("GET", f"/{endpoint}/{identifier}").answer
    assert shown == done.answer
    return shown


# --- through provisioning ----------------------------------------------------------------------------------


def test_create_user(entra: EntraClient, stored: Stored) -> None:
    new = person()
    identifier = entra.provision_user(new)
    shown = entra.get("Users", new.user_name)
    assert (shown["userName"], shown["externalId"], shown["active"]) == (new.user_name, new.external_id, True)
    assert shown[ENTERPRISE]["department"] == new.department
    assert (stored(identifier) or {})["externalId"] == new.external_id


def test_update_user(entra: EntraClient, stored: Stored) -> None:
    old = person()
    identifier = entra.provision_user(old)
    new = Person(old.user_name, word(), word(), word(), old.external_id)
    assert entra.provision_user(new) == identifier, "found and updated, not made again"
    shown = entra.get("Users", old.user_name)
    assert (shown["name"]["givenName"], shown[ENTERPRISE]["department"]) == (new.given, new.department)
    assert (stored(identifier) or {})["name"]["familyName"] == new.family


def test_disable_user(entra: EntraClient, stored: Stored) -> None:
    leaver = person()
    identifier = entra.provision_user(leaver)
    entra.set_active(leaver.user_name, False)
    assert entra.get("Users", leaver.user_name)["active"] is False
    found = entra.find("Users", "userName", leaver.user_name)
    assert found is not None
    assert found["active"] is False
    assert (stored(identifier) or {})["active"] is False


def test_delete_user(entra: EntraClient, stored: Stored) -> None:
    gone = person()
    identifier = entra.provision_user(gone)
    assert entra.delete("Users", gone.user_name).status == 204
    assert entra.find("Users", "userName", gone.user_name) is None
    assert stored(identifier) is None


def test_restore_user(entra: EntraClient, stored: Stored) -> None:
    back = person()
    identifier, group = entra.provision_user(back), word()
    entra.provision_group(group, [back.user_name])
    entra.set_active(back.user_name, False)
    entra.set_active(back.user_name, True)
    shown = entra.get("Users", back.user_name)
    assert (shown["id"], shown["active"]) == (identifier, True)
    assert [member["display"] for member in shown["groups"]] == [group], "Entra doesn't send it again"
    assert (stored(identifier) or {})["active"] is True


def test_user_update_manager(entra: EntraClient, stored: Stored) -> None:
    employee, boss, other = (entra.provision_user(person()) for _ in range(3))
    for manager in (boss, other):
        # Entra's pass for references: first it asks whether it is so already.
        known = {"filter": f'id eq "{employee}" and manager eq "{manager}"', "attributes": "id"}
        assert entra.call("GET", "/Users", query=known).answer["totalResults"] == 0
        patched(entra, "Users", employee, {"op": "Add", "path": MANAGER, "value": manager})
        assert entra.call("GET", "/Users", query=known).answer["totalResults"] == 1
    held = stored(employee) or {}
    assert held["extensions"][ENTERPRISE]["manager"] == {"value": other}


def test_pod_user(entra: EntraClient, stored: Stored) -> None:
    demanded = person()
    identifier = entra.provision_user(demanded)
    pod = EntraClient(entra.url, entra.token, Dialect.LEGACY)
    assert pod.provision_user(demanded) == identifier
    pod.update_user(demanded.user_name, {"displayName": "On Demand", f"{ENTERPRISE}:department": "POD"})
    pod.set_active(demanded.user_name, False)
    shown = pod.get("Users", demanded.user_name)
    assert (shown["displayName"], shown[ENTERPRISE]["department"]) == ("On Demand", "POD")
    assert (stored(identifier) or {})["active"] is False


def test_create_group(entra: EntraClient, stored: Stored) -> None:
    name = word()
    identifier = entra.provision_group(name, [])
    assert entra.get("Groups", name)["displayName"] == name
    assert (stored(identifier) or {})["displayName"] == name


def test_update_group(entra: EntraClient, stored: Stored) -> None:
    name, new = word(), word()
    identifier = entra.provision_group(name, [])
    entra.rename_group(name, new)
    assert entra.get("Groups", new)["id"] == identifier
    assert entra.find("Groups", "displayName", name) is None
    assert (stored(identifier) or {})["displayName"] == new


def test_delete_group(entra: EntraClient, stored: Stored) -> None:
    name = word()
    identifier = entra.provision_group(name, [])
    assert entra.delete("Groups", name).status == 204
    assert entra.find("Groups", "displayName", name) is None
    assert stored(identifier) is None


def test_restore_group(entra: EntraClient, stored: Stored) -> None:
    name, member = word(), person()
    entra.provision_user(member)
    first = entra.provision_group(name, [member.user_name])
    entra.delete("Groups", name)
    second = entra.provision_group(name, [member.user_name])
    assert second != first
    assert (stored(second) or {})["members"] == [entra.ids[member.user_name]]


def test_group_update_add_member(entra: EntraClient, stored: Stored) -> None:
    people, name = [person() for _ in range(3)], word()
    ids = [entra.provision_user(one) for one in people]
    identifier = entra.provision_group(name, [people[0].user_name])
    entra.add_members(name, [one.user_name for one in people[1:]])
    entra.add_members(name, [people[0].user_name])  # once more: no effect, no error
    assert [member["value"] for member in entra.get("Groups", name)["members"]] == ids
    assert (stored(identifier) or {})["members"] == ids
    asked = {"filter": f'id eq "{identifier}" and members eq "{ids[1]}"', "attributes": "id"}
    assert entra.call("GET", "/Groups", query=asked).answer["totalResults"] == 1


def test_group_update_remove_member(entra: EntraClient, stored: Stored) -> None:
    people, name = [person() for _ in range(3)], word()
    ids = [entra.provision_user(one) for one in people]
    identifier = entra.provision_group(name, [one.user_name for one in people])
    entra.remove_members(name, [people[1].user_name])
    entra.remove_members(name, [people[1].user_name])  # once more: no effect, no error
    assert [member["value"] for member in entra.get("Groups", name)["members"]] == [ids[0], ids[2]]
    assert (stored(identifier) or {})["members"] == [ids[0], ids[2]]


def test_pod_group(entra: EntraClient, stored: Stored) -> None:
    people, name = [person() for _ in range(5)], word()  # on demand, at most five members at a time
    pod = EntraClient(entra.url, entra.token, Dialect.LEGACY)
    ids = [pod.provision_user(one) for one in people]
    identifier = pod.provision_group(name, [])
    pod.add_members(name, [one.user_name for one in people])
    pod.remove_members(name, [people[0].user_name])
    assert (stored(identifier) or {})["members"] == ids[1:]


# --- straight to the endpoint ------------------------------------------------------------------------------


def test_validate_credentials(entra: EntraClient) -> None:
    tested = entra.test_connection()
    assert (tested.status, tested.answer["totalResults"]) == (200, 0)
    for token in ("", "wrong", entra.token[:-1], f"{entra.token}x"):
        refused = EntraClient(entra.url, token, entra.dialect).test_connection()
        assert (refused.status, refused.answer["status"]) == (401, "401")


def test_scim_user_create(entra: EntraClient, stored: Stored) -> None:
    body = user_body(f"{word()}@gallery.example.com")
    made = entra.call("POST", "/Users", body)
    assert (made.status, made.headers["Location"]) == (201, made.answer["meta"]["location"])
    assert made.answer == entra.call("GET", f"/Users/{made.answer['id']}").answer
    assert made.answer["schemas"] == [CORE_USER, ENTERPRISE]
    assert entra.call("POST", "/Users", body).status == 409
    assert (stored(made.answer["id"]) or {})["userName"] == body["userName"]


def test_scim_user_update(entra: EntraClient, stored: Stored) -> None:
    user, title, city = created(entra), word(), word()
    shown = patched(
        entra,
        "Users",
        user["id"],
        {"op": "replace", "value": {"title": title, "active": "False"}},
        {"op": "add", "path": 'addresses[type eq "work"].locality', "value": city},
    )
    assert (shown["title"], shown["active"]) == (title, False)
    assert value_at(shown, 'addresses[type eq "work"].locality') == city
    replaced = entra.call("PUT", f"/Users/{user['id']}", {**shown, "title": "", "active": True})
    assert replaced.status == 200
    shown = entra.call("GET", f"/Users/{user['id']}").answer
    assert (replaced.answer, "title" in shown, shown["active"]) == (shown, False, True)
    assert "title" not in (stored(user["id"]) or {})


def test_scim_update_manager(entra: EntraClient, stored: Stored) -> None:
    employee, boss = created(entra), created(entra)
    extension = {"manager": {"value": boss["id"]}, "department": word()}
    changed = entra.call("PUT", f"/Users/{employee['id']}", {**employee, ENTERPRISE: extension})
    assert changed.answer[ENTERPRISE] == extension
    patched(entra, "Users", employee["id"], {"op": "replace", "value": {MANAGER: {"value": word()}}})
    shown = patched(entra, "Users", employee["id"], {"op": "replace", "value": {MANAGER: ""}})
    assert shown[ENTERPRISE] == {"department": extension["department"]}
    assert (stored(employee["id"]) or {})["extensions"][ENTERPRISE] == shown[ENTERPRISE]


def test_scim_group_create(entra: EntraClient, stored: Stored) -> None:
    member = created(entra)
    group = created(entra, "Groups", externalId=word(), members=[{"value": member["id"], "display": word()}])
    assert group == entra.call("GET", f"/Groups/{group['id']}").answer
    assert group["schemas"] == [CORE_GROUP]
    twin = entra.call("POST", "/Groups", {"displayName": group["displayName"]})
    assert (twin.status, twin.answer["scimType"]) == (409, "uniqueness")
    assert (stored(group["id"]) or {})["members"] == [member["id"]]


def test_scim_group_update(entra: EntraClient, stored: Stored) -> None:
    first, second = created(entra)["id"], created(entra)["id"]
    group, external = created(entra, "Groups", members=[{"value": first}]), word()
    shown = patched(entra, "Groups", group["id"], {"op": "Add", "path": "externalId", "value": external})
    assert shown["externalId"] == external
    renamed = {"id": group["id"], "displayName": word(), "externalId": external}
    shown = entra.call("PUT", f"/Groups/{group['id']}", renamed).answer
    assert [member["value"] for member in shown["members"]] == [first], "not sent is not emptied"
    shown = entra.call("PUT", f"/Groups/{group['id']}", {**renamed, "members": [{"value": second}]}).answer
    assert [member["value"] for member in shown["members"]] == [second]
    held = stored(group["id"]) or {}
    assert (held["displayName"], held["externalId"], held["members"]) == (
        renamed["displayName"],
        external,
        [second],
    )


NULLED: dict[str, Any] = {
    **dict.fromkeys(("displayName", "title", "nickName", "preferredLanguage", "locale", "timezone")),
    **dict.fromkeys(("userType", "profileUrl", "externalId", "name.givenName", "name.familyName")),
    **dict.fromkeys(f"{ENTERPRISE}:{name}" for name in ("department", "employeeNumber", "manager")),
    **dict.fromkeys(f'{name}[type eq "work"].value' for name in ("emails", "phoneNumbers")),
    'addresses[type eq "work"].formatted': None,
    'roles[primary eq "True"].value': None,
}


@pytest.mark.parametrize("joined", [False, True], ids=["an-operation-each", "one-without-path"])
@pytest.mark.parametrize("nothing", ["", None], ids=["phase-1", "phase-2"])
def test_scim_null_update(entra: EntraClient, stored: Stored, nothing: str | None, joined: bool) -> None:
    user = created(entra)
    filled = {path: word() for path in NULLED}
    if joined:
        patched(entra, "Users", user["id"], {"op": "replace", "value": filled})
        shown = patched(
            entra, "Users", user["id"], {"op": "replace", "value": dict.fromkeys(filled, nothing)}
        )
    else:
        patched(
            entra, "Users", user["id"], *({"op": "add", "path": p, "value": v} for p, v in filled.items())
        )
        cleared = ({"op": "replace", "path": path, "value": nothing} for path in filled)
        shown = patched(entra, "Users", user["id"], *cleared)
    for path in filled:
        assert not value_at(shown, path), path
    held = stored(user["id"]) or {}
    assert held.keys() == {"directory", "id", "userName", "active", "meta"}


def test_scim_user_pagination(entra: EntraClient) -> None:
    paginated(entra, "Users", [created(entra)["id"] for _ in range(12)])


def test_scim_group_pagination(entra: EntraClient) -> None:
    paginated(entra, "Groups", [created(entra, "Groups")["id"] for _ in range(12)])


def paginated(entra: EntraClient, endpoint: str, ids: list[str]) -> None:
    """All pages of five: each resource once, in an order that stays, and every number right."""
    total = entra.call("GET", f"/{endpoint}", query={"count": "0"}).answer["totalResults"]
    seen: list[str] = []
    for start in range(1, total + 1, 5):
        page = entra.call("GET", f"/{endpoint}", query={"startIndex": str(start), "count": "5"}).answer
        found = [resource["id"] for resource in page["Resources"]]
        assert (page["totalResults"], page["startIndex"]) == (total, start)
        assert page["itemsPerPage"] == len(found) == min(5, total - start + 1)
        seen += found
    assert len(set(seen)) == total
    assert [identifier for identifier in seen if identifier in ids] == ids
    for asked, echoed in ((0, 1), (-3, 1), (total + 1, total + 1)):
        page = entra.call("GET", f"/{endpoint}", query={"startIndex": str(asked), "count": "5"}).answer
        assert (page["startIndex"], page["totalResults"]) == (echoed, total)
        assert [resource["id"] for resource in page["Resources"]] == (seen[:5] if echoed == 1 else [])


def test_schema_discoverability(entra: EntraClient, stored: Stored) -> None:
    listed = entra.call("GET", "/Schemas").answer
    assert listed["totalResults"] == listed["itemsPerPage"] == len(listed["Resources"])
    schemas = {schema["id"]: schema for schema in listed["Resources"]}
    assert schemas.keys() == {CORE_USER, CORE_GROUP, ENTERPRISE}
    for urn, schema in schemas.items():
        assert entra.call("GET", f"/Schemas/{urn}").answer == schema
    paths = [*importable(schemas[CORE_USER]), *importable(schemas[ENTERPRISE], f"{ENTERPRISE}:")]
    assert {'emails[type eq "work"].value', 'addresses[type eq "home"].locality'} <= set(paths)
    assert {'roles[primary eq "True"].value', f"{ENTERPRISE}:department", "name.givenName"} <= set(paths)
    # Whatever an admin can map to, after the import, can be written, and reads back.
    user = created(entra)
    values = {path: word() for path in paths}
    shown = patched(
        entra, "Users", user["id"], *({"op": "Add", "path": p, "value": v} for p, v in values.items())
    )
    for path, value in values.items():
        assert value_at(shown, path) == value, path


def importable(schema: Json, prefix: str = "") -> Iterator[str]:
    """The paths that Entra's importer makes of a schema: by canonical types where there are any."""
    for attribute in schema["attributes"]:
        name, inside = prefix + attribute["name"], attribute.get("subAttributes", [])
        assert attribute["name"][0].islower()
        assert None not in attribute.values()
        if attribute["mutability"] not in ("readWrite", "immutable"):
            continue
        if not inside and attribute["type"] == "string" and attribute["name"] != "userName":
            yield name
        subs = [sub for sub in inside if sub["type"] in ("string", "reference") and sub["name"] != "type"]
        writable = [sub["name"] for sub in subs if sub["mutability"] != "readOnly" and sub["name"] != "$ref"]
        kinds: list[str] = next(
            (sub.get("canonicalValues", []) for sub in inside if sub["name"] == "type"), []
        )
        if attribute["multiValued"]:
            places = [f'{name}[type eq "{kind}"]' for kind in kinds] or [f'{name}[primary eq "True"]']
            yield from (f"{place}.{sub}" for place in places for sub in writable)
        else:
            yield from (f"{name}.{sub}" for sub in writable if attribute["name"] != "manager")
