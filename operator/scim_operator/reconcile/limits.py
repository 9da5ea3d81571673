"""In which namespaces a policy may give access while it opens more of them than its maxNamespaces.

Where access is given already it goes on; then names decide, so that every pass decides alike. Remembered
until something changes it: groups by the thousand under such a policy must not keep leavers waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from scim_operator.access.places import Place
from scim_operator.reconcile.routes import Routes

# How often bindings came and went, and how often the namespaces of a policy changed.
_State = tuple[int, int]


class Limits:
    """`bound`: whether a policy has a binding in a namespace; `population`: changes with what that says."""

    def __init__(
        self, routes: Routes, bound: Callable[[str, str], bool], population: Callable[[], int]
    ) -> None:
        self._routes = routes
        self._bound = bound
        self._population = population
        self._known: dict[str, tuple[_State, frozenset[str]]] = {}

    def refused(self, place: Place) -> int | None:
        """The policy's maxNamespaces when the place's namespace is beyond it."""
        allowed = self.allowed(place.policy)
        if allowed is None or place.cluster_wide or place.namespace in allowed:
            return None
        return self._routes.limit(place.policy)

    def around(self, change: Callable[[], set[Place]]) -> set[Place]:
        """Carry out a change of the routes. -> the places concerned, by a turn got or lost as well."""
        before = {policy: self.allowed(policy) for policy in self._routes.crowded()}
        concerned = change()
        for policy in before.keys() | set(self._routes.crowded()):
            concerned |= self.turned(policy, before.get(policy))
        return concerned

    def turned(self, policy: str, before: frozenset[str] | None) -> set[Place]:
        """The places whose turn came or went. `before`: what was `allowed` before something changed."""
        after = self.allowed(policy)
        if before == after:
            return set()
        every = frozenset(self._routes.namespaces_of(policy))
        changed = (every if before is None else before) ^ (every if after is None else after)
        places = chain.from_iterable(map(self._routes.in_namespace, changed))
        return {place for place in places if place.policy == policy}

    def forget(self) -> None:
        """What was chosen: what `bound` says is something else now, though the population is the same."""
        self._known.clear()

    def allowed(self, policy: str) -> frozenset[str] | None:
        """The namespaces in which a policy gives access; None: all that it opens."""
        if not self._routes.is_crowded(policy):
            self._known.pop(policy, None)
            return None
        state = self._population(), self._routes.spaces_version(policy)
        known = self._known.get(policy)
        if known is None or known[0] != state:
            known = self._known[policy] = state, self._choose(policy)
        return known[1]

    def _choose(self, policy: str) -> frozenset[str]:
        spaces, limit = self._routes.namespaces_of(policy), self._routes.limit(policy)
        bound = {name for name in spaces if self._bound(policy, name)}
        return frozenset(bound | set(sorted(spaces - bound)[: max(0, limit - len(bound))]))
