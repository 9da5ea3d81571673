import copy
from typing import Any

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.operations import MAX_OPERATIONS
from scim_operator.scim.patch import MemberChange, patch
from scim_operator.scim.schemas import GROUP, USER
from tests.scim.tables import TYPES, load, strictly

CASES = load("patch_entra", "patch_okta", "patch_clients", "patch_members", "patch_rfc")


@pytest.mark.parametrize("case", CASES)
def test_message_changes_document(case: dict[str, Any]) -> None:
    resource_type, before = TYPES[case.get("type", "User")], case["before"]
    kept = copy.deepcopy(before)
    message = {"Operations": case["ops"]}
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            patch(resource_type, before, message)
        assert (caught.value.status, caught.value.scim_type) == (400, case["error"])
        assert case["detail"] in caught.value.detail
    else:
        done = patch(resource_type, before, message)
        members = dict.fromkeys(case.get("members", []))
        assert strictly(done.document) == strictly(case.get("after", before))
        assert list(done.members.apply(members)) == case.get("membersAfter", list(members))
        assert list(done.dropped) == case.get("dropped", [])
    assert strictly(before) == strictly(kept)


@pytest.mark.parametrize("case", [case for case in CASES if "error" not in case.values[0]])
def test_same_message_again_changes_nothing(case: dict[str, Any]) -> None:
    resource_type, message = TYPES[case.get("type", "User")], {"Operations": case["ops"]}
    once = patch(resource_type, case["before"], message)
    twice = patch(resource_type, once.document, message)
    assert strictly(twice.document) == strictly(once.document)


@pytest.mark.parametrize("body", [{}, {"Operations": []}, {"Operations": {}}, {"Operations": None}, []])
def test_message_without_operations_is_refused(body: Any) -> None:
    with pytest.raises(ScimError) as caught:
        patch(USER, {"userName": "a"}, body)
    assert caught.value.scim_type == "invalidSyntax"


def test_keys_of_the_message_in_any_case_and_without_schemas() -> None:
    message = {"operations": [{"OP": "Replace", "Path": "TITLE", "Value": "t"}]}
    assert patch(USER, {"userName": "a"}, message).document == {"userName": "a", "title": "t"}


def test_result_shares_nothing_with_the_message() -> None:
    value = {"list": [1]}
    message = {"Operations": [{"op": "add", "path": "urn:a:b:2.0:User", "value": value}]}
    done = patch(USER, {"userName": "a"}, message)
    value["list"].append(2)
    assert done.document["urn:a:b:2.0:User"] == {"list": [1]}


def test_number_of_operations_is_limited() -> None:
    message = {"Operations": [{"op": "add", "path": "title", "value": "t"}] * (MAX_OPERATIONS + 1)}
    with pytest.raises(ScimError) as caught:
        patch(USER, {"userName": "a"}, message)
    assert caught.value.status == 413


def test_number_of_changes_within_one_operation_is_limited() -> None:
    value = {f"x{number}": "" for number in range(MAX_OPERATIONS + 1)}
    with pytest.raises(ScimError) as caught:
        patch(USER, {"userName": "a"}, {"Operations": [{"op": "add", "value": value}]})
    assert caught.value.status == 413


@pytest.mark.parametrize("key", ["urn:a:b{}:2.0:User:x", "urn:a:b:2.0:User:x{}"])
def test_undeclared_extensions_are_limited(key: str) -> None:
    value = {key.format(number): "v" for number in range(201)}
    with pytest.raises(ScimError) as caught:
        patch(USER, {"userName": "a"}, {"Operations": [{"op": "add", "value": value}]})
    assert caught.value.scim_type == "invalidValue"


def test_thousand_members_in_one_operation() -> None:
    ids = [f"m{number}" for number in range(1000)]
    message = {"Operations": [{"op": "add", "path": "members", "value": [{"value": one} for one in ids]}]}
    assert patch(GROUP, {"displayName": "g"}, message).members == MemberChange(False, tuple(ids), ())


def test_member_change_is_false_only_if_it_can_change_nothing() -> None:
    assert not MemberChange()
    assert MemberChange(replaced=True)
    assert MemberChange(added=("a",))
    assert MemberChange(removed=("a",))


def test_member_change_leaves_its_input() -> None:
    members = dict.fromkeys(["a", "b"])
    assert list(MemberChange(False, ("c",), ("a",)).apply(members)) == ["b", "c"]
    assert list(members) == ["a", "b"]


def test_after_a_replace_nothing_is_left_to_remove() -> None:
    operations = [
        {"op": "replace", "path": "members", "value": ["a", "b"]},
        {"op": "remove", "path": "members", "value": ["b", "c"]},
    ]
    assert patch(GROUP, {"displayName": "g"}, {"Operations": operations}).members == MemberChange(
        True, ("a",), ()
    )
