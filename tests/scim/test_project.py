from typing import Any

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.project import projection
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.scim.tables import CUSTOM_URN

DOCUMENT: dict[str, Any] = {
    "schemas": ["x"],
    "id": "1",
    "userName": "a",
    "name": {"givenName": "g", "familyName": "f"},
    "emails": [{"type": "work", "value": "x"}, {"type": "home"}],
    ENTERPRISE_URN: {"department": "d", "manager": {"value": "2", "$ref": "/2"}},
    CUSTOM_URN: {"Badge": "7", "Floor": "3"},
    "meta": {"resourceType": "User", "version": "1"},
}
ALWAYS = {"schemas": ["x"], "id": "1"}


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ("userName", {"userName": "a"}),
        (" USERNAME , id", {"userName": "a"}),
        ("name.givenName", {"name": {"givenName": "g"}}),
        ("name.givenName,name", {"name": DOCUMENT["name"]}),
        ("name,name.givenName", {"name": DOCUMENT["name"]}),
        ("emails.value", {"emails": [{"value": "x"}]}),
        ('emails[type eq "work, or"]', {"emails": DOCUMENT["emails"]}),
        ('emails[type eq "work"].value,userName', {"userName": "a", "emails": [{"value": "x"}]}),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", {"userName": "a"}),
        (ENTERPRISE_URN, {ENTERPRISE_URN: DOCUMENT[ENTERPRISE_URN]}),
        (f"{ENTERPRISE_URN}:department", {ENTERPRISE_URN: {"department": "d"}}),
        ("manager.value", {ENTERPRISE_URN: {"manager": {"value": "2"}}}),
        (CUSTOM_URN, {CUSTOM_URN: DOCUMENT[CUSTOM_URN]}),
        (f"{CUSTOM_URN}:badge", {CUSTOM_URN: {"Badge": "7"}}),
        ("meta.version", {"meta": {"version": "1"}}),
        ("foo", {}),
        ("name.foo", {}),
    ],
)
def test_attributes(attributes: str, shown: dict[str, Any]) -> None:
    assert projection(USER, attributes, None).apply(DOCUMENT) == ALWAYS | shown


@pytest.mark.parametrize(
    ("excluded", "change"),
    [
        ("userName", {"userName": None}),
        ("id,schemas,Name", {"name": None}),
        ("name.givenName", {"name": {"familyName": "f"}}),
        ("emails.type", {"emails": [{"value": "x"}]}),
        (f"{ENTERPRISE_URN}:manager.$ref", {ENTERPRISE_URN: {"department": "d", "manager": {"value": "2"}}}),
        (f"{ENTERPRISE_URN},meta", {ENTERPRISE_URN: None, "meta": None}),
        (f"{CUSTOM_URN}:Floor", {CUSTOM_URN: {"Badge": "7"}}),
        ("name.givenName,name.familyName", {"name": None}),
        ("foo", {}),
        ("", {}),
    ],
)
def test_excluded(excluded: str, change: dict[str, Any]) -> None:
    expected = {name: value for name, value in (DOCUMENT | change).items() if value is not None}
    assert projection(USER, None, excluded).apply(DOCUMENT) == expected


def test_password_is_never_shown() -> None:
    for shown in (projection(USER, None, None), projection(USER, "password", None)):
        assert not shown.wants("password")
        assert "password" not in shown.apply(DOCUMENT | {"password": "secret"})


def test_both_are_refused() -> None:
    with pytest.raises(ScimError) as caught:
        projection(USER, "id", "name")
    assert caught.value.scim_type == "invalidValue"
    assert projection(USER, "id", " ").wants("id")
    for attributes, excluded in ((" ", "x" * 8193), ("x" * 8193, " ")):
        with pytest.raises(ScimError, match="at most 8192"):
            projection(USER, attributes, excluded)


def test_members_are_not_wanted_when_excluded() -> None:
    assert not projection(GROUP, None, "Members").wants("members")
    assert not projection(GROUP, "displayName", None).wants("members")
    assert projection(GROUP, "members.value", None).wants("members")
    assert projection(GROUP, None, "members.display").wants("members")
    assert projection(GROUP, None, None).wants("members")


def test_nothing_asked_shows_everything() -> None:
    assert projection(GROUP, None, None).apply(DOCUMENT | {"members": []}) == DOCUMENT | {"members": []}
