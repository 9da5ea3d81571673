"""A SCIM document and the object it is stored in say the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.directory.records import Meta, object_of, record_of, spec_of
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.directory.people import group, user

CUSTOM = "urn:contoso:2.0:User"
META = Meta("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 3, "request-1")
DOCUMENT = {
    "userName": "Ada",
    "active": False,
    "emails": [{"value": "a@b", "type": "work", "primary": True}],
    ENTERPRISE_URN: {"department": "Data", "manager": {"value": "7"}},
    CUSTOM: {"a": [1, {"b": None}]},
}


def stored(spec: dict[str, Any], kind: str = "ScimUser") -> dict[str, Any]:
    """As the API server gives back what was created."""
    made = object_of("name", spec)
    made["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 2, "managedFields": [{}]}
    return {"kind": kind, **made, "status": {"groups": 1}}


def test_user_round_trip() -> None:
    spec = spec_of("entra", "id-1", DOCUMENT, {}, META)
    assert set(spec["extensions"]) == {ENTERPRISE_URN, CUSTOM}
    assert "members" not in spec
    record = record_of(stored(spec))
    assert (record.type, record.directory, record.id, record.name, record.uid) == (
        "User",
        "entra",
        "id-1",
        "name",
        "u",
    )
    assert record.document == DOCUMENT
    assert record.meta == META
    assert (record.resource_version, record.generation) == (7, 2)
    assert record.status == {"groups": 1}
    assert spec_of("entra", "id-1", record.document, record.members, record.meta) == spec


def test_group_round_trip_keeps_the_members_order() -> None:
    members = dict.fromkeys(["c", "a", "b"])
    spec = spec_of("entra", "g", {"displayName": "G"}, members, META)
    record = record_of(stored(spec, "ScimGroup"))
    assert record.type == "Group"
    assert list(record.members) == ["c", "a", "b"]
    assert record.document == {"displayName": "G"}


def test_reading_leaves_the_object_as_it_is() -> None:
    item = group("team", ["a"])
    before = str(item)
    record_of(item)
    assert str(item) == before


def test_managed_fields_are_not_kept() -> None:
    assert (
        "managedFields" not in record_of(stored(spec_of("entra", "i", {"userName": "a"}, {}, META))).metadata
    )


def test_label_is_the_directory() -> None:
    made = object_of("name", spec_of("entra", "i", {"userName": "a"}, {}, META))
    assert made["metadata"] == {"name": "name", "labels": {"scim-operator.io/directory": "entra"}}


@pytest.mark.parametrize("missing", ["directory", "id", "meta"])
def test_object_that_is_not_whole(missing: str) -> None:
    item = user()
    del item["spec"][missing]
    with pytest.raises(KeyError):
        record_of(item)


@pytest.mark.parametrize(("active", "expected"), [(True, True), (False, False), (None, True)])
def test_absent_active_is_active(active: bool | None, expected: bool) -> None:
    item = user(active=active) if active is not None else user()
    if active is None:
        del item["spec"]["active"]
    assert record_of(item).active is expected


def test_label_for_people() -> None:
    assert record_of(user("x", userName="Ada", displayName="Ada L.")).label == "Ada"
    assert record_of(group("x", displayName="Team")).label == "Team"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
KEYS = st.sampled_from(["userName", "title", ENTERPRISE_URN, CUSTOM, "URN:Upper:2.0", "name", "emails"])


@given(st.dictionaries(KEYS, JSON), st.lists(st.text(max_size=3), unique=True))
def test_any_document_round_trips(document: dict[str, Any], members: list[str]) -> None:
    spec = spec_of("entra", "i", document, dict.fromkeys(members), META)
    record = record_of(stored(spec))
    assert record.document == document
    assert list(record.members) == members
    assert record.meta == META
