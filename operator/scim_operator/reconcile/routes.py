"""From a change to the places it concerns: which group opens which place under which policy.

Former places count as concerned too: a group that was renamed leaves its old place, and somebody must look
at it. The result after any sequence of changes equals what a fresh build from the final state gives; a
property test says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from scim_operator.access.bindings import SubjectKind
from scim_operator.access.places import Opened, Opening, Place, Settings, places_of
from scim_operator.access.problems import Problem
from scim_operator.api.policy import PolicySpec

# (directory, id)
GroupKey = tuple[str, str]


class Routes:
    """The openings of all groups under all policies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies: dict[str, PolicySpec] = {}
        self._names: dict[GroupKey, str] = {}
        self._opened: dict[tuple[str, GroupKey], Opened] = {}
        self._openers: dict[Place, dict[GroupKey, Opening]] = defaultdict(dict)
        self._in_namespace: dict[str, set[Place]] = defaultdict(set)
        self._with_role: dict[str, set[Place]] = defaultdict(set)

    def set_policy(self, name: str, spec: PolicySpec | None) -> set[Place]:
        """A policy is new, changed, or gone (None). -> the places concerned."""
        concerned = self.of_policy(name)
        if spec is None:
            self._policies.pop(name, None)
        else:
            self._policies[name] = spec
        for group in list(self._names):
            self._reopen(name, group)
        return concerned | self.of_policy(name)

    def set_group(self, group: GroupKey, display_name: str | None) -> set[Place]:
        """A group is new, changed, or gone (None). -> the places concerned."""
        concerned = self.of_group(group)
        if display_name == self._names.get(group):
            return concerned
        if display_name is None:
            self._names.pop(group, None)
        else:
            self._names[group] = display_name
        for policy in list(self._policies):
            self._reopen(policy, group)
        return concerned | self.of_group(group)

    def openers(self, place: Place) -> Mapping[GroupKey, Opening]:
        """The groups that open a place."""
        return self._openers.get(place, {})

    def places(self) -> set[Place]:
        """All places that some group opens."""
        return set(self._openers)

    def of_policy(self, name: str) -> set[Place]:
        """The places of a policy."""
        return {place for place in self._openers if place.policy == name}

    def of_group(self, group: GroupKey) -> set[Place]:
        """The places a group opens."""
        return {place for policy in self._policies for place, _ in self._of(policy, group).places}

    def policies_of(self, group: GroupKey) -> set[str]:
        """The policies that mean a group."""
        return {policy for policy in self._policies if self._of(policy, group).matched}

    def in_directory(self, directory: str) -> set[str]:
        """The policies over the groups of a directory."""
        return {name for name, spec in self._policies.items() if spec.groups.directory == directory}

    def subject_kind(self, policy: str) -> SubjectKind | None:
        """What stands in a policy's bindings; None when there is no such policy."""
        spec = self._policies.get(policy)
        if spec is None:
            return None
        return "User" if spec.subjects == "Users" else "Group"

    def in_namespace(self, namespace: str) -> set[Place]:
        """The places in a namespace; those in the whole cluster for an empty one."""
        return set(self._in_namespace.get(namespace, ()))

    def with_role(self, role: str) -> set[Place]:
        """The places that give a role."""
        return set(self._with_role.get(role, ()))

    def matched(self, policy: str) -> list[GroupKey]:
        """The groups a policy means."""
        return [group for group in self._names if self._of(policy, group).matched]

    def problems_of_policy(self, policy: str) -> Iterable[Problem]:
        """What groups under a policy can't have, before the cluster is even asked."""
        return [problem for group in self._names for problem in self._of(policy, group).problems]

    def problems_of_group(self, group: GroupKey) -> Iterable[Problem]:
        """The same for one group under all policies."""
        return [problem for policy in self._policies for problem in self._of(policy, group).problems]

    def _of(self, policy: str, group: GroupKey) -> Opened:
        return self._opened.get((policy, group), _NOTHING)

    def _reopen(self, policy: str, group: GroupKey) -> None:
        before = self._opened.pop((policy, group), _NOTHING)
        for place, _ in before.places:
            self._close(place, group)
        spec, name = self._policies.get(policy), self._names.get(group)
        if spec is None or name is None or spec.groups.directory != group[0]:
            return
        opened = places_of(policy, spec, name, self._settings)
        if not opened.matched:
            return
        self._opened[policy, group] = opened
        for place, opening in opened.places:
            self._openers[place][group] = opening
            self._in_namespace[place.namespace].add(place)
            self._with_role[place.role].add(place)

    def _close(self, place: Place, group: GroupKey) -> None:
        openers = self._openers[place]
        openers.pop(group, None)
        if not openers:
            del self._openers[place]
            _discard(self._in_namespace, place.namespace, place)
            _discard(self._with_role, place.role, place)


_NOTHING = Opened()


def _discard(index: dict[str, set[Place]], key: str, place: Place) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]
