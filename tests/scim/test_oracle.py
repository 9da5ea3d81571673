"""The engine beside scim2-models, an independent reader of the RFCs: random documents, filters and patches.

Where the two differ on purpose (docs/scim.md), the cases leave it out or `as_ours` says so.
"""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scim2_models import EnterpriseUser, PatchOp, ScimFilter, User
from scim2_models.exceptions import SCIMException

from scim_operator.scim.filters import compile_filter
from scim_operator.scim.patch import patch
from scim_operator.scim.schemas import ENTERPRISE_URN, USER, USER_URN

Json = dict[str, Any]
Theirs = User[EnterpriseUser]

WORDS = st.sampled_from(["a@x.org", "b@x.org", "ab@x.org", "c@y.org"])
KINDS = ("work", "home", "other")
SIMPLE = ("title", "nickName", "displayName", "externalId")
NAMES = ("givenName", "familyName", "formatted")


def some(names: tuple[str, ...]) -> st.SearchStrategy[Json]:
    return st.dictionaries(st.sampled_from(names), WORDS, max_size=len(names))


def element(kind: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"value": WORDS, "type": kind}, optional={"display": WORDS, "primary": st.just(False)}
    )


def kind_of(element: Json) -> str:
    return str(element["type"])


@st.composite
def documents(draw: st.DrawFn) -> Json:
    document = {"userName": draw(WORDS), "active": draw(st.booleans()), **draw(some(SIMPLE))}
    for attribute in ("emails", "ims"):
        kinds = draw(st.lists(st.sampled_from(KINDS), unique=True))
        document[attribute] = [draw(element(st.just(kind))) for kind in kinds]
    document["name"] = draw(some(NAMES))
    document[ENTERPRISE_URN] = draw(some(("department", "division")))
    if draw(st.booleans()):
        document[ENTERPRISE_URN]["manager"] = {"value": draw(WORDS)}
    said: Json = as_ours(document)
    return said


def as_ours(value: Any) -> Any:
    """Without what says nothing: nulls, empty values, and elements left without `value` by a `remove`."""
    if isinstance(value, dict):
        inner = {name: as_ours(item) for name, item in value.items()}
        return {name: item for name, item in inner.items() if item is not None and item not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(as_ours, value) if "value" in item]
    return value


def as_theirs(document: Json) -> User[EnterpriseUser]:
    schemas = [USER_URN] + [ENTERPRISE_URN] * (ENTERPRISE_URN in document)
    return Theirs.model_validate({"schemas": schemas, **document})


ATTRIBUTES = st.sampled_from(
    [
        *("userName", "USERNAME", *SIMPLE, *(f"name.{name}" for name in NAMES)),
        *("emails.value", "ims.value", f"{USER_URN}:title"),
        *(f"{ENTERPRISE_URN}:department", f"{ENTERPRISE_URN}:manager.value"),
    ]
)
OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ"])


def comparisons(attributes: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    literals = st.one_of(WORDS, WORDS.map(str.upper))
    return st.tuples(attributes, OPERATORS, literals).map(lambda parts: '{} {} "{}"'.format(*parts))


def combined(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map("not ({})".format),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda x: f"({' '.join(x)})"),
        ),
        max_leaves=4,
    )


IN_BRACKETS = st.one_of(
    comparisons(st.sampled_from(["value", "display"])),
    st.sampled_from(KINDS).map('type eq "{}"'.format),
    st.sampled_from(["primary eq true", "primary ne false", "display pr"]),
)
FILTERS = combined(
    st.one_of(
        comparisons(ATTRIBUTES),
        ATTRIBUTES.map("{} pr".format),
        st.sampled_from(["active eq true", "active ne true"]),
        combined(IN_BRACKETS).map("emails[{}]".format),
    )
)


@settings(max_examples=150, deadline=None)
@given(documents(), FILTERS)
def test_filters_match_the_same(document: Json, text: str) -> None:
    assert compile_filter(USER, text)(document, ()) is ScimFilter[Theirs](text).match(as_theirs(document))


# A second one of the same value and type is the same to us, whatever its `display`: never twice.
NEWCOMERS = st.fixed_dictionaries(
    {"value": st.integers(0, 10**9).map("{}@new.org".format), "type": st.sampled_from(KINDS)}
)
SINGLE = ("title", "nickName", "name.givenName", "name.familyName", f"{ENTERPRISE_URN}:department")


@st.composite
def operations(draw: st.DrawFn) -> Json:
    op = draw(st.sampled_from(["add", "replace", "remove"]))
    kind = draw(st.sampled_from(KINDS))
    path, value = draw(
        st.sampled_from(
            [
                *((single, WORDS) for single in SINGLE),
                ("active", st.booleans()),
                ("name", some(NAMES).filter(bool)),
                ("emails", st.lists(NEWCOMERS, min_size=1, max_size=2, unique_by=kind_of)),
                *((f'emails[type eq "{kind}"].{sub}', WORDS) for sub in ("value", "display")),
                (f'emails[type eq "{kind}"].primary', st.just(True)),
                (f'emails[type eq "{kind}"]', element(st.just(kind))),
                (None, some(SIMPLE).filter(bool)),
            ]
        )
    )
    if path is None:
        return {"op": "add" if op == "remove" else op, "value": draw(value)}
    return {"op": op, "path": path, **({} if op == "remove" else {"value": draw(value)})}


def goes_on_without_value(message: list[Json]) -> bool:
    """Whether a later operation would find the element whose `value` was removed.

    With us it is gone, as Entra means it; with scim2-models an element without a value is left.
    """
    removed = [
        number
        for number, operation in enumerate(message)
        if operation["op"] == "remove" and operation["path"].endswith("].value")
    ]
    return bool(removed) and any(
        str(operation.get("path")).startswith("emails") for operation in message[removed[0] + 1 :]
    )


@settings(max_examples=150, deadline=None)
@given(documents(), st.lists(operations(), min_size=1, max_size=3))
def test_patches_do_the_same(document: Json, message: list[Json]) -> None:
    assume(not goes_on_without_value(message))
    resource = as_theirs(document)
    urn = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
    sent = PatchOp[Theirs].model_validate({"schemas": [urn], "Operations": message})
    try:
        sent.patch(resource)
    except SCIMException as error:
        # A value path without a match: we make the element that it describes. Two matches made primary at
        # once: we keep the last.
        assert error.scim_type in ("noTarget", "invalidValue")
        return
    expected = resource.model_dump()
    del expected["schemas"]
    assert patch(USER, document, {"Operations": message}).document == as_ours(expected)
