"""Bad Bulks by the thousand: no messages at all, or of operations none of which may succeed."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from scim_operator.scim.bulk import MAX_OPERATIONS
from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.web import bad_requests as single
from tests.web.bad_requests import Bad, Json, Known
from tests.web.bad_values import SCALARS, WORDS

# As requests of their own they are refused for what they say, not for how they are sent.
SINGLE: list[Callable[[Random, Known], Bad]] = [
    *(single.wrong_type, single.stranger_member, single.bad_operation, single.read_only, single.required),
    *(single.no_such_narrowing, single.taken, single.nobody, single.elsewhere, single.wrong_method),
]
NO_OBJECTS = [value for value in SCALARS if not isinstance(value, dict)]
NO_STRINGS = [value for value in SCALARS if not isinstance(value, str)]
NO_COUNTS: list[Any] = [0, -1, 1.5, 10**30, True, "", "2", [], {}]
NO_VERSIONS: list[Any] = [5, True, [], {}, "", "1", 'W/"0"', '"999"', 'W/"1', "**", ","]


def no_message(random: Random, known: Known) -> Bad:
    """Refused as a whole, whatever good is in it."""
    good = _good(random)
    wrong: list[Json] = [
        {},
        {"Operations": random.choice([value for value in SCALARS if not isinstance(value, list)])},
        {"Operations": random.choice([[], [[]], [good, random.choice(NO_OBJECTS)]])},
        {"Operations": [good] * random.choice([2, MAX_OPERATIONS + 1])},
        {"Operations": [good], "failOnErrors": random.choice(NO_COUNTS)},
    ]
    return Bad("Bulk message", "POST", "/Bulk", json.dumps(random.choice(wrong)).encode())


def no_operations(random: Random, known: Known) -> Bad:
    """Answered one by one; none may have an effect."""
    some = [random.choice(OPERATIONS)(random, known) for _ in range(random.randint(1, 4))]
    stop = {"failOnErrors": random.randint(1, 3)} if random.random() < 0.3 else {}
    message = {"Operations": [one for ones in some for one in ones], **stop}
    return Bad("Bulk operations", "POST", "/Bulk", json.dumps(message).encode(), one_by_one=True)


# --- operations --------------------------------------------------------------------------------------------


def refused_by_itself(random: Random, known: Known) -> list[Json]:
    bad = random.choice(SINGLE)(random, known)
    data = {} if bad.body is None else {"data": json.loads(bad.body)}
    return [{"method": bad.method, "path": bad.path, "bulkId": _name(random), **data}]


def no_operation(random: Random, known: Known) -> list[Json]:
    """Good but for one of its own attributes."""
    good = _good(random)
    title = {"Operations": [{"op": "replace", "path": "title", "value": _name(random)}]}
    change = {"method": "PATCH", "path": f"/Users/{known.user}", "data": title}
    wrong: list[Json] = [
        {},
        good | {"bulkId": random.choice(NO_STRINGS)},
        good | {"path": random.choice(NO_STRINGS)},
        good
        | {"path": random.choice(["", "/", "/Bulk", "/Me", "/Users/.search", "//", "https://x/Users/y"])},
        good | {"path": f"/{random.choice(WORDS)}x"},
        good | {"method": random.choice([*NO_STRINGS, *WORDS, "GET", "OPTIONS"])},
        good | {"data": random.choice(NO_OBJECTS)},
        change | {"data": random.choice(NO_OBJECTS)},
        change | {"version": random.choice(NO_VERSIONS)},
        {"method": "DELETE", "path": f"/Users/{known.user}", "version": random.choice(NO_VERSIONS)},
    ]
    return [random.choice(wrong)]


def named_in_vain(random: Random, known: Known) -> list[Json]:
    """Whoever is named isn't made: nobody would, or it can't be."""
    name = _name(random)
    reference = f"bulkId:{name}"
    lost: Json = {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": known.taken}}
    members = [{"value": reference}]
    naming: list[Json] = [
        _good(random, "/Groups", {"members": members}),
        _good(random, "/Users", {ENTERPRISE_URN: {"manager": {"value": reference}}}),
        {
            "method": "PATCH",
            "path": f"/Groups/{known.group}",
            "data": {"Operations": [{"op": "add", "path": "members", "value": members}]},
        },
        {"method": "PUT", "path": f"/Users/{reference}", "data": {"userName": f"renamed {_name(random)}"}},
        {"method": "DELETE", "path": f"/Users/{reference}"},
    ]
    both = [random.choice(naming), *random.choice([[], [lost]])]
    return random.sample(both, len(both))


def _name(random: Random) -> str:
    return str(random.random())


def _good(random: Random, path: str = "/Users", data: Json | None = None) -> Json:
    """An operation that would make something."""
    name = "userName" if path == "/Users" else "displayName"
    body = {name: f"new {_name(random)}", **(data or {})}
    return {"method": "POST", "path": path, "bulkId": _name(random), "data": body}


OPERATIONS: list[Callable[[Random, Known], list[Json]]] = [
    *(refused_by_itself, refused_by_itself, no_operation, named_in_vain),
]
BULKS: list[Callable[[Random, Known], Bad]] = [no_message, no_operations, no_operations, no_operations]
