"""A store over an API server that does as a test says."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest

from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.feed import take_in
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, RESOURCES, USERS, Record
from scim_operator.directory.settler import Settler
from scim_operator.directory.shards import SHARDS, GroupKey
from scim_operator.directory.store import Store
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.scim.attributes import ResourceType
from scim_operator.scim.errors import ScimError
from scim_operator.scim.schemas import GROUP, USER
from tests.directory.api_server import ApiServer
from tests.directory.people import listed
from tests.heard import Heard

Object = dict[str, Any]
_POSTS = itertools.count(1)  # of all providers
AWAY = ApiError(503, "ServiceUnavailable", "apiserver is shutting down")


def uniqueness(caught: pytest.ExceptionInfo[ScimError]) -> bool:
    """A value is taken: 409 with the scimType that providers look for."""
    return (caught.value.status, caught.value.scim_type) == (409, "uniqueness")


class Provider:
    """What a provider does, in one line each, to an empty cluster with the directories entra and okta.

    `store` is under test, `api` what it writes to.
    """

    def __init__(self, api: ApiServer | None = None) -> None:
        self.api = api or ApiServer()
        self.clock = 0.0
        self.today = "2026-01-01T01:00:00Z"
        self.index = Index(lambda: self.clock)
        self.directories = Directories()
        self.intended: list[GroupKey] = []
        self.heard = Heard()
        self._moments = itertools.count(1)
        self._ids = itertools.count(1)
        for name in ("entra", "okta"):
            self.directory(name, {})
        self.store = Store(
            cast(KubeClient, self.api),
            self.index,
            self.directories,
            now=lambda: "2026-01-01T00:{:02}:{:02}Z".format(*divmod(next(self._moments), 60)),
            new_id=lambda: f"id-{next(self._ids)}",
            audit=self.heard.audit,
            intended=self.intended.append,
        )
        self.settler = Settler(
            cast(KubeClient, self.api),
            self.index,
            self.store.writer,
            self.store.turns,
            monotonic=lambda: self.clock,
            now=lambda: self.today,
        )
        listed(self.store.index, "User", [], "0")
        listed(self.store.index, "Group", [], "0")
        self.api.writes.clear()

    async def restarted(self) -> Provider:
        """Another process on the same cluster, which has just listed everything."""
        made = Provider(self.api)
        made._moments, made._ids = self._moments, self._ids
        await take_in(made.index, cast(KubeClient, self.api))
        return made

    def directory(self, name: str, spec: Object) -> None:
        """Make or change a ScimDirectory."""
        self.directories.objects.put(self.api.put(DIRECTORIES, {"metadata": {"name": name}, "spec": spec}))
        self.directories.refresh(name)

    async def user(self, name: str = "ada", directory: str = "entra", **body: Any) -> Record:
        """POST a user."""
        return await self._post(directory, USER, {"userName": name, **body})

    async def group(self, name: str = "team", *members: str, directory: str = "entra") -> Record:
        """POST a group with members by id."""
        body = {"displayName": name, "members": [{"value": member} for member in members]}
        return await self._post(directory, GROUP, body)

    async def _post(self, directory: str, resource_type: ResourceType, body: Object) -> Record:
        created_by = f"post-{next(_POSTS)}"  # each is another one, by whichever request
        return await self.store.create(directory, resource_type, body, "request-post", created_by)

    async def patch(self, record: Record, *operations: Object) -> Record:
        """PATCH a user or group."""
        kind: ResourceType = {"User": USER, "Group": GROUP}[record.type]
        body = {"Operations": list(operations)}
        return await self.store.patch(record.directory, kind, record.id, body, "request-patch")

    async def put(self, record: Record, **body: Any) -> Record:
        """PUT a user or group."""
        kind: ResourceType = {"User": USER, "Group": GROUP}[record.type]
        return await self.store.replace(record.directory, kind, record.id, body, "request-put")

    async def delete(self, record: Record) -> None:
        """DELETE a user or group."""
        kind: ResourceType = {"User": USER, "Group": GROUP}[record.type]
        await self.store.delete(record.directory, kind, record.id)

    def stored(self, record: Record) -> Object:
        """The object in the API server."""
        return self.api.objects[RESOURCES[record.type].plural, "", record.name]

    def names(self, plural: str = "scimusers") -> list[str]:
        """Names of all objects of a kind, sorted."""
        return sorted(name for kind, _, name in self.api.objects if kind == plural)

    def events(self) -> None:
        """The watch catches up: whatever there is was seen."""
        for resource in (USERS, GROUPS):
            for obj in self.api.all(resource):
                self.index.put(obj)
        for obj in self.api.all(SHARDS):
            self.index.put_shard(obj)


def replace(path: str, value: Any) -> Object:
    """One operation."""
    return {"op": "Replace", "path": path, "value": value}


def add(*members: str) -> Object:
    """Entra's way to add members."""
    return {"op": "Add", "path": "members", "value": [{"value": member} for member in members]}


def remove(*members: str) -> Object:
    """Entra's way to take members out."""
    return {"op": "Remove", "path": "members", "value": [{"value": member} for member in members]}
