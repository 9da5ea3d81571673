"""What the cluster would come to if something were in force: planned as the operator plans, written nowhere.

Works on a shadow of the world. Namespaces that would be made or changed are taken as made, so that what
follows from them is seen too: places that select them by label, other policies that wait for them, turns
that come free under maxNamespaces.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from scim_operator.access.bindings import SubjectKind, Who
from scim_operator.access.foreseen import BindingChanges, Foreseen, NamespaceChange, Spot, binding_changes
from scim_operator.access.namespaces import NamespacePlan, plan_namespace
from scim_operator.access.places import Place
from scim_operator.access.plan import plan
from scim_operator.access.problems import Problem
from scim_operator.access.remembered import remembered
from scim_operator.access.renames import Held
from scim_operator.access.shards import Contents, spread
from scim_operator.api.kinds import POLICY_LABEL, UNUSED_ANNOTATION
from scim_operator.kube.client import KubeClient
from scim_operator.reconcile.claims import namespace_facts, namespaces_labelled
from scim_operator.reconcile.outlook import decide_name
from scim_operator.reconcile.roles import role_exists
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.world import World

# What follows from what follows; a circle between policies ends somewhere.
_MOST_ROUNDS = 20
# Rule 21: others get their turn after so long, and most of the time.
_SLICE_SECONDS, _PAUSE_SECONDS = 0.01, 0.01


class Rehearsal:
    """One rehearsal, on a shadow of its own. `client` is asked for namespaced Roles; `now`: RFC 3339; `held`:
    the groups' new names that wait as things are.
    """

    def __init__(self, client: KubeClient, shadow: World, now: str, held: Mapping[GroupKey, Held]) -> None:
        self._client = client
        self._world = shadow
        self._now = now
        self._held = dict(held)
        self._ends: dict[Place, frozenset[Who]] = {}
        self._bindings: dict[Place, BindingChanges] = {}
        self._namespaces: dict[str, NamespaceChange] = {}
        self._problems: dict[str | Place, tuple[Problem, ...]] = {}
        self._since = time.monotonic()

    async def of(self, policies: Iterable[str], places: Iterable[Place]) -> Foreseen:
        """What would come of planning these places anew, which changes of some policies concern, of the
        namespaces that these have the say about, and all that follows.
        """
        due = set(places) | await self._settle_names()
        for policy in policies:
            for name in sorted(namespaces_labelled(self._world, POLICY_LABEL, policy)):
                due |= self._look_at_namespace(name)
                await self._breathe()
        for _ in range(_MOST_ROUNDS):
            if not due:
                break
            due = await self._round(due)
            due |= await self._settle_names()
        return await self._foreseen()

    async def _round(self, places: set[Place]) -> set[Place]:
        """-> the places that are concerned by what came of these."""
        concerned: set[Place] = set()
        for name in sorted({place.namespace for place in places if not place.cluster_wide}):
            concerned |= self._look_at_namespace(name)
            await self._breathe()
        bound: dict[Place, bool] = {}
        for place in sorted(places):
            bound |= await self._look_at_place(place)
            await self._breathe()
        # Only now: workers plan side by side, each by the bindings that stood before.
        return (concerned - places) | self._bind(bound)

    async def _breathe(self) -> None:
        if time.monotonic() - self._since > _SLICE_SECONDS:
            await asyncio.sleep(_PAUSE_SECONDS)
            self._since = time.monotonic()

    async def _settle_names(self) -> set[Place]:
        """A name that gives nothing new any more moves. -> the places that are concerned by that"""
        concerned: set[Place] = set()
        for group in sorted(self._world.routes.renamed):
            decision = decide_name(self._world, group, self._held.get(group))
            if isinstance(decision, Held):
                self._held[group] = decision
            elif decision == "moves":
                move = partial(self._world.routes.go_by_its_name, group)
                concerned |= self._world.limits.around(move)
            await self._breathe()
        return concerned

    # --- namespaces ----------------------------------------------------------------------------------------

    def _look_at_namespace(self, name: str) -> set[Place]:
        facts = namespace_facts(self._world, name, self._now)
        planned = plan_namespace(name, facts)
        self._problems[name] = tuple(told.problem for told in planned.problems)
        kind = _kind_of(planned)
        if kind is not None:
            self._namespaces.setdefault(name, kind)
        if planned.create is None and not planned.patch:
            return set()  # one that goes is deleted when nobody is there any more
        made = _patched(facts.namespace or planned.create or {}, planned.patch)
        self._world.namespaces.read_anew(made)
        labels = made["metadata"].get("labels") or {}
        return self._world.limits.around(lambda: self._world.routes.set_namespace(name, labels))

    # --- places --------------------------------------------------------------------------------------------

    async def _look_at_place(self, place: Place) -> dict[Place, bool]:
        """-> whether there will be a binding, if that is new."""
        exists = await role_exists(self._client, place) if place.kind == "Role" else None
        facts = self._world.facts(place, exists)
        planned = plan(place, facts)
        self._problems[place] = planned.problems
        if planned.keep:
            return {}
        reach = max(facts.shards, planned.shards)
        actual = {shard: held.standing for shard, held in self._world.held(place, reach).items()}
        foreign = facts.bindings.keys() - facts.ours.keys()
        wanted = spread(facts.kind, planned.subjects, planned.shards)
        end = _whos(facts.kind, planned.subjects)
        if foreign & wanted.keys():
            wanted = {shard: names for shard, names in wanted.items() if shard not in foreign}
            end = frozenset().union(*wanted.values())
        return self._come_to(place, end, actual, wanted)

    def _come_to(
        self, place: Place, end: frozenset[Who], actual: Contents, wanted: Contents
    ) -> dict[Place, bool]:
        self._ends[place] = end
        self._bindings[place] = binding_changes(actual, wanted)
        known = self._world.rehearsed.get(place, bool(actual))
        return {} if known == bool(end) else {place: bool(end)}

    def _bind(self, bound: Mapping[Place, bool]) -> set[Place]:
        """-> whoever's turn under maxNamespaces comes or goes by that."""

        def change() -> set[Place]:
            self._world.rehearsed.update(bound)
            self._world.limits.forget()
            return set()

        if not any(self._world.routes.is_crowded(place.policy) for place in bound):
            return change()
        return self._world.limits.around(change)

    # --- the end -------------------------------------------------------------------------------------------

    async def _foreseen(self) -> Foreseen:
        before: dict[Spot, frozenset[Who]] = {}
        after: dict[Spot, frozenset[Who]] = {}
        spots: dict[str, set[Spot]] = defaultdict(set)
        for place in self._ends:
            spots[place.namespace].add(Spot.of(place))
        for namespace, here in spots.items():
            for place in self._world.places_in(namespace):
                spot = Spot.of(place)
                if spot in here:
                    standing = self._world.standing(place)
                    before[spot] = _union(before.get(spot), standing)
                    after[spot] = _union(after.get(spot), self._ends.get(place, standing))
            await self._breathe()
        problems = {problem for found in self._problems.values() for problem in found}
        return Foreseen(before, after, self._bindings, self._namespaces, tuple(sorted(problems)))


