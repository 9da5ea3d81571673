"""A reconciler that works on an API server over a dict, and hears of every change as kopf would tell it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.standby import Standby
from scim_operator.directory.tokens import Tokens
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRDS,
    NAMESPACES,
    ROLE_BINDINGS,
    Resource,
)
from scim_operator.reconcile.events import Recorder
from scim_operator.reconcile.reconciler import Reconciler
from scim_operator.reconcile.resources import BINDINGS, CONTENTS, GRANTS, HOLDS, LOCKS, POLICIES, TEMPLATES
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World
from tests.directory.api_server import ApiServer
from tests.heard import Heard
from tests.reconcile.worlds import SETTINGS, TEMPLATE_KINDS, UNGUARDED, granted_as, group, policy, user

Object = dict[str, Any]
PLACE = Place("teams", "edit", "team-red")
NAME = binding_name(PLACE)
OURS = {"app.kubernetes.io/managed-by": "scim-operator"}
ROLE_REFUSED = ApiError(
    403, "Forbidden", 'user "x" is attempting to grant RBAC permissions not currently held'
)


class Plant:
    """`api` is the cluster; changes made through it come back as events."""

    def __init__(self, *, deletion: bool = True) -> None:
        self.api = ApiServer()
        self.deaf = self.listed = False
        self._selected: set[tuple[str, str, str]] = set()
        # Time passes when `now` is moved; `clock_set` is by how much the wall clock is off.
        self.now = began = datetime(2026, 1, 1, tzinfo=UTC)
        self.clock_set = timedelta(0)
        self.world = World(
            Index(lambda: 0.0),
            Directories(),
            replace(SETTINGS, deletion=deletion),
            TEMPLATE_KINDS,
            now=lambda: (self.now + self.clock_set).timestamp(),
        )
        client = cast(KubeClient, self.api)
        statuses = Statuses(
            self.world,
            now=lambda: "2026-01-01T00:00:00Z",
            url=lambda name: f"https://h/{name}",
            tokens=Tokens(lambda: datetime.now(UTC)),
        )
        self.outcomes = statuses.outcomes
        self.standby = Standby(client, self.world.index, self.world.directories, returned=lambda: None)
        self.heard = Heard()
        self.reconciler = Reconciler(
            client,
            self.world,
            statuses,
            Recorder(client, lambda: "2026-01-01T00:00:00.000000Z", "pod", time.monotonic),
            self.heard.audit,
            monotonic=lambda: time.monotonic() + (self.now - began).total_seconds(),
            now=lambda: (self.now + self.clock_set).strftime("%Y-%m-%dT%H:%M:%SZ"),
            returned=lambda: None,  # these watches know every kind
        )
        for kind in (USERS, GROUPS, SHARDS, POLICIES, DIRECTORIES, LOCKS, GRANTS):
            self.put(CRDS, f"{kind.plural}.{kind.group}")
        self.api.watcher = self._hear

    def _hear(self, resource: Resource, event: str, obj: Object) -> None:
        labels = obj["metadata"].get("labels") or {}
        key = (resource.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        selected = resource not in (*BINDINGS, *self.world.contents) or OURS.items() <= labels.items()
        if not selected and key not in self._selected:
            return
        if not selected:
            event = "DELETED"  # as a watch with a selector tells that an object has left it
        (self._selected.add if event != "DELETED" else self._selected.discard)(key)
        if not self.deaf and resource in _WATCHED:
            (self.reconciler if self.listed else self.standby).observe(resource, event, obj)

    # --- the cluster ---------------------------------------------------------------------------------------

    def put(self, resource: Resource, name: str, namespace: str = "", **fields: Any) -> Object:
        """Make or change an object, as an admin does; `labels` and `annotations` are metadata.

        A group goes on under its first name, as SCIM writes it, unless annotations are given.
        """
        if resource is GROUPS:
            known = self.api.objects.get((GROUPS.plural, namespace, name))
            first = granted_as(fields["spec"]["displayName"])
            fields.setdefault("annotations", known["metadata"].get("annotations", {}) if known else first)
        metadata = {key: fields.pop(key) for key in ("labels", "annotations") if key in fields}
        return self.api.put(resource, {"metadata": {"name": name, **metadata}, **fields}, namespace)

    @classmethod
    def usual_one(cls) -> Self:
        """With the usual content, of whose making nobody heard: it was there before the start."""
        made = cls()
        made.api.watcher, hear = None, made.api.watcher
        made.usual()
        made.api.watcher = hear
        return made

    def usual(self) -> None:
        """Two people in k8s-red-edit, and the policy that makes team-red for them."""
        self.put(NAMESPACES, "default")  # where Events about cluster-scoped objects go
        self.put(DIRECTORIES, "entra", spec=UNGUARDED)
        # As the guard leaves it where there is nothing to tell: else people would be frozen.
        self.put(HOLDS, "entra", spec={}, status={"round": 1, "additionsRound": 1})
        self.put(CLUSTER_ROLES, "edit")
        self.put(CLUSTER_ROLES, "view")
        self.put(POLICIES, "teams", spec=policy())
        for number in range(2):
            self.put(USERS, f"u{number}", spec=user(number))
        self.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]))

    def subjects(self, name: str = NAME, namespace: str = "team-red") -> set[str] | None:
        """Who stands in a binding; None when there is none. No namespace: in a ClusterRoleBinding."""
        kind = ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS
        found = self.api.objects.get((kind.plural, namespace, name))
        return None if found is None else {subject["name"] for subject in found.get("subjects") or ()}

    async def approve(self, directory: str = "entra") -> None:
        """Wait until somebody is held, let them go as an approver does, and wait until they are gone."""
        await self.until(lambda: "hash" in self.status(HOLDS, directory))
        self.put(
            HOLDS,
            directory,
            spec={"approve": self.status(HOLDS, directory)["hash"]},
            status=self.status(HOLDS, directory),
        )

    def status(self, resource: Resource, name: str) -> Object:
        """An object's status."""
        found: Object = self.api.objects.get((resource.plural, "", name), {}).get("status") or {}
        return found

    def condition(self, resource: Resource, name: str, kind: str = "Ready") -> Object:
        """One of its conditions; empty when it isn't there."""
        return next(
            (item for item in self.status(resource, name).get("conditions", []) if item["type"] == kind), {}
        )

    # --- the operator --------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The reconciler at work. That it still is at the end is checked too."""
        task = asyncio.create_task(self._run())
        yield
        ended = task.done()
        task.cancel()
        answers = await asyncio.gather(task, return_exceptions=True)
        assert not ended, answers

    async def _run(self) -> None:
        """As a term does."""
        await self.standby.list_until_listed()
        self.listed = True
        await self.reconciler.run()

    async def until(self, truth: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until something holds; fails when it doesn't come to that."""
        async with asyncio.timeout(seconds):
            while not truth():
                await asyncio.sleep(0.005)


_WATCHED = (
    *(USERS, GROUPS, SHARDS, DIRECTORIES, POLICIES, TEMPLATES, LOCKS, GRANTS, NAMESPACES, CLUSTER_ROLES),
    *(USERS, GROUPS, DIRECTORIES, HOLDS, POLICIES, TEMPLATES, NAMESPACES, CLUSTER_ROLES),
    *(*BINDINGS, *CONTENTS, *TEMPLATE_KINDS),
)


def grant(plant: Plant, *, hours: float = 2, metadata: dict[str, Any] | None = None, **spec: Any) -> None:
    """An AccessGrant called debug: person 0, unless told otherwise, is to have edit in prod."""
    body = {
        "directory": "entra",
        **({} if "group" in spec else {"userName": "person0"}),
        "clusterRole": "edit",
        "namespace": "prod",
        "until": (plant.now + timedelta(hours=hours)).isoformat(),
        "reason": "INC-4711",
        "requestedBy": "admin",
        **spec,
    }
    body = {key: value for key, value in body.items() if value is not None}
    named = {"name": "debug", "creationTimestamp": plant.now.isoformat(), **(metadata or {})}
    plant.api.put(GRANTS, {"metadata": named, "spec": body, "status": plant.status(GRANTS, "debug") or None})


def again(plant: Plant) -> Plant:
    """Another operator on the same cluster, as after a restart."""
    made, api = Plant(), plant.api
    made.now = plant.now
    made.api.objects, made.api._versions, made.api._uids = api.objects, api._versions, api._uids
    return made
