"""The bindings of a directory as the API server tells them, and when the last one came right."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.tenant import Place
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.resources import ROLE_BINDINGS

# (namespace, name)
Key = tuple[str, str]
Object = Mapping[str, Any]
_NOBODY: frozenset[str] = frozenset()


class Mirror:
    """Kept by a watch. expected: who must stand where. Times are perf_counter's."""

    def __init__(self, expected: Mapping[Place, set[str]]) -> None:
        self._expected = expected
        self._wrong = set(expected)
        # Since when nothing is wrong, and who has been in no binding.
        self._right = time.perf_counter()
        self._gone: dict[str, float] = {}
        self._subjects: dict[Key, frozenset[str]] = {}
        self._places: dict[Place, set[Key]] = defaultdict(set)
        self._where: dict[str, set[Key]] = defaultdict(set)
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._subjects)

    def holding(self, name: str) -> int:
        """In how many bindings somebody stands."""
        return len(self._where[name])

    async def gone(self, name: str, seconds: float) -> float:
        """When somebody left the last binding. Raises TimeoutError."""
        await self._until(lambda: not self._where[name], f"{name} still has access", seconds)
        return self._gone[name]

    async def right(self, seconds: float) -> float:
        """When the last binding came to be as expected. Raises TimeoutError."""
        await self._until(lambda: not self._wrong, "bindings aren't as they should be", seconds)
        return self._right

    async def _until(self, true: Callable[[], bool], otherwise: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            some = sorted(self._wrong)[:3]
            raise TimeoutError(
                f"{otherwise} after {seconds:.0f} s; {len(self._wrong)} wrong: {some}"
            ) from None

    def put(self, kind: str, obj: Object) -> None:
        """One event."""
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        place = (key[0], obj["roleRef"]["name"])
        before = self._subjects.pop(key, _NOBODY)
        after = _NOBODY
        if kind == "DELETED":
            self._places[place].discard(key)
        else:
            after = frozenset(item["name"] for item in obj.get("subjects") or ())
            self._subjects[key] = after
            self._places[place].add(key)
        now = time.perf_counter()
        for name in before - after:
            self._where[name].discard(key)
            if not self._where[name]:
                self._gone[name] = now
        for name in after - before:
            self._where[name].add(key)
        self._judge(place, now)
        self._changed.set()

    def _judge(self, place: Place, now: float) -> None:
        stand = _NOBODY.union(*(self._subjects[key] for key in self._places[place]))
        if stand != self._expected.get(place, set()):
            self._wrong.add(place)
        elif place in self._wrong:
            self._wrong.discard(place)
            self._right = now


@asynccontextmanager
async def watching(
    kubeconfig: Path, directory: str, expected: Mapping[Place, set[str]]
) -> AsyncIterator[Mirror]:
    """With what there is, and kept while inside."""
    mirror, selector = Mirror(expected), f"scim-operator.io/directory={directory}"
    async with KubeClient(await load_credentials(str(kubeconfig))) as client:
        listing = await client.list(ROLE_BINDINGS, selector=selector)
        for item in listing.items:
            mirror.put("ADDED", item)

        async def follow() -> None:
            version = listing.resource_version
            while True:  # the API server ends a watch after five minutes
                async for kind, obj in client.watch(ROLE_BINDINGS, version, selector=selector):
                    version = obj["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        mirror.put(kind, obj)

        task = asyncio.create_task(follow())
        try:
            yield mirror
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
