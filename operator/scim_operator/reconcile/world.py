"""All that planning depends on, as last seen. Nothing is planned before every part has been listed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from pydantic import ValidationError

from scim_operator.access.bindings import (
    Content,
    SubjectKind,
    Who,
    binding_name,
    content,
    gives,
    grant_uid,
    kept,
    own_place,
    shard_of,
    shards_label,
)
from scim_operator.access.ledger import is_frozen_without
from scim_operator.access.places import LITERAL, Place, Settings, widest
from scim_operator.access.plan import Facts
from scim_operator.access.shards import shard_count
from scim_operator.access.subjects import Refused
from scim_operator.access.templates import read_template
from scim_operator.access.validity import invalid
from scim_operator.api.kinds import POLICY_LABEL
from scim_operator.api.policy import PolicySpec
from scim_operator.api.template import TemplateSpec
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record, Revision
from scim_operator.kube.cache import Cache, content_only, metadata_only
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.last_names import LastNames
from scim_operator.reconcile.limits import Limits
from scim_operator.reconcile.locks import Locks
from scim_operator.reconcile.looking_on import directory_of, kind_in, looked_on
from scim_operator.reconcile.naming import Naming
from scim_operator.reconcile.people import People
from scim_operator.reconcile.resources import CONTENTS, GRANTS
from scim_operator.reconcile.rosters import Rosters
from scim_operator.reconcile.routes import GroupKey, Routes
from scim_operator.reconcile.timed import TimedGrants
from scim_operator.reconcile.unknown import with_staying
from scim_operator.reconcile.weights import Weights
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)

T = TypeVar("T")


class World:
    """People, policies, directories, locks, namespaces, roles and our bindings. `now`: seconds since 1970."""

    def __init__(
        self,
        index: Index,
        directories: Directories,
        settings: Settings,
        template_kinds: Sequence[Resource] = (),
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.index = index
        self.now = now
        self.settings = settings
        self.directories = directories
        self.naming = Naming(index, directories)
        self.routes = Routes(settings)
        self.people = People(index)
        self.weights = Weights(self.naming, self.people)
        self.rosters = Rosters(index, self.people, self.subject)
        self.holds = Cache()
        self.locks = Locks(index, LastNames(self.naming, self.holds).name, now)
        self.grants = TimedGrants(index, self.people, self.rosters, self.subject, settings.longest_grant, now)
        self.policies = Cache()
        self.namespaces = Cache(metadata_only)
        self.roles = Cache(metadata_only)
        self.role_bindings, self.cluster_role_bindings = Cache(kept), Cache(kept)
        self.invalid_policies: dict[str, str] = {}
        # The policies that only look on, and in a rehearsal those of them that are taken to be in force.
        self.previewed: set[str] = set()
        self.enforced: frozenset[str] = frozenset()
        # Whether places would have bindings: where a rehearsal has come to something.
        self.rehearsed: dict[Place, bool] = {}
        self.limits = self._limits()
        # The kinds of our own of which objects vanished; perhaps because their CRD is going.
        self.vanished: set[Resource] = set()
        self.templates = Cache()
        self.template_specs: dict[str, TemplateSpec] = {}
        self.invalid_templates: dict[str, str] = {}
        # What templates put into namespaces, as far as it bears our label.
        self.contents = {resource: Cache(content_only) for resource in (*CONTENTS, *template_kinds)}
        # Kinds that the API server doesn't know (their CRD isn't there): what they would say is unknown.
        self.unlisted: set[Resource] = set()
        # (type, uid) of users and groups -> the revision whose event was taken in last.
        self.taken_in: dict[tuple[str, str], Revision] = {}
        # Over how many bindings a place is spread, where these are several: the most that any of them tells.
        self._shards: dict[Place, int] = {}

    def shadow(self, enforced: frozenset[str]) -> World:
        """The same people and bindings, with namespaces of its own, in which these policies are in force."""
        made = copy(self)
        made.enforced = enforced
        made.rehearsed = {}
        made.routes = self.routes.copy()
        made.namespaces = self.namespaces.copy()
        made.limits = made._limits()
        return made

    def _limits(self) -> Limits:
        caches = self.role_bindings, self.cluster_role_bindings
        return Limits(self.routes, self._is_bound, lambda: sum(cache.population for cache in caches))

    # --- people --------------------------------------------------------------------------------------------

    def group(self, key: GroupKey) -> Record | None:
        """The group, or None when it is gone."""
        return self.index.get(key[0], GROUP.name, key[1])

    def subject(self, record: Record) -> str | Refused:
        """How a person or group is named in bindings; Refused when they can't be, or lack their directory."""
        return self.naming.name(record)

    def subjects_of(self, policy: str, source: GroupKey, kind: SubjectKind) -> frozenset[str]:
        """Who stands in bindings for a group: its active members, or itself; without those refused."""
        if kind == "User":
            return self.rosters.of(policy, source)
        group = self.group(source)
        name = self.subject(group) if group is not None else None
        return frozenset({name} if isinstance(name, str) else ())

    def places_of(self, record: Record) -> set[Place]:
        """The places that a person belongs to by their groups and by filters, or that a group opens."""
        groups = {(record.directory, record.id)}
        places: set[Place] = set()
        if record.type == USER.name:
            groups = self.people.groups_around(record.directory, record.id)
            for policy in self.people.policies_of(record.id):
                places |= self.routes.of_policy(policy)
        places |= self.grants.places_of(record)
        return places.union(*(self.routes.of_group(group) for group in groups))

    def at_once(self, place: Place, who: Who) -> bool:
        """True when nothing may keep somebody at a place for a moment longer: they are locked, or were given
        it by an AccessGrant that gives it nothing any more, or by a former one of its name.
        """
        return (
            (who[0] == "User" and self.locks.denies(who[1]))
            or self.is_over(place)
            or (bool(place.grant) and self._is_left_over(place, who))
        )

    def _is_left_over(self, place: Place, who: Who) -> bool:
        held = self.held(place)
        former = (shard for shard, item in self.bindings(place).items() if self.is_former(place, item))
        return any(shard in held and who in held[shard].standing for shard in former)

    def is_former(self, place: Place, binding: Mapping[str, Any]) -> bool:
        """True for the binding of an AccessGrant that was replaced by another one of its name. A binding that
        doesn't tell, written by an older release, counts as the living one's.
        """
        written, living = grant_uid(binding), self.grants.uid(place) if place.grant else ""
        return bool(written and living) and written != living

    def is_over(self, place: Place) -> bool:
        """True for a place of an AccessGrant that has ended or is gone, is another one now, can't be read or
        would last for too long; not while nobody knows of any.
        """
        if not place.grant or GRANTS in self.unlisted:
            return False
        lost = self.grants.objects.get(place.grant) is None and self.is_unrestored(GRANTS)
        return not lost and self.grants.at(place) is None

    def is_unrestored(self, resource: Resource) -> bool:
        """True while a directory is frozen since a kind was gone: of its objects some may yet come back."""
        kind = f"{resource.plural}.{resource.group}"
        return any(is_frozen_without(kind, hold.get("status") or {}) for hold in self.holds)

    # --- policies ------------------------------------------------------------------------------------------

    def set_policy(self, name: str) -> set[Place]:
        """Take in the cached policy of that name, or its absence. -> the places concerned."""
        obj = self.policies.get(name)
        self.invalid_policies.pop(name, None)
        self.previewed.discard(name)
        if obj is not None and obj["spec"].get("enforcement") == "Preview":
            self.previewed.add(name)
        self.rosters.forget_policy(name)
        if obj is None:
            self.people.look_for(name, None)
            return self.limits.around(lambda: self.routes.set_policy(name, None))
        try:
            spec = PolicySpec.model_validate(obj["spec"])
            wrong = invalid(spec)
        except ValidationError as error:
            first = error.errors()[0]
            spec, wrong = None, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        if wrong is not None:
            # The CRD's rules let next to nothing of this through.
            log.warning("AccessPolicy %s is invalid and grants nothing: %s", name, wrong)
            self.invalid_policies[name] = wrong
            spec = None
        self.people.look_for(name, spec)
        return self.limits.around(lambda: self.routes.set_policy(name, spec))

    def is_previewed(self, policy: str) -> bool:
        """True for a policy that only looks on, of which nothing is carried out."""
        return policy in self.previewed and policy not in self.enforced

    def set_template(self, name: str) -> None:
        """Take in the cached template of that name, or its absence."""
        self.template_specs.pop(name, None)
        self.invalid_templates.pop(name, None)
        obj = self.templates.get(name)
        if obj is None:
            return
        read = read_template(obj)
        if isinstance(read, str):
            log.warning("NamespaceTemplate %s is invalid and not used: %s", name, read)
            self.invalid_templates[name] = read
        else:
            self.template_specs[name] = read

    # --- places --------------------------------------------------------------------------------------------

    def facts(self, place: Place, role_exists: bool | None = None) -> Facts:
        """What is known about a place at this moment. `role_exists`: asked just now; None: as watched."""
        openers = self.routes.openers(place)
        kind, subjects, shards = self.kind(place), self.subjects_at(place), self.shards(place)
        # Somebody else's may have the name of a shard that is still to come.
        bindings = self.bindings(place, max(shards, shard_count(shards, kind, subjects)))
        directory = self._directory_at(place) or directory_of(bindings.values())
        if place.grant:
            openings = [LITERAL] if self.grants.at(place) is not None else []
        else:
            openings = list(openers.values())
        opening = widest(openings) if openings else None
        facts = Facts(
            directory=directory,
            directory_exists=opening is None or self.directories.get(directory) is not None,
            opening=opening,
            kind=kind,
            subjects=subjects,
            anybody=bool(place.grant or (subjects and kind == "User"))
            or any(True for key in openers for _ in self.people.active(place.policy, key)),
            namespace=self.namespaces.get(place.namespace),
            role_exists=place.role in self.roles if role_exists is None else role_exists,
            bindings=bindings,
            shards=shards,
            limit=self.limits.refused(place),
            closed=self.settings.is_closed(place.namespace),
        )
        if not self.is_previewed(place.policy):
            return facts
        facts = looked_on(place, facts, self.held(place), self._may_stay)
        exists = not facts.ours or self.directories.get(facts.directory) is not None
        return replace(facts, directory_exists=exists)

    def _may_stay(self, place: Place, who: Who, directory: str) -> bool:
        """False for somebody disabled, deleted, renamed, or locked."""
        if self.at_once(place, who):
            return False
        return any(record.directory == directory for record in self.naming.called(who[1], who[0]))

    def _is_bound(self, policy: str, namespace: str) -> bool:
        places = (place for place in self.routes.in_namespace(namespace) if place.policy == policy)
        return any(self.rehearsed.get(place, bool(self.held(place))) for place in places)

    def is_ahead(self, place: Place) -> bool:
        """True while the index knows more of a group that opens a place than its last event told.

        What SCIM writes is in the index at once, and where a group leads to only with its event: in between
        its new members would be taken for those of its old name.
        """
        granted = self.grants.group_of(place)
        groups = (self.group(key) for key in (*self.routes.openers(place), *([granted] if granted else [])))
        return any(
            self.taken_in.get((group.type, group.uid)) != group.revision
            for group in groups
            if group is not None
        )

    def places_in(self, namespace: str) -> set[Place]:
        """The places that are opened in a namespace, or have bindings there."""
        cache = self.role_bindings if namespace else self.cluster_role_bindings
        found = map(own_place, cache.within(namespace))
        opened = self.routes.in_namespace(namespace) | self.grants.places_in(namespace)
        return opened | {place for place in found if place is not None}

    def bound_places(self) -> Iterator[tuple[Place, str]]:
        """The places that have bindings of ours, and whose people stand there."""
        for binding in chain(self.role_bindings, self.cluster_role_bindings):
            place = own_place(binding)
            if place is not None:
                self.saw_binding(place, binding)
                yield place, directory_of([binding]) or self._directory_at(place)

    def places_of_directory(self, directory: str) -> set[Place]:
        """The places that its groups or people open."""
        opened = {place for place in self.routes.places() if self._directory_at(place) == directory}
        return opened | self.grants.of_directory(directory)

    def _directory_at(self, place: Place) -> str:
        grant = self.grants.get(place.grant) if place.grant else None
        if grant is not None:
            return grant.spec.directory
        return next((key[0] for key in self.routes.openers(place)), "")

    def bound_by(self, policy: str) -> set[Place]:
        """The places that a policy has bindings at, whether it opens them still or not."""
        every = chain(self.role_bindings, self.cluster_role_bindings)
        theirs = (
            item for item in every if (item["metadata"].get("labels") or {}).get(POLICY_LABEL) == policy
        )
        return {place for place in map(own_place, theirs) if place is not None}

    def bindings_of(self, place: Place) -> Cache:
        """Where the bindings of a place are kept."""
        return self.cluster_role_bindings if place.cluster_wide else self.role_bindings

    def bindings(self, place: Place, shards: int = 0) -> dict[int, Mapping[str, Any]]:
        """By shard, what is there under the names that a place gives its bindings, whoever made it."""
        return self._by_shard(place, shards, self.bindings_of(place).get)

    def held(self, place: Place, shards: int = 0) -> dict[int, Content]:
        """By shard, what those of them hold that are ours."""
        read = partial(self.bindings_of(place).derived, make=content)
        return {shard: held for shard, held in self._by_shard(place, shards, read).items() if held.ours}

    def _by_shard(self, place: Place, shards: int, read: Callable[[str, str], T | None]) -> dict[int, T]:
        """`shards` 0: as many as there are known to be."""
        numbers = range(shards or self.shards(place))
        found = ((shard, read(binding_name(place, shard), place.namespace)) for shard in numbers)
        return {shard: item for shard, item in found if item is not None}

    def standing(self, place: Place) -> frozenset[Who]:
        """Who stands in the bindings of a place, strangers too."""
        return frozenset().union(*(held.standing for held in self.held(place).values()))

    def written(self, place: Place, shards: int = 0) -> dict[int, frozenset[Who]]:
        """By shard, whom we put into the bindings of a place and who stands there still."""
        bindings, held = self.bindings(place, shards), self.held(place, shards)
        return {shard: found.written for shard, found in held.items() if gives(bindings[shard], place)}

    def shards(self, place: Place) -> int:
        """Over how many bindings a place is spread."""
        return self._shards.get(place, 1)

    def saw_binding(self, place: Place, binding: Mapping[str, Any]) -> None:
        """A binding of ours was seen, perhaps one of a shard that wasn't known."""
        shard = shard_of(place, binding) or 0
        count = max(shards_label(binding), 1 << shard.bit_length())
        if count > self.shards(place):
            self._shards[place] = count

    def settled(self, place: Place, shards: int, reach: int) -> None:
        """A place is spread over so many bindings now. Others may be left that had to stay, up to `reach` or,
        where one was seen meanwhile, beyond.
        """
        last = max(self.held(place, max(reach, self.shards(place))), default=0)
        count = max(shards, 1 << last.bit_length())
        self._shards.pop(place, None)
        if count > 1:
            self._shards[place] = count

    def kind(self, place: Place) -> SubjectKind:
        """What stands in the place's bindings; for a policy that is gone, what stands there still."""
        if place.grant:
            return "User"
        return self.routes.subject_kind(place.policy) or kind_in(self.bindings(place).values())

    def subjects_at(self, place: Place) -> frozenset[str]:
        """Who should stand in the place's bindings, as far as people, groups and locks are concerned."""
        if place.grant:
            return self.locks.without(with_staying(self, place, self.grants.subjects(place)))
        kind = self.kind(place)
        found = [self.subjects_by(place, key, kind) for key in self.routes.openers(place)]
        everybody = found[0] if len(found) == 1 else frozenset().union(*found)
        return self.locks.without(everybody) if kind == "User" else everybody

    def subjects_by(self, place: Place, source: GroupKey, kind: SubjectKind) -> frozenset[str]:
        """Those of them that one of its openers brings, locked ones too."""
        subjects = self.subjects_of(place.policy, source, kind)
        subjects = with_staying(self, place, subjects, source) if kind == "User" else subjects
        # Nobody is added before the name is written; nor does anybody leave because it isn't.
        if self.routes.is_settled(place.policy, source):
            return subjects
        return subjects & {who[1] for who in self.standing(place) if who[0] == kind}
