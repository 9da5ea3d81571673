"""Bad requests by the thousand: each is good but for something that no server may pass over.

What is bad about it is known, so a write among them that isn't refused is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from tests.web.bad_values import PATHS, READ_ONLY, SCALARS, WORDS, WRONG

Json = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What is there: a user, a group with that user in it, and another user, whose name is taken."""

    user: str
    group: str
    taken: str


@dataclass(frozen=True)
class Bad:
    """A request below the directory's URL. `why`: the kind, for who reads a failure; `one_by_one`: a Bulk
    whose operations are refused, not itself.
    """

    why: str
    method: str
    path: str
    body: bytes | None = None
    authorized: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    one_by_one: bool = False

    @property
    def is_write(self) -> bool:
        """Whether 2xx would be wrong in any case."""
        return self.method != "GET"


def _text(random: Random) -> str:
    return "".join(random.choices(WORDS, k=random.randint(1, 4)))


def _quoted(text: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else _percent(letter) for letter in text)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _write(random: Random, known: Known) -> tuple[str, str, Json]:
    """A write that would do something: (method, path, body)."""
    title = {"op": "replace", "path": "title", "value": f"t{random.random()}"}
    writes: list[tuple[str, str, Json]] = [
        ("POST", "/Users", {"userName": f"new {random.random()}"}),
        ("POST", "/Groups", {"displayName": f"new {random.random()}"}),
        ("PUT", f"/Users/{known.user}", {"userName": f"renamed {random.random()}"}),
        ("PUT", f"/Groups/{known.group}", {"displayName": f"renamed {random.random()}", "members": []}),
        ("PATCH", f"/Users/{known.user}", {"Operations": [title]}),
        ("PATCH", f"/Groups/{known.group}", {"Operations": [{"op": "remove", "path": "members"}]}),
    ]
    return random.choice(writes)


def _any_write(random: Random, known: Known) -> tuple[str, str, Json]:
    """One of these, or a Bulk of one."""
    method, path, body = _write(random, known)
    if random.random() < 0.8:
        return method, path, body
    operation = {"method": method, "path": path, "bulkId": "x", "data": body}
    return "POST", "/Bulk", {"Operations": [operation]}


def _patch(random: Random, known: Known, bad: Json, kind: str = "") -> Bad:
    """Among good operations a bad one: none of them may have an effect."""
    kind = kind or random.choice(["Users", "Groups"])
    harmless: dict[str, list[Json]] = {
        "Users": [
            {"op": "replace", "path": "title", "value": str(random.random())},
            {"op": "add", "value": {}},
        ],
        "Groups": [{"op": "Remove", "path": "members", "value": [{"value": known.user}]}],
    }
    good = harmless[kind]
    operations = [
        *random.choices(good, k=random.randint(0, 3)),
        bad,
        *random.choices(good, k=random.randint(0, 2)),
    ]
    path = f"/{kind}/{known.user if kind == 'Users' else known.group}"
    return Bad("operation", "PATCH", path, _json({"Operations": operations}))


# --- the kinds ---------------------------------------------------------------------------------------------


def stranger(random: Random, known: Known) -> Bad:
    method, path, body = _any_write(random, known)
    token = random.choice(
        ["", "Bearer", "Bearer x", f"Basic {random.random()}", "bearer \xe9", "Bearer a b c"]
    )
    headers = {"Authorization": token} if token else {}
    return Bad("token", method, path, _json(body), authorized=False, headers=headers)


def malformed(random: Random, known: Known) -> Bad:
    method, path, body = _any_write(random, known)
    while True:
        sent = bytearray(_json(body))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(sent) + 1)
            sent[at : at + random.randint(0, 6)] = random.choice(
                [b"", b"\xff", b"\0", b"{", b'"', b"\\ud800", b","]
            )
        try:
            orjson.loads(bytes(sent))
        except orjson.JSONDecodeError:
            return Bad("JSON", method, path, bytes(sent))


