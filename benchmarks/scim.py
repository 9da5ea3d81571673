"""Users through the SCIM endpoint, by the requests that Entra sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.load import POPULATION
from tests.entra import PATCH_OP, Dialect, EntraClient, Person

_HEADERS = {"Accept": "application/scim+json", "Content-Type": "application/scim+json; charset=utf-8"}


def user_name(number: int) -> str:
    """Of the user with this number."""
    return f"user-{number}@bench.example.com"


def user_body(number: int) -> dict[str, Any]:
    """What Entra posts."""
    person = Person(user_name(number), "Bench", f"User {number}")
    return EntraClient("", "", Dialect.MODERN).user_document(person)


@dataclass(frozen=True)
class ScimSide:
    """A directory's URL and token, and the ids of its first POPULATION users."""

    url: str
    token: str
    ids: tuple[str, ...] = ()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[ScimRequests]:
        """One session, as many connections as clients."""
        headers = {**_HEADERS, "Authorization": f"Bearer {self.token}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield ScimRequests(session, self)


class ScimRequests:
    """The four operations."""

    def __init__(self, session: aiohttp.ClientSession, side: ScimSide) -> None:
        self._session = session
        self._side = side

    async def create(self, number: int) -> None:
        """POST."""
        await self.created(number)

    async def created(self, number: int) -> str:
        """POST. -> the id."""
        return str((await self.call("POST", "/Users", 201, user_body(number)))["id"])

    async def get(self, number: int) -> None:
        """By id."""
        await self.call("GET", f"/Users/{self._id(number)}", 200)

    async def filter(self, number: int) -> None:
        """Entra's look-up; exactly one must be found."""
        query = {"filter": f'userName eq "{user_name(number % POPULATION)}"'}
        found = await self.call("GET", "/Users", 200, query=query)
        if found["totalResults"] != 1:
            raise AssertionError(f"{query}: {found['totalResults']} found")

    async def patch(self, number: int) -> None:
        """A name that it didn't have before."""
        operation = {"op": "replace", "value": {"displayName": f"Bench {number}"}}
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        await self.call("PATCH", f"/Users/{self._id(number)}", 200, body)

    def _id(self, number: int) -> str:
        return self._side.ids[number % POPULATION]

    async def call(
        self,
        method: str,
        path: str,
        wanted: int,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request, whose status must be the one wanted. -> the answer."""
        async with self._session.request(method, self._side.url + path, json=body, params=query) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status != wanted:
                raise AssertionError(f"{method} {path}: {response.status} instead of {wanted}: {answer}")
            return answer
