"""What the policies in Preview would do, kept current as people, groups and namespaces change.

Computed whole, one policy at a time and far behind everything else: whatever moves may concern it, and after
a burst it is computed once. It takes at most one part in twenty of the event loop's time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from scim_operator.access.foreseen import Foreseen
from scim_operator.access.renames import Held
from scim_operator.kube.client import KubeClient
from scim_operator.reconcile.outcomes import Outcomes
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.rehearsal import Rehearsal
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.serving import serve
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World

_COALESCE_SECONDS = 0.5
_REST = 20
# Longer than that without a key taken from the queue looks as if the operator were stuck.
_LONGEST_REST_SECONDS = 30.0


class Previews:
    """`mark` is told whose statuses differ. `now`: RFC 3339."""

    def __init__(
        self,
        client: KubeClient,
        world: World,
        outcomes: Outcomes,
        mark: Callable[[Iterable[Subject]], None],
        now: Callable[[], str],
    ) -> None:
        self._client = client
        self._world = world
        self._outcomes = outcomes
        self._mark = mark
        self._now = now
        self.queue: KeyedQueue[str] = KeyedQueue()

    def look_at(self) -> None:
        """Something moved: what policies would do may be something else now."""
        for policy in self._world.previewed:
            self.queue.add_later(policy, _COALESCE_SECONDS)

    async def run(self) -> None:
        """Compute until cancelled."""
        try:
            await serve(self.queue, self._compute, "what a policy would do couldn't be computed", _identity)
        finally:
            self.queue.close()

    async def _compute(self, policy: str) -> None:
        began = time.monotonic()
        try:
            if policy in self._world.previewed:
                held = dict(self._outcomes.renames())
                found = await foresee(self._client, self._world, policy, self._now(), held)
                self._outcomes.foreseen[policy] = found
                self._mark([Subject(POLICIES, policy)])
        finally:
            await asyncio.sleep(min(_REST * (time.monotonic() - began), _LONGEST_REST_SECONDS))


def _identity(policy: str) -> dict[str, str]:
    return {"policy": policy}


async def foresee(
    client: KubeClient, world: World, policy: str, now: str, held: Mapping[GroupKey, Held]
) -> Foreseen:
    """What a policy would do if it were in force. `held`: the groups' new names that wait."""
    shadow = world.shadow(frozenset({policy}))
    places = shadow.routes.of_policy(policy) | shadow.bound_by(policy)
    return await Rehearsal(client, shadow, now, held).of([policy], places)
