"""Bugs that others had with real clients, by the thread that tells of them: none of them here.

The tables under `cases/` hold the payloads in breadth; here each known bug has a name to look up.
"""

from typing import Any

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.filters import compile_filter, equalities
from scim_operator.scim.normalise import normalise
from scim_operator.scim.patch import MemberChange, patch
from scim_operator.scim.project import projection
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.scim.tables import CUSTOM_URN

USER_DOCUMENT = {"userName": "a", "active": True}


def patched(*operations: dict[str, Any], before: dict[str, Any] = USER_DOCUMENT) -> dict[str, Any]:
    return patch(USER, before, {"Operations": list(operations)}).document


def regrouped(*operations: dict[str, Any]) -> MemberChange:
    return patch(GROUP, {"displayName": "g"}, {"Operations": list(operations)}).members


def refusal(*operations: dict[str, Any]) -> ScimError:
    with pytest.raises(ScimError) as caught:
        patched(*operations)
    return caught.value


def test_azure_docs_30826_removal_by_value_array_does_not_empty_the_group() -> None:
    change = regrouped({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "u1091"}]})
    assert change == MemberChange(False, (), ("u1091",))


def test_scimple_436_value_of_a_removal_is_not_ignored() -> None:
    change = regrouped({"op": "remove", "path": "members", "value": [{"value": "a"}, {"value": "b"}]})
    assert list(change.apply(dict.fromkeys("abc"))) == ["c"]


def test_scim_patch_959_removal_by_value_has_an_effect() -> None:
    change = regrouped({"op": "remove", "path": "members", "value": {"value": "a"}})
    assert list(change.apply(dict.fromkeys("ab"))) == ["b"]


def test_ssoready_159_capitalised_add() -> None:
    assert regrouped({"op": "Add", "path": "members", "value": [{"value": "a"}]}).added == ("a",)


def test_langwatch_7131_replace_of_something_else_keeps_the_members() -> None:
    assert not regrouped({"op": "replace", "path": "externalId", "value": "x"})


def test_simple_id_server_245_re_adding_a_member_is_fine() -> None:
    change = regrouped({"op": "add", "path": "members", "value": [{"value": "a", "display": "other"}]})
    assert change.apply({"a": None}) == {"a": None}


def test_scim_sdk_757_replace_members_with_nothing_empties_the_group() -> None:
    change = regrouped({"op": "replace", "path": "members", "value": []})
    assert change
    assert change.apply({"a": None}) == {}


def test_scimgateway_113_replace_members_with_nothing_in_one_object() -> None:
    change = regrouped({"op": "replace", "value": {"id": "1", "displayName": "g", "members": []}})
    assert change == MemberChange(True, (), ())


def test_rancher_54023_replace_members() -> None:
    change = regrouped({"op": "replace", "path": "members", "value": [{"value": "b"}]})
    assert change.apply({"a": None}) == {"b": None}


def test_bitwarden_2919_members_of_a_new_group_are_read() -> None:
    assert normalise(GROUP, {"displayName": "g", "members": [{"value": "a"}]}).members.added == ("a",)


def test_wso2_8498_excluded_members_are_not_wanted() -> None:
    assert not projection(GROUP, None, "members").wants("members")


@pytest.mark.parametrize("word", ["False", "false", "FALSE"])
def test_scimmy_86_boolean_as_a_word(word: str) -> None:
    assert patched({"op": "replace", "path": "active", "value": word})["active"] is False


def test_rancher_54025_add_of_active() -> None:
    assert patched({"op": "Add", "path": "active", "value": "False"})["active"] is False


def test_fusionauth_1871_active_false_of_a_whole_body() -> None:
    assert normalise(USER, {"userName": "a", "active": False}).document["active"] is False


def test_scim_patch_42_value_path_without_element() -> None:
    made = patched({"op": "Add", "path": 'addresses[type eq "work"].formatted', "value": "f"})
    assert made["addresses"] == [{"type": "work", "formatted": "f"}]


def test_scim_sdk_416_replace_on_a_value_path_without_element() -> None:
    made = patched({"op": "replace", "path": 'emails[type eq "work"].value', "value": "x"})
    assert made["emails"] == [{"type": "work", "value": "x"}]


def test_scim_sdk_680_several_operations_fill_one_element() -> None:
    path = 'addresses[type eq "work"].'
    made = patched(*({"op": "add", "path": path + name, "value": name} for name in ("locality", "region")))
    assert made["addresses"] == [{"type": "work", "locality": "locality", "region": "region"}]


