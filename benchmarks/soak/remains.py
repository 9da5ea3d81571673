"""What is in the cluster at the end, beside what should be."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tenant import Place
from scim_operator.api.kinds import DIRECTORY_LABEL
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS

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
    leftover: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for resource, ids in ((USERS, wanted.users), (GROUPS, wanted.groups)):
        there = {str(item["spec"]["id"]) for item in (await client.list(resource)).items}
        leftover[resource.kind] = sorted(there - ids)
        missing[resource.kind] = sorted(ids - there)
    leftover[SHARDS.kind] = [
        item["metadata"]["name"]
        for item in (await client.list(SHARDS)).items
        if item["spec"]["group"] not in wanted.groups
    ]
    ours = f"{DIRECTORY_LABEL}={wanted.directory}"
    namespaces = (await client.list(NAMESPACES, selector=ours, metadata_only=True)).items
    leftover[NAMESPACES.kind] = sorted({item["metadata"]["name"] for item in namespaces} - wanted.namespaces)
    holds = {item["metadata"]["name"] for item in (await client.list(HOLDS)).items}
    leftover[HOLDS.kind] = sorted(holds - {wanted.directory})
    stand = await _standing(client, ours)
    leftover[ROLE_BINDINGS.kind] = [f"{place}" for place in sorted(stand.keys() - wanted.places.keys())]
    missing[ROLE_BINDINGS.kind] = [f"{place}" for place in sorted(wanted.places.keys() - stand.keys())]
    wrong = [f"{place}" for place, names in wanted.places.items() if place in stand and stand[place] != names]
    told = [*leftover.items(), *missing.items(), ("place", wrong)]
    return Remains(
        {kind: len(names) for kind, names in leftover.items() if names},
        {kind: len(names) for kind, names in missing.items() if names},
        len(wrong),
        [f"{kind} {name}" for kind, names in told for name in names[:3]],
    )


async def _standing(client: KubeClient, ours: str) -> dict[Place, set[str]]:
    """Also a place whose binding names nobody."""
    found: dict[Place, set[str]] = defaultdict(set)
    for item in (await client.list(ROLE_BINDINGS, selector=ours)).items:
        place = (item["metadata"]["namespace"], item["roleRef"]["name"])
        found[place] |= {subject["name"] for subject in item.get("subjects") or ()}
    return dict(found)
