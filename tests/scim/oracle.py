"""Random documents, filters and PATCH messages, as both engines read them: ours and scim2-models."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from scim2_models import EnterpriseUser, User

from scim_operator.scim.schemas import ENTERPRISE_URN, USER_URN

Json = dict[str, Any]
Theirs = User[EnterpriseUser]

WORDS = st.sampled_from(["a@x.org", "b@x.org", "ab@x.org", "c@y.org"])
KINDS = ("work", "home", "other")
SIMPLE = ("title", "nickName", "displayName", "externalId")
NAMES = ("givenName", "familyName", "formatted")


def some(names: tuple[str, ...], least: int = 0) -> st.SearchStrategy[Json]:
    return st.lists(st.sampled_from(names), unique=True, min_size=least).flatmap(
        lambda chosen: st.fixed_dictionaries(dict.fromkeys(chosen, WORDS))
    )


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


# A second one of the same value and type is the same to us, whatever its `display`: never twice.
NEWCOMERS = st.fixed_dictionaries(
    {"value": st.integers(0, 10**9).map("{}@new.org".format), "type": st.sampled_from(KINDS)}
)
SINGLE = ("title", "nickName", "name.givenName", "name.familyName", f"{ENTERPRISE_URN}:department")


# Which elements are meant: those of a kind, of a value, several, others.
CONDITIONS = st.one_of(
    st.sampled_from(KINDS).map('type eq "{}"'.format),
    WORDS.map('value eq "{}"'.format),
    st.sampled_from(
        ['type eq "work" or type eq "home"', 'not (type eq "work")', 'type ne "home"', "display pr"]
    ),
    st.tuples(st.sampled_from(KINDS), WORDS).map(lambda both: 'type eq "{}" and value sw "{}"'.format(*both)),
)
WHOLES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(SIMPLE, WORDS),
        "name": some(NAMES, 1),
        "emails": st.lists(NEWCOMERS, min_size=1, max_size=2, unique_by=kind_of),
        ENTERPRISE_URN: some(("department", "division"), 1),
        "active": st.booleans(),
    },
).filter(bool)


@st.composite
def operations(draw: st.DrawFn) -> Json:
    op = draw(st.sampled_from(["add", "replace", "remove"]))
    kind, condition = draw(st.sampled_from(KINDS)), draw(CONDITIONS)
    path, value = draw(
        st.sampled_from(
            [
                *((single, WORDS) for single in SINGLE),
                ("active", st.booleans()),
                ("name", some(NAMES, 1)),
                (ENTERPRISE_URN, some(("department", "division"), 1)),
                ("emails", st.lists(NEWCOMERS, min_size=1, max_size=2, unique_by=kind_of)),
                *((f'emails[type eq "{kind}"].{sub}', WORDS) for sub in ("value", "display")),
                *((f"emails[{condition}].{sub}", WORDS) for sub in ("value", "display")),
                (f'emails[type eq "{kind}"].primary', st.just(True)),
                (f'emails[type eq "{kind}"]', element(st.just(kind))),
                (None, WHOLES),
            ]
        )
    )
    if path is None:
        return {"op": "add" if op == "remove" else op, "value": draw(value)}
    return {"op": op, "path": path, **({} if op == "remove" else {"value": draw(value)})}


MESSAGES = st.lists(operations(), min_size=1, max_size=3)
SEQUENCES = st.lists(MESSAGES, min_size=1, max_size=3)
