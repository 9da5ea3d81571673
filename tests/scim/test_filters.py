from typing import Any

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.filter_parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS
from scim_operator.scim.filters import compile_filter, equalities, parse
from scim_operator.scim.schemas import ENTERPRISE_URN, GROUP, USER
from tests.scim.tables import CUSTOM_URN, TYPES, load

USERS: list[dict[str, Any]] = [
    {
        "id": "u1",
        "userName": "bob@x.org",
        "externalId": "E1",
        "active": True,
        "name": {"familyName": "Smith"},
        "emails": [
            {"type": "work", "value": "bob@x.org", "primary": True},
            {"type": "home", "value": "bob@home"},
        ],
        ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "4711", "manager": {"value": "u2"}},
        "meta": {"created": "2010-01-01T00:00:00Z", "version": 'W/"A"'},
    },
    {
        "id": "u2",
        "userName": "AkAdmin",
        "active": False,
        "title": "Boss",
        "meta": {"created": "2020-05-01T10:00:00Z", "version": 'W/"a"'},
    },
    {
        "id": "u3",
        "userName": "43",
        "active": True,
        "displayName": 'A "B" É or C',
        CUSTOM_URN: {"Badge": "b7", "Vip": True, "Seat": {"Row": 4}},
        "meta": {"created": "2020-05-01T10:00:00.5Z", "version": "W/1"},
    },
]
GROUPS: list[dict[str, Any]] = [
    {"id": "g1", "displayName": "Devs", "meta": {}},
    {"id": "g2", "displayName": "Ops", "meta": {}},
    {"id": "g3", "displayName": "None", "meta": {}},
]
MEMBERS = {"g1": {"u1": None, "u2": None}, "g2": {"u2": None, "u3": None}}


def matches(kind: str, text: str) -> list[str]:
    predicate = compile_filter(TYPES[kind], text)
    documents = USERS if kind == "User" else GROUPS
    return [one["id"] for one in documents if predicate(one, MEMBERS.get(one["id"], {}))]


@pytest.mark.parametrize("case", load("filters"))
def test_filter_matches(case: dict[str, Any]) -> None:
    assert matches(case.get("type", "User"), case["filter"]) == case["matches"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "userName",
        "userName eq",
        "userName like x",
        "userName == x",
        'userName eq "x',
        'userName eq "\\x"',
        "userName eq (",
        "(userName pr",
        "userName pr)",
        "userName pr userName pr",
        "not userName pr",
        "and",
        'emails[type eq "work"',
        'emails[type eq "work"].value',
        'emails[type eq "work"].value.x eq "y"',
        'emails[emails[type eq "x"]]',
        'us!er eq "x"',
        '"userName" eq "x"',
        "active gt true",
        'active co "t"',
        'active eq "maybe"',
        "active eq 1",
        "title gt null",
        'meta.created gt "yesterday"',
        'meta.created gt "2020-13-01"',
        'x509Certificates.value gt "a"',
        'userName[value eq "x"]',
        'emails.value[type eq "x"]',
        f'{CUSTOM_URN}:Seats[row eq "1"]',
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ScimError) as caught:
        compile_filter(USER, text)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize(
    "text",
    [
        'members sw "u"',
        'members.display eq "Bob"',
        'members[value eq "a" and value eq "b"]',
        'members[display eq "a"]',
        'members[value ne "a"]',
    ],
)
def test_members_are_known_by_id_only(text: str) -> None:
    with pytest.raises(ScimError, match="members are known by id only"):
        compile_filter(GROUP, text)


def test_length_is_limited() -> None:
    with pytest.raises(ScimError, match="characters"):
        parse("title pr or " * (MAX_LENGTH // 12) + "title pr  ")


def test_long_chains_are_no_depth() -> None:
    assert matches("User", "title pr or " * (MAX_TERMS - 1) + "title pr") == ["u2"]


@pytest.mark.parametrize("text", ["title pr or {}", "not ({})", "emails[{}]", "emails[type pr] or {}"])
def test_terms_are_limited(text: str) -> None:
    own = text.count("pr")
    parse(text.format(" and ".join(["value pr"] * (MAX_TERMS - own))))
    with pytest.raises(ScimError, match="more than 50 comparisons") as caught:
        parse(text.format(" and ".join(["value pr"] * (MAX_TERMS - own + 1))))
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize("opening", ["(", "not ("])
def test_depth_is_limited(opening: str) -> None:
    fine = opening * MAX_DEPTH + "title pr" + ")" * MAX_DEPTH
    assert matches("User", fine)
    with pytest.raises(ScimError, match="nested deeper"):
        parse(opening * (MAX_DEPTH + 1) + "title pr" + ")" * (MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("User", 'userName eq "Bob"', {"userName": "Bob"}),
        ("User", 'userName eq "Bob" and active eq true', {"userName": "Bob"}),
        ("User", 'id eq "1" and (manager eq "2" and externalId eq x)', {"id": "1", "externalId": "x"}),
        ("User", 'urn:ietf:params:scim:schemas:core:2.0:User:USERNAME eq "b"', {"userName": "b"}),
        ("User", 'displayName eq "D"', {"displayName": "D"}),
        ("User", "userName eq 43", {"userName": "43"}),
        ("User", 'emails[type eq "work"].value eq "x"', {"emails.work": "x"}),
        ("User", 'emails[value eq "x" and type eq "WORK"]', {"emails.work": "x"}),
        ("User", 'emails[type eq "work" and primary eq true and value eq "x"]', {"emails.work": "x"}),
        ("User", 'emails[type eq "home"].value eq "x"', {}),
        ("User", 'emails[type eq "work" or value eq "x"]', {}),
        ("User", 'emails[not (type eq "work")].value eq "x"', {}),
        ("User", 'emails.value eq "x"', {}),
        ("User", 'userName eq "a" or externalId eq "b"', {}),
        ("User", 'not (userName eq "a")', {}),
        ("User", 'userName ne "a"', {}),
        ("User", 'userName sw "a"', {}),
        ("User", "userName eq null", {}),
        ("User", 'foo eq "a"', {}),
        ("Group", 'id eq "G" and members eq "U"', {"id": "G", "members": "U"}),
        ("Group", 'members.value eq "U"', {"members": "U"}),
        ("User", 'emails[type eq "work" and primary eq "x"].value eq "x"', {"emails.work": "x"}),
        ("Group", 'members[value eq "U"]', {"members": "U"}),
        ("Group", 'members.display eq "U"', {}),
        ("Group", 'members[value eq "U" or value eq "V"]', {}),
    ],
)
def test_terms_for_the_index(kind: str, text: str, expected: dict[str, str]) -> None:
    assert equalities(TYPES[kind], text) == expected


def test_case_folds_beyond_ascii() -> None:
    predicate = compile_filter(USER, 'userName eq "STRASSE"')
    assert predicate({"userName": "stra\u00dfe"}, ())
    # A look-alike by compatibility: full-width letters.
    assert compile_filter(USER, 'userName eq "bob"')({"userName": "\uff42\uff4f\uff42"}, ())