def no_object(random: Random, known: Known) -> Bad:
    method, path, _ = _any_write(random, known)
    sent = random.choice([value for value in SCALARS if not isinstance(value, dict)])
    return Bad("no object", method, path, _json(sent))


def wrong_type(random: Random, known: Known) -> Bad:
    name, value = random.choice(WRONG)
    if random.random() < 0.5:
        method, path = random.choice([("POST", "/Users"), ("PUT", f"/Users/{known.user}")])
        return Bad("type", method, path, _json({"userName": f"new {random.random()}", name: value}))
    if value in ("", None) and name != "userName":
        value = 5
    return _patch(
        random, known, {"op": random.choice(["add", "Replace"]), "path": name, "value": value}, "Users"
    )


def stranger_member(random: Random, known: Known) -> Bad:
    value = random.choice(
        [[{"value": _text(random) + "!"}], "no such id", [5], [{}], [{"value": known.group + "x"}]]
    )
    if random.random() < 0.5:
        return Bad(
            "member", "POST", "/Groups", _json({"displayName": f"new {random.random()}", "members": value})
        )
    operation = {"op": random.choice(["add", "replace"]), "path": "members", "value": value}
    good_end = _patch(random, known, operation, "Groups")
    operations = orjson.loads(good_end.body or b"")["Operations"]
    return Bad(
        "member", "PATCH", good_end.path, _json({"Operations": operations[: operations.index(operation) + 1]})
    )


def bad_operation(random: Random, known: Known) -> Bad:
    return _patch(
        random,
        known,
        random.choice(
            [
                {"op": _text(random) + "!", "path": "title", "value": "x"},
                {"op": random.choice(SCALARS), "path": "title", "value": "x"},
                {"path": "title", "value": "x"},
                {"op": "remove"},
                {"op": "replace", "path": random.choice([5, True, ["x"], {"x": 1}]), "value": "x"},
                {"op": "add", "path": "externalId"},
                {"op": "add", "value": random.choice(["x", 5, [1], None])},
                {
                    "op": random.choice(["add", "replace", "remove"]),
                    "path": random.choice(READ_ONLY[:3]),
                    "value": "x",
                },
                {"op": "replace", "path": random.choice(PATHS), "value": "x"},
            ]
        ),
    )


def no_such_narrowing(random: Random, known: Known) -> Bad:
    kind, path = random.choice([("Users", 'name[givenName eq "x"]'), ("Groups", 'members[display eq "x"]')])
    return _patch(random, known, {"op": "replace", "path": path, "value": "x"}, kind)


def read_only(random: Random, known: Known) -> Bad:
    return _patch(random, known, {"op": "add", "path": random.choice(READ_ONLY), "value": "x"}, "Users")


def required(random: Random, known: Known) -> Bad:
    kind, name = random.choice([("Users", "userName"), ("Groups", "displayName")])
    values: list[Any] = ["", None, " ", []]
    replaced: Json = {"op": "replace", "path": name, "value": random.choice(values)}
    bad = random.choice([{"op": "remove", "path": name}, replaced])
    good = _patch(random, known, bad, kind)
    return Bad("required", good.method, good.path, good.body)


def taken(random: Random, known: Known) -> Bad:
    name = "".join(random.choice([letter.upper(), letter.lower()]) for letter in known.taken)
    rename = {"Operations": [{"op": "replace", "value": {"userName": name}}]}
    method, path, body = random.choice(
        [
            ("POST", "/Users", {"userName": name}),
            ("PUT", f"/Users/{known.user}", {"userName": name}),
            ("PATCH", f"/Users/{known.user}", rename),
        ]
    )
    return Bad("taken", method, path, _json(body))


