"""Whatever a client sends, the answer is a result or a ScimError, and the input stays as it was."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import ScimError
from scim_operator.scim.filters import compile_filter, equalities
from scim_operator.scim.messages import render
from scim_operator.scim.normalise import normalise
from scim_operator.scim.patch import Changed, patch
from scim_operator.scim.project import projection
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.scim.tables import CUSTOM_URN, strictly

TYPES = st.sampled_from([USER, GROUP])
WORDS = st.sampled_from(
    [
        *("userName", "displayName", "active", "name", "name.givenName", "emails", "emails.value", "members"),
        *(
            "value",
            "type",
            "primary",
            "manager",
            "password",
            "id",
            "meta",
            "groups",
            "schemas",
            "roles",
            "$ref",
        ),
        *(
            ENTERPRISE_URN,
            f"{ENTERPRISE_URN}:manager",
            CUSTOM_URN,
            f"{CUSTOM_URN}:Badge",
            f"{CUSTOM_URN}:a.b",
        ),
        *(
            'emails[type eq "work"].value',
            'emails[primary eq "True"]',
            'roles[value eq "x" or type pr].value',
        ),
        *('members[value eq "a"]', "urn:", "urn:a:b:", "", "x", "addresses[not (type pr)]", "nickName"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["", "True", "false", "work", "a", " "]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(WORDS, VALUES, max_size=6)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove", "Remove", "x"])},
    optional={"path": WORDS | st.text(max_size=8), "value": VALUES | BODIES},
)
TOKENS = ["eq", "ne", "co", "pr", "gt", "and", "or", "not", "(", ")", "[", "]", '"a"', "true", "null"]
FILTERS = st.lists(WORDS | st.sampled_from(TOKENS)).map(" ".join) | st.text(max_size=30)
INDEXED = {"id", "userName", "externalId", "displayName", "emails.work", "members"}


def document_of(resource_type: ResourceType, body: dict[str, Any]) -> dict[str, Any]:
    """A stored document as near to the body as can be."""
    required = {"userName": "a"} if resource_type is USER else {"displayName": "g"}
    try:
        return normalise(resource_type, body | required).document
    except ScimError:
        return normalise(resource_type, required).document


@settings(max_examples=150, deadline=None)
@given(TYPES, BODIES)
def test_normalise(resource_type: ResourceType, body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    with contextlib.suppress(ScimError):
        document = normalise(resource_type, body).document
        assert strictly(normalise(resource_type, document).document) == strictly(document)
    assert strictly(body) == strictly(before)


@settings(max_examples=250, deadline=None)
@given(TYPES, BODIES, st.lists(OPERATIONS, min_size=1, max_size=4))
def test_patch(resource_type: ResourceType, body: dict[str, Any], operations: list[Any]) -> None:
    document = document_of(resource_type, body)
    message = {"Operations": operations}
    before, sent = copy.deepcopy(document), copy.deepcopy(message)
    with contextlib.suppress(ScimError):
        done = patch(resource_type, document, message)
        assert done.members.apply({"a": None}) is not None
        assert not {"id", "meta", "schemas", "password", "groups", "members"} & done.document.keys()
        for elements in (value for value in done.document.values() if isinstance(value, list)):
            assert sum(element.get("primary") is True for element in elements) <= 1
    assert strictly(document) == strictly(before)
    assert strictly(message) == strictly(sent)


@settings(max_examples=250, deadline=None)
@given(TYPES, BODIES, FILTERS)
def test_filters(resource_type: ResourceType, body: dict[str, Any], text: str) -> None:
    document = {**document_of(resource_type, body), "id": "x", "meta": {"created": "2020-01-01T00:00:00Z"}}
    with contextlib.suppress(ScimError):
        assert compile_filter(resource_type, text)(document, {"a": None}) in (True, False)
        assert equalities(resource_type, text).keys() <= INDEXED


@settings(max_examples=100, deadline=None)
@given(TYPES, BODIES, st.lists(WORDS).map(",".join), st.booleans())
def test_projection(resource_type: ResourceType, body: dict[str, Any], names: str, exclude: bool) -> None:
    shown = render(
        resource_type,
        document_of(resource_type, body),
        id="x",
        meta={},
        location="l",
        projection=projection(resource_type, None, names)
        if exclude
        else projection(resource_type, names, None),
    )
    assert {"id", "schemas"} <= shown.keys()


@pytest.mark.parametrize("resource_type", [USER, GROUP])
@pytest.mark.parametrize("body", [None, 5, "x", [], [{}]])
def test_bodies_that_are_no_objects(resource_type: ResourceType, body: Any) -> None:
    readers: list[Callable[[], Changed]] = [
        lambda: normalise(resource_type, body),
        lambda: patch(resource_type, {}, body),
    ]
    for read in readers:
        with pytest.raises(ScimError) as caught:
            read()
        assert caught.value.scim_type == "invalidSyntax"
