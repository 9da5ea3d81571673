"""One request, and the answer that it must have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from benchmarks.scim import external_id, group_body, members_body, patch_body, user_body
from benchmarks.tenant import name_of
from benchmarks.wire import query

Json = dict[str, Any]
Made = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """holds: what must be in the answer; made: is told the new id; again: finds what a POST made, for when
    that is repeated since its answer was lost.
    """

    kind: str
    method: str
    target: str
    status: int = 200
    body: Json | None = None
    holds: bytes = b""
    made: Made | None = None
    again: str = ""

    def looked_up(self) -> Request:
        """Instead of a POST whose answer was lost."""
        kind = f"{self.kind}, looked up"
        return replace(
            self, kind=kind, method="GET", target=self.again, status=200, body=None, holds=_found(True)
        )


def identifier(answer: bytes) -> str:
    """Of what was made, or found."""
    parsed = orjson.loads(answer)
    return str((parsed["Resources"][0] if "Resources" in parsed else parsed)["id"])


def look_up_user(attribute: str, value: str, *, known: bool = True) -> Request:
    """By an attribute of which there is an index."""
    return Request(f"look up user by {attribute}", "GET", _user_by(attribute, value), holds=_found(known))


def look_up_external_id(number: int) -> Request:
    """Of the user with this number."""
    return look_up_user("externalId", external_id(number))


def look_up_group(name: str) -> Request:
    """By displayName."""
    return Request("look up group", "GET", _group_by(name), holds=_found(True))


def get_user(identifier: str, number: int) -> Request:
    """By id."""
    return Request("get user", "GET", f"/Users/{identifier}", holds=name_of(number).encode())


def get_group(identifier: str, name: str) -> Request:
    """By id, without members."""
    target = f"/Groups/{identifier}" + query(excludedAttributes="members")
    return Request("get group", "GET", target, holds=name.encode())


def create_user(number: int, made: Made) -> Request:
    """As Entra posts one."""
    body, again = user_body(name_of(number), number), _user_by("userName", name_of(number))
    return Request("create user", "POST", "/Users", 201, body, made=made, again=again)


def create_group(name: str, made: Made) -> Request:
    """Without members."""
    return Request("create group", "POST", "/Groups", 201, group_body(name), made=made, again=_group_by(name))


def patch_user(kind: str, identifier: str, value: Json) -> Request:
    """Replace these attributes."""
    return Request(kind, "PATCH", f"/Users/{identifier}", body=patch_body("replace", value))


def patch_members(op: str, group: str, ids: Sequence[str]) -> Request:
    """op: `add` or `remove`."""
    return Request(f"{op} members", "PATCH", f"/Groups/{group}", body=members_body(op, ids))


def delete_user(identifier: str) -> Request:
    """For good."""
    return Request("delete user", "DELETE", f"/Users/{identifier}", 204)


def delete_group(identifier: str) -> Request:
    """For good."""
    return Request("delete group", "DELETE", f"/Groups/{identifier}", 204)


def _found(known: bool) -> bytes:
    return b'"totalResults":%d,' % known


def _user_by(attribute: str, value: str) -> str:
    return "/Users" + query(filter=f'{attribute} eq "{value}"')


def _group_by(name: str) -> str:
    return "/Groups" + query(excludedAttributes="members", filter=f'displayName eq "{name}"')