def nobody(random: Random, known: Known) -> Bad:
    method = random.choice(["GET", "PUT", "PATCH", "DELETE"])
    other = random.choice([known.user.upper() + "x", known.group, _text(random) + "?", "x" * 3000])
    body = {"userName": "a", "Operations": [{"op": "add", "path": "title", "value": "x"}]}
    return Bad("id", method, f"/Users/{_quoted(other)}", None if method in ("GET", "DELETE") else _json(body))


def elsewhere(random: Random, known: Known) -> Bad:
    method = random.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
    path = random.choice(
        [f"/{_quoted(_text(random))}x", f"/Users/{known.user}/{_quoted(_text(random))}x", "/Userss"]
    )
    return Bad("path", method, path, b"{}")


def wrong_method(random: Random, known: Known) -> Bad:
    method, path = random.choice(
        [
            *(
                ("DELETE", "/Users"),
                ("PATCH", "/Users"),
                ("PUT", "/Groups"),
                ("POST", f"/Users/{known.user}"),
            ),
            *(("POST", "/Schemas"), ("DELETE", "/ServiceProviderConfig"), ("PUT", "/ResourceTypes/User")),
            *(
                ("PURGE", f"/Users/{known.user}"),
                ("OPTIONS", f"/Groups/{known.group}"),
                ("DELETE", "/.search"),
            ),
            *(("GET", "/Bulk"), ("PATCH", "/Bulk"), ("POST", "/Bulk/x")),
        ]
    )
    return Bad("method", method, path, b"{}")


def bad_filter(random: Random, known: Known) -> Bad:
    tokens = [
        "userName",
        "eq",
        '"ada"',
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        "pr",
        "gt",
        "5",
        "emails",
        "é",
    ]
    text = " ".join(random.choices([*tokens, *WORDS], k=random.randint(1, 12)))
    if random.random() < 0.5:
        text += random.choice([" and", " eq", ' eq "', " xx 1", "(", ")"])
        return Bad("filter", "GET", f"/{random.choice(['Users', 'Groups'])}?filter={_quoted(text)}")
    return Bad("filter", "GET", f"/Users?count=5&filter={_quoted(text)}&attributes={_quoted(_text(random))}")


def bad_query(random: Random, known: Known) -> Bad:
    method, path, body = _write(random, known)
    query = random.choice(["count=x", "startIndex=1.5", "count=%F0", "startIndex=" + "9" * 5000])
    query = random.choice([query, "attributes=id&excludedAttributes=name"])
    return Bad("query", method, f"{path}?{query}", _json(body))


def bad_condition(random: Random, known: Known) -> Bad:
    method, path, body = random.choice(
        [
            ("PUT", f"/Users/{known.user}", {"userName": f"renamed {random.random()}"}),
            ("DELETE", f"/Users/{known.user}", None),
            ("PATCH", f"/Groups/{known.group}", {"Operations": [{"op": "remove", "path": "members"}]}),
        ]
    )
    tag = random.choice(['W/"0"', '"999"', "W/", "1", '"', 'W/"1', "**", "\xe9", 'W/"7", 5', ","])
    return Bad("condition", method, path, body if body is None else _json(body), headers={"If-Match": tag})


def bad_search(random: Random, known: Known) -> Bad:
    value = random.choice([5, True, [1], {"x": 1}, [[]], ["a", 5]])
    name = random.choice(["filter", "attributes", "excludedAttributes"])
    sent = random.choice(
        [{name: value}, {"count": "x"}, {"startIndex": [1]}, {"filter": "userName eq"}, {"filter": ""}]
    )
    return Bad(
        "search", "POST", random.choice(["/.search", "/Users/.search", "/Groups/.search"]), _json(sent)
    )


KINDS: list[Callable[[Random, Known], Bad]] = [
    *(stranger, malformed, no_object, wrong_type, wrong_type, stranger_member, bad_operation, bad_operation),
    *(
        read_only,
        required,
        no_such_narrowing,
        taken,
        nobody,
        elsewhere,
        wrong_method,
        bad_filter,
        bad_filter,
        bad_query,
    ),
    *(bad_condition, bad_search),
]