@remembered
def _whos(kind: SubjectKind, names: frozenset[str]) -> frozenset[Who]:
    return frozenset((kind, name) for name in names)


def _union(known: frozenset[Who] | None, more: frozenset[Who]) -> frozenset[Who]:
    """Where one place gives a role alone, as almost everywhere, its very set."""
    return known | more if known and more else known or more


def _kind_of(planned: NamespacePlan) -> NamespaceChange | None:
    if planned.create is not None:
        return "CreateNamespace"
    if planned.adopts:
        return "AdoptNamespace"
    if planned.delete:
        return "DeleteNamespace"
    changed = {key for keys in planned.patch.values() for key in keys} - {UNUSED_ANNOTATION}
    return "ChangeNamespace" if changed else None


def _patched(namespace: Mapping[str, Any], patch: Mapping[str, Mapping[str, str | None]]) -> dict[str, Any]:
    """As the API server would have it; a patch sets keys, or removes them as None."""
    known = namespace["metadata"]
    fields = {name: {**(known.get(name) or {}), **patch.get(name, {})} for name in ("labels", "annotations")}
    kept = {
        name: {key: value for key, value in keys.items() if value is not None}
        for name, keys in fields.items()
    }
    version = str(int(known.get("resourceVersion", 0)) + 1)
    return {"metadata": {"uid": "", **known, **kept, "resourceVersion": version}}
