"""From a change to the places it concerns: which group, or which people, open which place under which policy.

Former places count as concerned too: a group that was renamed leaves its old place, and somebody must look
at it. The result after any sequence of changes equals what a fresh build from the final state gives; a
property test says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import TypeVar

from scim_operator.access.bindings import SubjectKind
from scim_operator.access.grants import GroupNames, places_of_group, places_of_people
from scim_operator.access.places import Opened, Opening, Place, Settings
from scim_operator.access.problems import Problem
from scim_operator.access.selectors import selects
from scim_operator.api.policy import NamespaceSelector, PolicySpec

K = TypeVar("K")
# (directory, id); no id: the people that the policy at hand means
GroupKey = tuple[str, str]


class Routes:
    """The openings of all groups and people under all policies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._policies: dict[str, PolicySpec] = {}
        self._names: dict[GroupKey, GroupNames] = {}
        self._renamed: set[GroupKey] = set()
        self._labels: dict[str, Mapping[str, str]] = {}
        self._opened: dict[tuple[str, GroupKey], Opened] = {}
        self._openers: dict[Place, dict[GroupKey, Opening]] = defaultdict(dict)
        # Whose openers are another one's, to be copied before they are changed.
        self._lent: set[Place] = set()
        self._in_namespace: dict[str, set[Place]] = defaultdict(set)
        self._with_role: dict[tuple[str, str], set[Place]] = defaultdict(set)
        self._spaces: dict[str, Counter[str]] = defaultdict(Counter)
        self._space_versions: Counter[str] = Counter()

    def copy(self) -> Routes:
        """The same, whose namespaces and names of groups can be changed apart: policies can't."""
        made = copy(self)
        for name, held in vars(self).items():
            if isinstance(held, dict):
                setattr(made, name, held.copy())
        made._in_namespace.update((key, set(places)) for key, places in self._in_namespace.items())
        made._with_role.update((key, set(places)) for key, places in self._with_role.items())
        made._spaces.update((policy, Counter(spaces)) for policy, spaces in self._spaces.items())
        made._renamed = set(self._renamed)
        made._lent = set(self._openers)
        return made

    # --- changes -------------------------------------------------------------------------------------------

    def set_policy(self, name: str, spec: PolicySpec | None) -> set[Place]:
        """A policy is new, changed, or gone (None). -> the places concerned."""
        concerned = self.of_policy(name)
        before = self._policies.pop(name, None)
        if spec is not None:
            self._policies[name] = spec
        people = {(known.directory, "") for known in (before, spec) if known is not None and known.people}
        for source in [*self._names, *people]:
            self._reopen(name, source)
        self._space_versions[name] += 1  # another limit decides otherwise as well
        return concerned | self.of_policy(name)

    def set_group(self, group: GroupKey, names: GroupNames | None) -> set[Place]:
        """A group is new, changed, or gone (None). -> the places concerned."""
        concerned = self.of_group(group)
        if names == self._names.get(group):
            return concerned
        self._renamed.discard(group)
        if names is None:
            self._names.pop(group, None)
        else:
            self._names[group] = names
            if names.granted_as != names.display_name:
                self._renamed.add(group)
        for policy in list(self._policies):
            self._reopen(policy, group)
        return concerned | self.of_group(group)

    def go_by_its_name(self, group: GroupKey) -> set[Place]:
        """A group's access goes by its displayName from now on. -> the places concerned."""
        names = self._names.get(group)
        return self.set_group(group, replace(names, granted_as=names.display_name)) if names else set()

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> set[Place]:
        """A namespace is new, relabelled, or gone (None). -> the places concerned."""
        concerned = self.in_namespace(name)
        before = self._labels.pop(name, None)
        if labels is not None:
            self._labels[name] = dict(labels)
        for policy, spec in self._policies.items():
            if any(_selected(item, before) != _selected(item, labels) for item in _selectors(spec)):
                for source in self._sources(policy):
                    self._reopen(policy, source)
        return concerned | self.in_namespace(name)

    # --- questions -----------------------------------------------------------------------------------------

    def openers(self, place: Place) -> Mapping[GroupKey, Opening]:
        """The groups, or people, that open a place."""
        return self._openers.get(place, {})

    def places(self) -> set[Place]:
        """All places that are opened."""
        return set(self._openers)

    def names_of(self, group: GroupKey) -> GroupNames | None:
        """What policies know a group by; None when there is no such group."""
        return self._names.get(group)

    def labels_of(self, namespace: str) -> Mapping[str, str] | None:
        """A namespace's labels as taken in last; None when there is no such namespace."""
        return self._labels.get(namespace)

    @property
    def renamed(self) -> frozenset[GroupKey]:
        """The groups that are called otherwise than their access goes by."""
        return frozenset(self._renamed)

    def is_settled(self, policy: str, source: GroupKey) -> bool:
        """False while a group may add nobody under a policy, because its effective name isn't written."""
        names, spec = self._names.get(source), self._policies.get(policy)
        return names is None or spec is None or spec.groups is None or names.is_settled(spec.groups)

    def opened(self, policy: str, group: GroupKey) -> Opened:
        """What a group opens under a policy."""
        return self._of(policy, group)

    def opened_by(self, group: GroupKey, name: str) -> Mapping[str, Opened]:
        """Policy -> what a group would open if its access went by that name, where names are held."""
        known = self._names.get(group)
        if known is None:
            return {}
        named = GroupNames(name, known.external_id, name)
        return {
            policy: places_of_group(policy, spec, named, self._settings, self._select)
            for policy, spec in self._policies.items()
            if spec.directory == group[0] and spec.groups and spec.groups.on_rename == "Hold"
        }

    def of_policy(self, name: str) -> set[Place]:
        """The places of a policy."""
        return {place for source in self._sources(name) for place, _ in self._of(name, source).places}

    def of_group(self, group: GroupKey) -> set[Place]:
        """The places a group opens."""
        return {place for policy in self._policies for place, _ in self._of(policy, group).places}

    def policies_of(self, group: GroupKey) -> set[str]:
        """The policies that mean a group."""
        return {policy for policy in self._policies if self._of(policy, group).matched}

    def in_directory(self, directory: str) -> set[str]:
        """The policies over the groups or people of a directory."""
        return {name for name, spec in self._policies.items() if spec.directory == directory}

    def over_people(self, directory: str) -> Mapping[str, str]:
        """Policy -> filter, of the policies over the people of a directory."""
        specs = self._policies.items()
        return {name: s.people.filter for name, s in specs if s.people and s.directory == directory}

    def specs(self) -> list[PolicySpec]:
        """Those of all valid policies."""
        return list(self._policies.values())

    def spec(self, policy: str) -> PolicySpec | None:
        """The spec of a valid policy; None when there is no such policy."""
        return self._policies.get(policy)

    def subject_kind(self, policy: str) -> SubjectKind | None:
        """What stands in a policy's bindings; None when there is no such policy."""
        spec = self._policies.get(policy)
        if spec is None:
            return None
        return "User" if spec.subjects == "Users" else "Group"

    def limit(self, policy: str) -> int:
        """In how many namespaces a policy may give access."""
        spec = self._policies.get(policy)
        return spec.max_namespaces if spec else 0

    def namespaces_of(self, policy: str) -> set[str]:
        """The namespaces that a policy opens places in."""
        return set(self._spaces.get(policy, ()))

    def is_crowded(self, policy: str) -> bool:
        """True when a policy opens more namespaces than it may."""
        return len(self._spaces.get(policy, ())) > self.limit(policy)

    def crowded(self) -> list[str]:
        """The policies that do."""
        return [name for name in self._spaces if self.is_crowded(name)]

    def spaces_version(self, policy: str) -> int:
        """Grows whenever a policy opens or leaves a namespace."""
        return self._space_versions[policy]

    def in_namespace(self, namespace: str) -> set[Place]:
        """The places in a namespace; those in the whole cluster for an empty one."""
        return set(self._in_namespace.get(namespace, ()))

    def with_role(self, role: str, kind: str = "ClusterRole") -> set[Place]:
        """The places that give a role."""
        return set(self._with_role.get((kind, role), ()))

    def matched(self, policy: str) -> list[GroupKey]:
        """The groups a policy means."""
        return [group for group in self._names if self._of(policy, group).matched]

    def near(self, policy: str) -> list[GroupKey]:
        """The groups a policy means, and those that it all but means."""
        return [group for group in self._names if (policy, group) in self._opened]

    def misses_of_group(self, group: GroupKey) -> Mapping[str, str]:
        """Policy -> why it doesn't mean a group that is near to it."""
        opened = ((policy, self._of(policy, group).missed) for policy in sorted(self._policies))
        return {policy: missed for policy, missed in opened if missed}

    def problems_of_policy(self, policy: str) -> Iterable[Problem]:
        """What groups under a policy can't have, before the cluster is even asked."""
        return [problem for group in self._names for problem in self._of(policy, group).problems]

    def problems_of_group(self, group: GroupKey) -> Iterable[Problem]:
        """The same for one group under all policies."""
        return [problem for policy in self._policies for problem in self._of(policy, group).problems]

    # --- inside --------------------------------------------------------------------------------------------

    def _of(self, policy: str, source: GroupKey) -> Opened:
        return self._opened.get((policy, source), _NOTHING)

    def _sources(self, policy: str) -> list[GroupKey]:
        """The groups a policy means, or its people."""
        spec = self._policies.get(policy)
        return [*self.matched(policy), *([(spec.directory, "")] if spec is not None and spec.people else [])]

    def _reopen(self, policy: str, source: GroupKey) -> None:
        for place, _ in self._opened.pop((policy, source), _NOTHING).places:
            self._close(place, source)
        opened = self._open(policy, source)
        if not (opened.matched or opened.missed):
            return
        self._opened[policy, source] = opened
        for place, opening in opened.places:
            if place not in self._openers:
                self._in_namespace[place.namespace].add(place)
                self._with_role[place.kind, place.role].add(place)
                if not place.cluster_wide:
                    self._spaces[policy][place.namespace] += 1
                    self._space_versions[policy] += 1
            self._own(place)[source] = opening

    def _open(self, policy: str, source: GroupKey) -> Opened:
        spec, names = self._policies.get(policy), self._names.get(source)
        if spec is None or spec.directory != source[0]:
            return _NOTHING
        if not source[1]:
            return places_of_people(policy, spec, self._settings, self._select)
        if names is None:
            return _NOTHING
        return places_of_group(policy, spec, names, self._settings, self._select)

    def _own(self, place: Place) -> dict[GroupKey, Opening]:
        if place in self._lent:
            self._lent.discard(place)
            self._openers[place] = dict(self._openers[place])
        return self._openers[place]

    def _select(self, selector: NamespaceSelector) -> list[str]:
        return [name for name, labels in self._labels.items() if selects(selector, labels)]

    def _close(self, place: Place, source: GroupKey) -> None:
        openers = self._own(place)
        openers.pop(source, None)
        if openers:
            return
        del self._openers[place]
        _discard(self._in_namespace, place.namespace, place)
        _discard(self._with_role, (place.kind, place.role), place)
        if not place.cluster_wide:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        spaces = self._spaces[place.policy]
        self._space_versions[place.policy] += 1
        spaces[place.namespace] -= 1
        if not spaces[place.namespace]:
            del spaces[place.namespace]
        if not spaces:
            del self._spaces[place.policy]


_NOTHING = Opened()


def _selectors(spec: PolicySpec) -> list[NamespaceSelector]:
    targets = [grant.namespaces for grant in spec.grants if grant.namespaces is not None]
    return [target.selector for target in targets if target.selector is not None]


def _selected(selector: NamespaceSelector, labels: Mapping[str, str] | None) -> bool:
    return labels is not None and selects(selector, labels)


def _discard(index: dict[K, set[Place]], key: K, place: Place) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]
