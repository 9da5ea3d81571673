"""In which namespaces a policy may give access while it opens more of them than its maxNamespaces.

Where access is given already it goes on; then names decide, so that every pass decides alike. Remembered
until something changes it: groups by the thousand under such a policy must not keep leavers waiting.
"""

from __future__ import annotations

from collections.abc import Callable

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
        allowed = self._allowed(place.policy)
        if allowed is None or place.cluster_wide or place.namespace in allowed:
            return None
        return self._routes.limit(place.policy)

    def around(self, change: Callable[[], set[Place]]) -> set[Place]:
        """Carry out a change of the routes. -> the places concerned, by a turn got or lost as well."""
        before = self._crowded()
        concerned = change()
        after = self._crowded()
        for policy in before.keys() | after.keys():
            every = frozenset(self._routes.namespaces_of(policy))
            for namespace in before.get(policy, every) ^ after.get(policy, every):
                places = self._routes.in_namespace(namespace)
                concerned |= {place for place in places if place.policy == policy}
        return concerned

    def forget(self) -> None:
        """What was chosen: what `bound` says is something else now, though the population is the same."""
        self._known.clear()

    def _crowded(self) -> dict[str, frozenset[str]]:
        found = {policy: self._allowed(policy) for policy in self._routes.crowded()}
        return {policy: allowed for policy, allowed in found.items() if allowed is not None}

    def _allowed(self, policy: str) -> frozenset[str] | None:
        """None: all of them."""
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
