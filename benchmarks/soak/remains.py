"""What is in the cluster at the end, beside what should be."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tenant import Place
from scim_operator.api.kinds import DIRECTORY_LABEL
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS

Object = Mapping[str, Any]
_LONGEST_SECONDS, _PAUSE = 120.0, 2.0


@dataclass(frozen=True)
class Wanted:
    """places: who must stand where; users, groups: ids; namespaces: that were wanted at any time (they stay
    when nobody wants them any more, by the policies' default).
    """

    directory: str
    places: dict[Place, set[str]]
    users: Set[str]
    groups: Set[str]
    namespaces: Set[str]


@dataclass(frozen=True)
class Remains:
    """By kind: objects that nobody wants, and such that aren't there. wrong: places where others stand than
    should; examples: of all of that, in words.
    """

    leftover: dict[str, int]
    missing: dict[str, int]
    wrong: int
    examples: list[str]

    @property
    def is_clean(self) -> bool:
        """Exactly what should be."""
        return not (self.leftover or self.missing or self.wrong)


def remains(kubeconfig: Path, wanted: Wanted) -> Remains:
    """As soon as all is right, or as it is after two minutes."""
    return asyncio.run(_remains(kubeconfig, wanted))


async def _remains(kubeconfig: Path, wanted: Wanted) -> Remains:
    deadline = time.monotonic() + _LONGEST_SECONDS
    async with KubeClient(await load_credentials(str(kubeconfig))) as client:
        while True:
            try:
                found = await _look(client, wanted)
            except ApiError:
                # After an hour one list that fails isn't to be the end.
                if time.monotonic() > deadline:
                    raise
            else:
                if found.is_clean or time.monotonic() > deadline:
                    return found
            await asyncio.sleep(_PAUSE)


async def _look(client: KubeClient, wanted: Wanted) -> Remains:
    ours = f"{DIRECTORY_LABEL}={wanted.directory}"
    kinds = {USERS: "", GROUPS: "", SHARDS: "", HOLDS: "", ROLE_BINDINGS: ours, NAMESPACES: ours}
    return judge(
        {kind.kind: (await client.list(kind, selector=selector)).items for kind, selector in kinds.items()},
        wanted,
    )


def judge(listed: Mapping[str, Sequence[Object]], wanted: Wanted) -> Remains:
    """listed: all objects by kind; of bindings and namespaces those that bear the directory's label."""
    stand = _standing(listed[ROLE_BINDINGS.kind])
    # What is there, and what must be.
    exactly: dict[str, tuple[Set[object], Set[object]]] = {
        USERS.kind: ({item["spec"]["id"] for item in listed[USERS.kind]}, wanted.users),
        GROUPS.kind: ({item["spec"]["id"] for item in listed[GROUPS.kind]}, wanted.groups),
        ROLE_BINDINGS.kind: (stand.keys(), wanted.places.keys()),
        HOLDS.kind: (_names(listed[HOLDS.kind]), {wanted.directory}),
    }
    leftover: dict[str, Set[object]] = {kind: there - must for kind, (there, must) in exactly.items()}
    missing = {kind: must - there for kind, (there, must) in exactly.items()}
    leftover[NAMESPACES.kind] = _names(listed[NAMESPACES.kind]) - wanted.namespaces
    shards = [item for item in listed[SHARDS.kind] if item["spec"]["group"] not in wanted.groups]
    leftover[SHARDS.kind] = _names(shards)
    wrong: Set[object] = {
        place for place, names in wanted.places.items() if place in stand and stand[place] != names
    }
    told: dict[str, Mapping[str, Set[object]]] = {
        "left over": leftover,
        "missing": missing,
        "wrong": {"place": wrong},
    }
    return Remains(
        {kind: len(found) for kind, found in leftover.items() if found},
        {kind: len(found) for kind, found in missing.items() if found},
        len(wrong),
        [
            f"{word}: {kind} {one}"
            for word, kinds in told.items()
            for kind, found in kinds.items()
            for one in sorted(map(str, found))[:3]
        ],
    )


def _names(items: Sequence[Object]) -> Set[object]:
    return {item["metadata"]["name"] for item in items}


def _standing(bindings: Sequence[Object]) -> dict[Place, set[str]]:
    """By all bindings of a place together; also where they name nobody."""
    found: dict[Place, set[str]] = defaultdict(set)
    for item in bindings:
        place = (item["metadata"]["namespace"], item["roleRef"]["name"])
        found[place] |= {subject["name"] for subject in item.get("subjects") or ()}
    return dict(found)
