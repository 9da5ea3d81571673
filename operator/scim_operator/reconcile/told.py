"""What the audit stream tells of a binding: who came to it or left it, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scim_operator.access.bindings import Who, binding_name, content, shards_label
from scim_operator.access.places import Place
from scim_operator.api.audit import BindingChange, Role, Subject, Why
from scim_operator.directory.audit import Audit
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS
from scim_operator.reconcile.world import World

_NOBODY: frozenset[Who] = frozenset()
# How a write fails after which the binding is read anew: what came of this one, or of one before it.
_OPEN = ("unavailable", "conflict", "already_exists", "not_found")

Approved = Callable[[str, Who], bool]


@dataclass(frozen=True)
class Writing:
    """One binding about to be written. `directory`: whose people they are; `requests`: what led to it;
    `shards`: over how many bindings the place is spread; `actual`: what is there; `after`: who is to stand in
    it, if it isn't to be `gone`; `lost`: who should stand there and can't.
    """

    place: Place
    directory: str
    requests: tuple[str, ...]
    shards: int
    name: str
    actual: Mapping[str, Any] | None
    after: frozenset[Who] = _NOBODY
    gone: bool = False
    lost: frozenset[Who] = _NOBODY


class Told:
    """`approved`: whether somebody approved that a directory's person leaves or comes."""

    def __init__(self, audit: Audit, world: World, approved: Approved) -> None:
        self._audit = audit
        self._world = world
        self._approved = approved

    @contextmanager
    def writing(self, writing: Writing) -> Iterator[None]:
        """Tell of a write, once it is durable. Raises what the write raises."""
        if not self._audit.wanted:
            yield
            return
        resource = CLUSTER_ROLE_BINDINGS if writing.place.cluster_wide else ROLE_BINDINGS
        key = resource.plural, writing.place.namespace, writing.name
        seen = (writing.actual or {}).get("metadata", {}).get("resourceVersion")

        def shows(event: str | None, obj: Mapping[str, Any]) -> bool:
            if writing.gone or event == "DELETED":
                return writing.gone and event == "DELETED"
            return obj["metadata"].get("resourceVersion") != seen and content(obj).standing == writing.after

        self._audit.begin(key, self._line(writing), shows)
        try:
            yield
        except ApiError as error:
            if not any(getattr(error, kind) for kind in _OPEN):
                self._audit.drop(key)
            raise
        self._audit.done(key)

    def read_anew(self, place: Place, name: str, event: str, obj: Mapping[str, Any]) -> None:
        """How a binding is: what was written before is in it, or never will be."""
        resource = CLUSTER_ROLE_BINDINGS if place.cluster_wide else ROLE_BINDINGS
        self._audit.observe(resource, event, obj)
        self._audit.drop((resource.plural, place.namespace, name))

    def _line(self, writing: Writing) -> BindingChange:
        place, actual, after = writing.place, writing.actual, writing.after
        held = self._world.bindings_of(place).derived(writing.name, place.namespace, content)
        before = held.standing if held and actual is not None else _NOBODY
        role = actual["roleRef"] if actual is not None else {"kind": place.kind, "name": place.role}
        elsewhere = self._elsewhere(writing)
        strangers = before - held.written if held else _NOBODY
        action = "Deleted" if writing.gone else "Created" if actual is None else "Changed"
        return BindingChange.model_validate(
            {
                "action": action,
                "directory": writing.directory,
                "requests": writing.requests,
                "policy": place.policy or None,
                "grant": place.grant or None,
                "kind": "ClusterRoleBinding" if place.cluster_wide else "RoleBinding",
                "namespace": place.namespace or None,
                "object": writing.name,
                "role": Role(kind=role["kind"], name=role["name"]),
                "added": [
                    Subject(kind=who[0], name=who[1], why=self._comes(writing, who, elsewhere))
                    for who in sorted(after - before)
                ],
                "removed": [
                    Subject(kind=who[0], name=who[1], why=self._leaves(writing, who, elsewhere, strangers))
                    for who in sorted(before - after)
                ],
                "subjects": len(after),
            }
        )

    def _elsewhere(self, writing: Writing) -> list[frozenset[Who]]:
        """Who stands in the other bindings of the place."""
        spread = max(writing.shards, shards_label(writing.actual) if writing.actual else 1)
        reach = max(spread, self._world.shards(writing.place))
        if reach == 1:
            return []
        held = self._world.held(writing.place, reach)
        return [
            item.standing
            for shard, item in held.items()
            if binding_name(writing.place, shard) != writing.name
        ]

    def _comes(self, writing: Writing, who: Who, elsewhere: Collection[frozenset[Who]]) -> Why:
        if any(who in standing for standing in elsewhere):
            return "Moved"
        if self._approved(writing.directory, who):
            return "Approved"
        return "Grant" if writing.place.grant else "Policy"

    def _leaves(
        self,
        writing: Writing,
        who: Who,
        elsewhere: Collection[frozenset[Who]],
        strangers: frozenset[Who],
    ) -> Why:
        place = writing.place
        if who in strangers:
            return "Stranger"
        if who[0] == "User" and self._world.locks.denies(who[1]):
            return "Locked"
        if any(who in standing for standing in elsewhere):
            return "Moved"
        if who in writing.lost:
            return "RoleLost"
        if place.grant and self._world.at_once(place, who):
            return "GrantEnded"
        if self._approved(writing.directory, who):
            return "Approved"
        bearers = list(self._world.naming.bearers(who[1], who[0]))
        if not bearers:
            return "Gone"
        if not any(bearer.active for bearer in bearers):
            return "Disabled"
        return "Grant" if place.grant else "Policy"