def test_scim_sdk_668_siblings_stay() -> None:
    before = USER_DOCUMENT | {"emails": [{"type": "home", "value": "h"}]}
    made = patched({"op": "add", "path": 'emails[type eq "work"].value', "value": "w"}, before=before)
    assert made["emails"] == [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}]


def test_scim_patch_208_extension_attributes_without_path() -> None:
    made = patched({"op": "replace", "value": {f"{ENTERPRISE_URN}:employeeNumber": "9"}})
    assert made[ENTERPRISE_URN] == {"employeeNumber": "9"}


def test_scim_for_keycloak_26_dotted_keys_without_path() -> None:
    made = patched({"op": "add", "value": {"name.givenName": "g", "name.familyName": "f"}})
    assert made == USER_DOCUMENT | {"name": {"givenName": "g", "familyName": "f"}}


def test_value_path_as_a_key_is_not_lost() -> None:
    made = patched({"op": "add", "value": {'emails[type eq "work"].value': "x"}})
    assert made["emails"] == [{"type": "work", "value": "x"}]


def test_scim_sdk_541_manager_as_a_raw_string() -> None:
    made = patched({"op": "Add", "path": f"{ENTERPRISE_URN}:manager", "value": "271"})
    assert made[ENTERPRISE_URN] == {"manager": {"value": "271"}}


def test_go_scim_72_enterprise_attribute_by_path() -> None:
    made = patched({"op": "add", "path": f"{ENTERPRISE_URN}:department", "value": "d"})
    assert made[ENTERPRISE_URN] == {"department": "d"}


def test_scimple_694_whole_extension_by_path() -> None:
    made = patched({"op": "replace", "path": ENTERPRISE_URN, "value": {"department": "d"}})
    assert made[ENTERPRISE_URN] == {"department": "d"}


def test_scimono_140_value_filter_in_a_qualified_path() -> None:
    path = 'urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].value'
    assert patched({"op": "add", "path": path, "value": "x"})["emails"] == [{"type": "work", "value": "x"}]


def test_lightdash_25676_primary_as_a_word_in_a_filter() -> None:
    before = USER_DOCUMENT | {"roles": [{"primary": True, "value": "Old"}]}
    made = patched({"op": "Add", "path": 'roles[primary eq "True"].value', "value": "New"}, before=before)
    assert made["roles"] == [{"primary": True, "value": "New"}]


def test_simple_id_server_73_unknown_op_is_refused_by_name() -> None:
    error = refusal({"op": "frobnicate", "path": "title", "value": "x"})
    assert error.status == 400
    assert "frobnicate" in error.detail


def test_eneo_443_unknown_attribute_matches_nobody() -> None:
    for text in ('foo eq "x"', 'foo ne "x"', 'not (foo eq "x")', "not (foo pr)"):
        assert not compile_filter(USER, text)(USER_DOCUMENT, ()), text


def test_authentik_16455_unquoted_literal() -> None:
    assert compile_filter(USER, "userName eq akadmin")({"userName": "akadmin"}, ())


def test_octopus_9841_external_id_is_filtered_and_indexed() -> None:
    text = 'externalId eq "4045ea11"'
    assert equalities(USER, text) == {"externalId": "4045ea11"}
    assert compile_filter(USER, text)({"externalId": "4045ea11"}, ())


def test_metatavu_67_eq_is_not_contains() -> None:
    assert not compile_filter(USER, 'userName eq "bob"')({"userName": "bobby"}, ())


def test_lightdash_28062_extra_schema_of_a_group() -> None:
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "urn:okta:custom:group:1.0"]}
    assert normalise(GROUP, body | {"displayName": "g"}).dropped == ()


def test_undeclared_extension_and_unknown_attribute_do_not_refuse_a_user() -> None:
    made = normalise(USER, {"userName": "a", "usrName": "x", CUSTOM_URN: {"Badge": "7"}})
    assert made.document == USER_DOCUMENT | {CUSTOM_URN: {"Badge": "7"}}
    assert made.dropped == ("usrName",)


def test_e_mails_that_are_no_addresses_are_kept() -> None:
    made = normalise(
        USER, {"userName": "a", "emails": [{"value": "bob@corp.local"}, {"value": "no address"}]}
    )
    assert [email["value"] for email in made.document["emails"]] == ["bob@corp.local", "no address"]


def test_reference_check_of_entra() -> None:
    document = USER_DOCUMENT | {"id": "X", ENTERPRISE_URN: {"manager": {"value": "Y"}}}
    assert compile_filter(USER, 'id eq "X" and manager eq "Y"')(document, ())
    assert not compile_filter(USER, 'id eq "X" and manager eq "Z"')(document, ())
