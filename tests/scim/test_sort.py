"""The value by which a resource stands among others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.scim.errors import ScimError
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER, USER_URN
from scim_operator.scim.sort import sort_by
from tests.scim.tables import CUSTOM_URN

WORK = {"type": "work", "value": "work@x"}
HOME = {"type": "home", "value": "Home@x"}


def in_order(name: str, *documents: dict[str, Any]) -> list[int]:
    """The places of the documents, sorted."""
    key = sort_by(USER, name)
    assert key is not None
    return sorted(range(len(documents)), key=lambda place: (key(documents[place]), place))


@pytest.mark.parametrize(
    ("name", "documents", "order"),
    [
        ("userName", [{"userName": "b"}, {"userName": "A"}, {"userName": "C"}], [1, 0, 2]),
        ("USERNAME", [{"userName": "b"}, {"userName": "A"}], [1, 0]),
        (f"{USER_URN}:userName", [{"userName": "b"}, {"userName": "A"}], [1, 0]),
        # externalId is case-exact, so capitals come first
        ("externalId", [{"externalId": "b"}, {"externalId": "a"}, {"externalId": "C"}], [2, 1, 0]),
        ("id", [{"id": "b"}, {"id": "B"}], [1, 0]),
        ("title", [{}, {"title": "b"}, {}, {"title": "a"}], [3, 1, 0, 2]),
        ("active", [{"active": True}, {}, {"active": False}], [2, 0, 1]),
        ("name.familyName", [{"name": {"givenName": "a"}}, {"name": {"familyName": "b"}}, {}], [1, 0, 2]),
        # the primary one, else the first
        ("emails", [{"emails": [WORK]}, {"emails": [WORK, {**HOME, "primary": True}]}, {}], [1, 0, 2]),
        ("emails.value", [{"emails": [WORK, HOME]}, {"emails": [HOME, WORK]}], [1, 0]),
        ("emails.type", [{"emails": [WORK]}, {"emails": [HOME]}, {"emails": [{"value": "x"}]}], [1, 0, 2]),
        (
            "emails.primary",
            [{"emails": [{**WORK, "primary": True}]}, {"emails": [{**WORK, "primary": False}]}],
            [1, 0],
        ),
        # by time, not by letters
        (
            "meta.created",
            [
                {"meta": {"created": "2026-01-01T01:00:00Z"}},
                {"meta": {"created": "2026-01-01T01:30:00+01:00"}},
                {"meta": {"created": "2026-01-01T00:59:59.5Z"}},
            ],
            [1, 2, 0],
        ),
        (
            f"{ENTERPRISE_URN}:department",
            [{ENTERPRISE_URN: {"department": "b"}}, {ENTERPRISE_URN: {"department": "a"}}, {}],
            [1, 0, 2],
        ),
        (
            "manager",
            [{ENTERPRISE_URN: {"manager": {"value": "b"}}}, {ENTERPRISE_URN: {"manager": {"value": "a"}}}],
            [1, 0],
        ),
        (
            f"{CUSTOM_URN}:x",
            [
                {CUSTOM_URN: {"x": "10"}},
                {CUSTOM_URN: {"x": 9}},
                {CUSTOM_URN: {"x": 1.5}},
                {CUSTOM_URN: {"x": True}},
                {CUSTOM_URN: {"x": {"y": 1}}},
                {CUSTOM_URN: {"x": ["a", "b"]}},
            ],
            [3, 2, 1, 0, 5, 4],
        ),
    ],
)
def test_order(name: str, documents: list[dict[str, Any]], order: list[int]) -> None:
    assert in_order(name, *documents) == order


@pytest.mark.parametrize("name", ["password", "groups", "groups.display", "schemas", "Meta.Location"])
def test_what_is_not_stored_has_no_order(name: str) -> None:
    with pytest.raises(ScimError) as caught:
        sort_by(USER, name)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")


@pytest.mark.parametrize("name", ["name", "addresses", "meta"])
def test_complex_attribute_names_what_can_be_sorted_by(name: str) -> None:
    with pytest.raises(ScimError) as caught:
        sort_by(USER, name)
    assert f"{name}." in caught.value.detail


def test_members_have_no_order() -> None:
    with pytest.raises(ScimError):
        sort_by(GROUP, "members")


@pytest.mark.parametrize("name", ["userName", "foo", "", "name.foo", 'emails[type eq "work"].value', "a b"])
def test_attribute_that_a_type_lacks(name: str) -> None:
    assert sort_by(GROUP, name) is None


@given(st.lists(st.none() | st.text(max_size=3) | st.integers() | st.booleans() | st.floats(allow_nan=False)))
def test_any_values_of_an_undeclared_attribute_have_an_order(values: list[Any]) -> None:
    order = in_order(f"{CUSTOM_URN}:x", *({CUSTOM_URN: {"x": value}} for value in values))
    assert sorted(order) == list(range(len(values)))
    ranks = [{bool: 0, int: 1, float: 1, str: 2, type(None): 3}[type(values[place])] for place in order]
    assert ranks == sorted(ranks)
