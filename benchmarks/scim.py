"""Users and groups through the SCIM endpoint, by the requests that Entra sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from benchmarks.load import POPULATION, for_each
from benchmarks.wire import Wire, query
from tests.entra import CORE_GROUP, PATCH_OP, Dialect, EntraClient, Person

PAGE = 100
# While the population is made.
_AT_ONCE = 8
Json = dict[str, Any]
_SCIM = "application/scim+json"


def user_name(number: int) -> str:
    """Of the user with this number."""
    return f"user-{number}@bench.example.com"


def external_id(number: int) -> str:
    """Entra's object id."""
    return str(UUID(int=(1 << 100) + number))


def user_body(name: str, number: int) -> Json:
    """What Entra posts."""
    person = Person(name, "Bench", f"User {number}", external_id=external_id(number))
    return EntraClient("", "", Dialect.MODERN).user_document(person)


def group_body(name: str) -> Json:
    """What Entra posts: members come by PATCH."""
    return {"schemas": [CORE_GROUP], "displayName": name, "members": []}


def patch_body(op: str, value: Any, path: str | None = None) -> Json:
    """One operation."""
    operation = {"op": op, "value": value, **({"path": path} if path else {})}
    return {"schemas": [PATCH_OP], "Operations": [operation]}


def members_body(op: str, ids: Sequence[str]) -> Json:
    """People join a group, or leave it as in the older dialect: the newer one names them one by one."""
    return patch_body(op, [{"value": identifier} for identifier in ids], "members")


@dataclass(frozen=True)
class Endpoint:
    """A directory's URL and a token of it."""

    url: str
    token: str

    def wire(self) -> Wire:
        """Connections to it."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": _SCIM, "Content-Type": _SCIM}
        return Wire(self.url, headers)


@dataclass(frozen=True)
class ScimSide:
    """The ids of its first POPULATION users and groups."""

    endpoint: Endpoint
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @asynccontextmanager
    async def connected(self, doomed: Sequence[str] = ()) -> AsyncIterator[ScimRequests]:
        """See load.Side."""
        async with self.endpoint.wire() as wire:
            yield ScimRequests(wire, self, list(doomed))

    async def populated(self) -> ScimSide:
        """With those users and groups made."""
        users, groups = [""] * POPULATION, [""] * POPULATION
        async with self.connected() as requests:

            async def make(number: int) -> None:
                users[number] = await requests.create(number)
                made = await requests.wire.call("POST", "/Groups", 201, group_body(f"group-{number}"))
                groups[number] = str(made["id"])

            await for_each(_AT_ONCE, range(POPULATION), make)
        return replace(self, users=tuple(users), groups=tuple(groups))


class ScimRequests:
    """All operations on users, and a group's members."""

    def __init__(self, wire: Wire, side: ScimSide, doomed: list[str]) -> None:
        self.wire = wire
        self.made: list[str] = []
        self._side = side
        self._doomed = doomed

    async def ask(self, operation: str, number: int) -> None:
        """See load.Requests."""
        if operation == "create":
            self.made.append(await self.create(number))
        elif operation == "delete":
            await self.wire.call("DELETE", f"/Users/{self._doomed.pop()}", 204)
        elif operation == "patch user":
            body = patch_body("replace", {"displayName": f"Bench {number}"})
            await self.wire.call("PATCH", self._user(number), 200, body)
        elif operation == "patch member":
            # One more of those who aren't in yet.
            joins = self._side.users[number // POPULATION % POPULATION]
            group = self._side.groups[number % POPULATION]
            await self.wire.call("PATCH", f"/Groups/{group}", 200, members_body("add", [joins]))
        else:
            status, answer = await self.read(operation, number)
            if status != 200 or (operation.startswith("filter") and b'"totalResults":1,' not in answer):
                raise AssertionError(f"{operation}: {status} {answer[:500]!r}")

    async def create(self, number: int) -> str:
        """-> the id."""
        made = await self.wire.call("POST", "/Users", 201, user_body(user_name(number), number))
        return str(made["id"])

    async def read(self, operation: str, number: int) -> tuple[int, bytes]:
        """-> status and body, not read: that would cost the client more than the operator."""
        return await self.wire.ask("GET", self.target(operation, number))

    def target(self, operation: str, number: int) -> str:
        """What is asked for."""
        number %= POPULATION
        if operation == "get":
            return self._user(number)
        if operation == "list of 100":
            return "/Users" + query(startIndex=str(number % (POPULATION - PAGE) + 1), count=str(PAGE))
        attribute = operation.removeprefix("filter ")
        value = {
            "userName": user_name(number),
            "externalId": external_id(number),
            # Groups have one that never changes.
            "displayName": f"group-{number}",
        }[attribute]
        expression = f'{attribute} eq "{value}"'
        if attribute == "displayName":
            return "/Groups" + query(excludedAttributes="members", filter=expression)
        return "/Users" + query(filter=expression)

    def _user(self, number: int) -> str:
        return f"/Users/{self._side.users[number % POPULATION]}"
