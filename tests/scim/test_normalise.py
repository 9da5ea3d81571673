from collections.abc import Callable
from typing import Any

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.normalise import normalise
from scim_operator.scim.schemas import USER
from scim_operator.scim.values import MAX_VALUES
from tests.scim.tables import CUSTOM_URN, TYPES, load, strictly


@pytest.mark.parametrize("case", load("normalise", "put"))
def test_body_becomes_document(case: dict[str, Any]) -> None:
    resource_type = TYPES[case.get("type", "User")]
    if "error" in case:
        with pytest.raises(ScimError) as caught:
            normalise(resource_type, case["body"], case.get("former"))
        assert (caught.value.status, caught.value.scim_type) == (400, case["error"])
        assert case["detail"] in caught.value.detail
        return
    made = normalise(resource_type, case["body"], case.get("former"))
    assert strictly(made.document) == strictly(case["document"])
    members = dict.fromkeys(case.get("formerMembers", []))
    assert made.members.replaced is (case.get("members") is not None)
    assert list(made.members.apply(members)) == case.get("members", list(members))
    assert list(made.dropped) == case.get("dropped", [])


def test_extension_is_copied() -> None:
    body = {"userName": "a", CUSTOM_URN: {"list": [1]}}
    normalise(USER, body).document[CUSTOM_URN]["list"].append(2)
    assert body[CUSTOM_URN] == {"list": [1]}


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"x": inner}])
def test_depth_of_an_extension_is_limited(wrap: Callable[[Any], Any]) -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = wrap(deep)
    with pytest.raises(ScimError, match="nested deeper than"):
        normalise(USER, {"userName": "a", CUSTOM_URN: {"deep": deep}})


def test_number_of_values_is_limited() -> None:
    with pytest.raises(ScimError, match=f"emails has {MAX_VALUES + 1} values"):
        normalise(USER, {"userName": "a", "emails": ["x"] * (MAX_VALUES + 1)})


def test_password_is_thrown_away_and_not_counted() -> None:
    made = normalise(USER, {"userName": "a", "password": "secret"})
    assert "secret" not in repr(made)
    assert made.dropped == ()


@pytest.mark.parametrize("case", [case for case in load("put") if "error" not in case.values[0]])
def test_put_again_changes_nothing(case: dict[str, Any]) -> None:
    once = normalise(TYPES[case.get("type", "User")], case["body"], case["former"]).document
    twice = normalise(TYPES[case.get("type", "User")], case["body"], once).document
    assert strictly(twice) == strictly(once)


def test_nothing_that_a_put_may_not_change_is_stored() -> None:
    # RFC 7644 section 3.5.1: a changed immutable attribute is 400 mutability. We have none: whoever adds one
    # has to add that check. Members are the exception, their parts are derived from the id.
    for resource_type in TYPES.values():
        for schema in (resource_type.core, resource_type.common, *resource_type.extensions.values()):
            for attribute in schema.attributes.values():
                parts = () if attribute.spec.keyed else attribute.sub_attributes.values()
                assert "immutable" not in [part.spec.mutability for part in (attribute, *parts)]


def test_whole_numbers_are_as_the_api_server_gives_them_back() -> None:
    """It stores 1.0 as 1: kept as sent, the same PUT would be a change every time (rule 4)."""
    made = normalise(USER, {"userName": "ada", CUSTOM_URN: {"level": 1.0}})
    assert repr(made.document[CUSTOM_URN]["level"]) == "1"
