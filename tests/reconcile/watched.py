"""A plant that remembers who held what after every change of a binding, as a watching client would see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from scim_operator.kube.resources import Resource
from scim_operator.reconcile.resources import BINDINGS
from tests.reconcile.plant import Plant

# (subject, role, namespace)
Permission = tuple[str, str, str]
SLOW = 0.1


class Watched(Plant):
    """Making a binding takes it long, deleting one doesn't: a wrong order shows."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[frozenset[Permission]] = []
        self.api.before = self._slowly

    def _slowly(self, verb: str, plural: str) -> Any:
        return asyncio.sleep(SLOW) if verb == "create" and plural.endswith("bindings") else None

    def _hear(self, resource: Resource, event: str, obj: dict[str, Any]) -> None:
        if resource in BINDINGS:
            self.moments.append(frozenset(self.held()))
        super()._hear(resource, event, obj)

    def held(self) -> Iterator[Permission]:
        """Who holds what at this moment."""
        for resource in BINDINGS:
            for binding in self.api.all(resource):
                for subject in binding.get("subjects") or ():
                    yield (
                        subject["name"],
                        binding["roleRef"]["name"],
                        binding["metadata"].get("namespace", ""),
                    )
