"""Which places a policy opens for one group, or for the people it means. Nothing here looks at a cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from scim_operator.access.misses import missed
from scim_operator.access.patterns import AmbiguousError, capture_names, fill, match
from scim_operator.access.places import (
    LITERAL,
    Creation,
    Opened,
    Opening,
    Place,
    RoleKind,
    Selected,
    Settings,
    widest,
)
from scim_operator.access.problems import Problem, quoted
from scim_operator.access.selectors import in_words
from scim_operator.api.durations import seconds
from scim_operator.api.policy import (
    Grant,
    GroupSelector,
    NamespaceCreation,
    NamespaceSelector,
    NamespaceTarget,
    PolicySpec,
)

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

_SELECTED = Opening(captured=False, selected=True)

Captures = Mapping[str, str]
Where = Mapping[str, list[str]]
# The names of the namespaces that a selector selects now.
Select = Callable[[NamespaceSelector], Iterable[str]]


@dataclass(frozen=True)
class GroupNames:
    """What a policy knows a group by.

    `granted_as`: the name its access goes by wherever renames are held; empty: it has none and opens nothing
    there; None: that is still to be written. `protected`: its displayName is followed nowhere unasked.
    """

    display_name: str
    external_id: str = ""
    granted_as: str | None = None
    protected: bool = False

    def under(self, selector: GroupSelector) -> str:
        """The name that counts for a policy; empty: it has none."""
        if self.granted_as is None or self._is_followed(selector):
            return self.display_name
        return self.granted_as

    def is_settled(self, selector: GroupSelector) -> bool:
        """False while the name that counts isn't written: until then nobody may be added because of it."""
        return self.granted_as is not None or self._is_followed(selector)

    def _is_followed(self, selector: GroupSelector) -> bool:
        by_id = selector.external_ids is not None
        return by_id or (selector.on_rename == "Follow" and not self.protected)


def places_of_group(
    policy: str, spec: PolicySpec, group: GroupNames, settings: Settings, select: Select
) -> Opened:
    """The places that a group opens under a valid policy over groups."""
    if spec.groups is None:
        return Opened()
    name = group.under(spec.groups)
    shown = f"group {quoted(name)}"
    try:
        captures = _captures(spec.groups, name, group.external_id)
    except AmbiguousError as error:
        message = f"{shown} can be read in two ways ({error}) and grants nothing"
        return Opened(True, (), (Problem("Ambiguous", "TwoSplits", message),))
    if captures is None:
        return Opened(missed=_missed(spec.groups, name))
    return _opened(policy, spec, shown, captures, settings, select)


def places_of_people(policy: str, spec: PolicySpec, settings: Settings, select: Select) -> Opened:
    """The places that a valid policy over people opens for them."""
    if spec.people is None:
        return Opened()
    return _opened(policy, spec, "people.filter", {}, settings, select)


def _captures(selector: GroupSelector, name: str, external_id: str) -> Captures | None:
    if selector.external_ids is not None:
        return {} if external_id in selector.external_ids else None
    return match(selector.display_name or "", selector.where, name) if name else None


def _missed(selector: GroupSelector, name: str) -> str:
    if selector.display_name is None or not name:
        return ""
    return missed(selector.display_name, selector.where, name)


def _opened(
    policy: str, spec: PolicySpec, shown: str, captures: Captures, settings: Settings, select: Select
) -> Opened:
    places: dict[Place, Opening] = {}
    problems = []
    selected = set()
    for grant in spec.grants:
        kind, role = _role(grant, captures)
        if grant.namespaces is not None and grant.namespaces.selector is not None:
            selected.add(Selected(kind, role, in_words(grant.namespaces.selector)))
        for target in _targets(grant, shown, captures, spec.where, settings, select):
            if isinstance(target, Problem):
                problems.append(target)
                continue
            namespace, opening = target
            place = Place(policy, role, namespace, kind)
            places[place] = widest([opening, *([places[place]] if place in places else [])])
    return Opened(True, tuple(places.items()), tuple(problems), selected=frozenset(selected))


def _targets(
    grant: Grant, shown: str, captures: Captures, where: Where, settings: Settings, select: Select
) -> Iterator[tuple[str, Opening] | Problem]:
    target = grant.namespaces
    if target is None:
        yield "", LITERAL
    elif target.name is not None:
        yield _named(target, target.name, shown, captures, where, settings)
    elif target.names is not None:
        for name in target.names:
            yield name, LITERAL
    elif target.selector is not None:
        for name in select(target.selector):
            if not settings.is_protected(name):
                yield name, _SELECTED


def _named(
    target: NamespaceTarget, template: str, shown: str, captures: Captures, where: Where, settings: Settings
) -> tuple[str, Opening] | Problem:
    namespace = fill(template, captures)
    captured = bool(capture_names(template))
    if len(namespace) > 63 or not _NAMESPACE.fullmatch(namespace):
        message = f"{shown} would need a namespace {namespace!r}, which is no valid name"
        return Problem("NamespaceMissing", "InvalidName", message)
    if captured and settings.is_protected(namespace):
        message = (
            f"{shown} names the protected namespace {namespace!r} and grants nothing there; "
            "rename the group in the provider"
        )
        return Problem("Conflict", "ProtectedNamespace", message)
    try:
        match(template, where, namespace)
    except AmbiguousError as error:
        message = (
            f"{shown} would open namespace {namespace!r}, which other groups could mean as well ({error}); "
            "nothing is granted there: limit a capture by groups.where, or part them by something that is in "
            "no name, such as {a}--{b}"
        )
        return Problem("Ambiguous", "TwoSplits", message)
    creations = frozenset([_creation(target.create)] if target.create is not None else [])
    return namespace, Opening(captured, creations)


def creations_of(spec: PolicySpec, namespace: str) -> frozenset[Creation]:
    """How a valid policy would make a namespace of that name, for whichever group or people."""
    targets = [grant.namespaces for grant in spec.grants if grant.namespaces is not None]
    return frozenset(
        _creation(target.create)
        for target in targets
        if target.create is not None and _may_mean(target.name or "", spec, namespace)
    )


def _may_mean(template: str, spec: PolicySpec, namespace: str) -> bool:
    if not capture_names(template):
        return template == namespace
    try:
        return match(template, spec.where, namespace) is not None
    except AmbiguousError:
        return True


def _creation(create: NamespaceCreation) -> Creation:
    after = seconds(create.after) if create.after is not None else math.inf
    return Creation(create.template or "", create.adopt, after)


def _role(grant: Grant, captures: Captures) -> tuple[RoleKind, str]:
    """A literal name is taken as it stands: role names are case-sensitive."""
    kind: RoleKind = "ClusterRole" if grant.role is None else "Role"
    template = grant.role or grant.cluster_role or ""
    names = capture_names(template)
    return kind, captures[next(iter(names))] if names else template
