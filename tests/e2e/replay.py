"""What a client that watched all bindings has seen: who held what after every single change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cluster.cluster import Cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"
_KINDS = ("rolebindings", "clusterrolebindings")

Object = dict[str, Any]
# (subject, role, namespace); no namespace is the whole cluster
Permission = tuple[str, str, str]
# (kind of binding, namespace, name) -> what it gives
Bindings = dict[tuple[str, str, str], frozenset[Permission]]


class Replay:
    """Begins now. Reads the API server's own watch streams afterwards, so no change is missed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._versions: dict[str, str] = {}
        self._known: Bindings = {}
        for kind in _KINDS:
            listed = cluster.request("GET", f"{RBAC}/{kind}").body
            self._versions[kind] = listed["metadata"]["resourceVersion"]
            self._known |= {_key(kind, item): _permissions(item) for item in listed["items"]}

    @property
    def beginning(self) -> frozenset[Permission]:
        """Who held what when this was made."""
        return _union(self._known)

    def moments(self) -> list[frozenset[Permission]]:
        """Who held what at the beginning and after each change since, in order."""
        known = dict(self._known)
        seen = [self.beginning]
        for _, kind, event in sorted(self._changes(), key=lambda change: change[0]):
            key = _key(kind, event["object"])
            known[key] = frozenset() if event["type"] == "DELETED" else _permissions(event["object"])
            seen.append(_union(known))
        return seen

    def changed(self) -> list[tuple[str, str, str]]:
        """Which bindings were written since, once for each write: (kind, namespace, name)."""
        return sorted(_key(kind, event["object"]) for _, kind, event in self._changes())

    def holding(self, subject: str) -> list[tuple[str, str, str]]:
        """The bindings that a subject stood in at the beginning."""
        return sorted(
            key for key, held in self._known.items() if any(permission[0] == subject for permission in held)
        )

    def _changes(self) -> list[tuple[int, str, Object]]:
        """Of both kinds at once: each stream takes its whole second."""
        with ThreadPoolExecutor() as pool:
            return [change for changes in pool.map(self._changes_of, _KINDS) for change in changes]

    def _changes_of(self, kind: str) -> list[tuple[int, str, Object]]:
        """All until now: within a second an API server that has no time may tell less."""
        there = self._cluster.request("GET", f"{RBAC}/{kind}").body["items"]
        last = max((int(item["metadata"]["resourceVersion"]) for item in there), default=0)
        for seconds in (1, 2, 4, 8, 16):
            changes = self._told(kind, seconds)
            if last <= max([int(self._versions[kind]), *(version for version, _, _ in changes)]):
                return changes
        raise AssertionError(f"a watch of {kind} doesn't tell of what is listed")

    def _told(self, kind: str, seconds: int) -> list[tuple[int, str, Object]]:
        query = f"watch=true&resourceVersion={self._versions[kind]}&timeoutSeconds={seconds}"
        answer = self._cluster.request("GET", f"{RBAC}/{kind}?{query}").body
        # One event alone is a whole JSON document, several are one a line.
        events = [answer] if isinstance(answer, dict) else map(json.loads, answer.splitlines())
        found = []
        for event in events:
            assert event["type"] in ("ADDED", "MODIFIED", "DELETED"), event
            found.append((int(event["object"]["metadata"]["resourceVersion"]), kind, event))
        return found


def _key(kind: str, binding: Mapping[str, Any]) -> tuple[str, str, str]:
    return kind, binding["metadata"].get("namespace", ""), binding["metadata"]["name"]


def _permissions(binding: Mapping[str, Any]) -> frozenset[Permission]:
    role, namespace = binding["roleRef"]["name"], binding["metadata"].get("namespace", "")
    return frozenset((subject["name"], role, namespace) for subject in binding.get("subjects") or ())


def _union(known: Bindings) -> frozenset[Permission]:
    return frozenset().union(*known.values())
