"""What bad requests are made of: words, values and paths that mean something else, or nothing."""

from __future__ import annotations

from typing import Any

from scim_operator.scim.schemas import ENTERPRISE_URN
from scim_operator.scim.values import MAX_VALUES

WORDS = [
    *(
        "",
        " ",
        "a",
        "ada",
        "Zoë",
        "😀",
        "\0",
        "\x1b[31m",
        "\u202e",
        "../..",
        "%",
        "%00",
        "<b>",
        "null",
        "true",
    ),
    *(
        "userName",
        "members",
        "value",
        "urn:",
        "urn:a:b:c",
        'x"',
        "[",
        "]",
        "(",
        ")",
        "\\",
        "'",
        "eq",
        "\r\nX: y",
    ),
]
SCALARS: list[Any] = [0, -1, 1.5, 10**30, 2**63, True, False, None, "", [], {}, [[]], [None], [{}], {"": ""}]
# Of no PATCH operation.
PATHS = [
    *(
        "emails[",
        "emails[type eq",
        'emails[type eq "work"',
        'emails[type eq "work"]]',
        "emails[].value",
        "[x]",
    ),
    *(
        "name..givenName",
        "name.givenName.x",
        ".x",
        "x.",
        "a b",
        "5",
        "emails[type xx 1]",
        'emails["work"]',
        "é",
    ),
    *(
        "emails[type eq work].value.x",
        "emails[(type eq work]",
        "title]",
        "a,b",
        "\0",
    ),
    *("roles.^[primary==true].value", 'emails[emails[type eq "x"]]'),
]
READ_ONLY = ["id", "meta", "meta.created", "groups", "groups.value", f"{ENTERPRISE_URN}:manager.displayName"]
# A user's attribute and a value that it can't have.
WRONG: list[tuple[str, Any]] = [
    *(("userName", value) for value in (5, True, None, "", " ", {"a": 1}, ["a", "b"], [5])),
    *(("active", value) for value in (5, "nope", {"a": 1}, ["x"], [True, False], 0.5)),
    *(("name", value) for value in ("Ada", 5, True, ["a"], {"givenName": 5}, {"familyName": ["a", "b"]})),
    *(
        ("emails", value)
        for value in (5, [5], [True], [{"value": 5}], [{"value": "a", "primary": "x"}], [[["a"]]])
    ),
    *(("title", value) for value in (5, True, {"a": 1}, ["a", "b"])),
    *(("externalId", value) for value in (5, 10**30, False, {"a": 1})),
    ("emails", [{"value": f"{number}@x.org"} for number in range(MAX_VALUES + 1)]),
    *((ENTERPRISE_URN, value) for value in ("x", 5, [1, 2], {"manager": ["1", "2"]}, {"department": 5})),
]
