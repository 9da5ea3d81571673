"""From an event or a listing to what it concerns: places and statuses to be looked at again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain

from scim_operator.access.bindings import own_place
from scim_operator.access.places import Place
from scim_operator.api.kinds import DIRECTORY_LABEL, POLICY_LABEL
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.feed import take_in
from scim_operator.directory.records import GROUPS, RESOURCES, TYPES, USERS
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unhurried import paced
from scim_operator.kube.cache import Cache, Key, Object, essence, key_of
from scim_operator.kube.client import KubeClient, Listing
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NAMESPACES,
    ROLE_BINDINGS,
    Resource,
)
from scim_operator.reconcile.claims import namespaces_labelled, namespaces_of_template, our_namespaces
from scim_operator.reconcile.concerned import Concerned, merged
from scim_operator.reconcile.granting import Granting
from scim_operator.reconcile.identities import Identities
from scim_operator.reconcile.locking import Locking
from scim_operator.reconcile.resources import BINDINGS, GRANTS, HOLDS, LOCKS, OURS, POLICIES, TEMPLATES
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)

_DELETED = "DELETED"
# Besides what lies in namespaces, which comes last: it is compared with what all the others ask for.
LISTED = (DIRECTORIES, HOLDS, LOCKS, GRANTS, POLICIES, TEMPLATES, NAMESPACES, CLUSTER_ROLES)
# helm never adds a CRD to an older release: these may be unknown to the API server.
_MAY_BE_UNKNOWN = (TEMPLATES, LOCKS, GRANTS, HOLDS)
# When objects of these vanish, people lose access: their CRD is looked at first.
_TOLD_BY_CRD = (USERS, GROUPS, SHARDS, POLICIES, DIRECTORIES, LOCKS, GRANTS)


class Inputs:
    """Keeps the world up to date. Status-only events concern nobody: the spec's generation tells them, and of
    a group also the name its access goes by.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._locking = Locking(world)
        self._granting = Granting(world)
        self._identities = Identities(world, self._locking, self._granting)
        self._caches: Mapping[Resource, Cache] = {
            DIRECTORIES: world.directories.objects,
            POLICIES: world.policies,
            NAMESPACES: world.namespaces,
            CLUSTER_ROLES: world.roles,
            ROLE_BINDINGS: world.role_bindings,
            CLUSTER_ROLE_BINDINGS: world.cluster_role_bindings,
            TEMPLATES: world.templates,
            LOCKS: world.locks.objects,
            GRANTS: world.grants.objects,
            HOLDS: world.holds,
            **world.contents,
        }
        self._changed: Mapping[Resource, Callable[[Key], Concerned]] = {
            DIRECTORIES: self._directory,
            POLICIES: self._policy,
            NAMESPACES: self._namespace,
            CLUSTER_ROLES: self._role,
            ROLE_BINDINGS: partial(self._binding, world.role_bindings),
            CLUSTER_ROLE_BINDINGS: partial(self._binding, world.cluster_role_bindings),
            TEMPLATES: self._template,
            LOCKS: self._locking.take_in,
            GRANTS: self._granting.take_in,
            HOLDS: self._hold,
            **dict.fromkeys(world.contents, self._content),
        }
        # What those concern who turned out to be gone, until a list was whole.
        self._gone = Concerned()
        self._policy_planned: dict[str, tuple[str, int]] = {}
        self._template_planned: dict[str, tuple[str, int]] = {}

    @property
    def missing(self) -> list[str]:
        """The kinds that were never listed yet."""
        waiting = [item.plural for item, cache in self._caches.items() if not cache.listed_once]
        return waiting if self._world.index.synced else [USERS.plural, GROUPS.plural, *waiting]

    def observe(self, resource: Resource, event: str | None, obj: Object) -> Concerned:
        """One event of a watch; `event` None: the object was listed when the watch began."""
        if event == _DELETED and resource in _TOLD_BY_CRD:
            self._world.vanished.add(resource)
        if resource in (USERS, GROUPS):
            return self._identities.observe(event, obj)
        if resource == SHARDS:
            return self._identities.observe_shard(event, obj)
        if resource in self._world.contents:
            return self._observe_content(resource, event, obj)
        cache = self._caches[resource]
        # A label that was stripped or changed: the place that the binding stood for is concerned as well.
        former = cache.get(key_of(obj)[1], key_of(obj)[0]) if resource in BINDINGS else None
        before = self._binding_itself(former) if former else Concerned()
        if event == _DELETED:
            # A namespace may be unused without it, and there may be room for another one.
            turned = self._world.limits.around(partial(_remove, cache, obj))
            left = Concerned(turned, unhurried={key_of(obj)[0]} - {""} if resource in BINDINGS else set())
            return before | left | self._changed[resource](key_of(obj))
        return before | self._changed[resource](key_of(obj)) if cache.hear(obj) else Concerned()

    async def list_all(self, client: KubeClient) -> Concerned:
        """List every input as it is now. Raises ApiError: what was found by then comes with the next list."""
        with self._world.index.echoes.listing():
            await self._take_in(client)
            listings = await self._list_others(client)
        return merged([self._take_in_others(listings), await self._changed_identities()])

    async def list_identities(self, client: KubeClient) -> Concerned:
        """Users, groups and shards alone."""
        with self._world.index.echoes.listing():
            await self._take_in(client)
        return await self._changed_identities()

    async def list_others(self, client: KubeClient) -> Concerned:
        """All but users, groups and shards, which the index knows from a list of this term already."""
        listings = await self._list_others(client)
        return self._take_in_others(listings) | await self._changed_identities()

    async def _list_others(self, client: KubeClient) -> list[tuple[Resource, Listing | None]]:
        within = (*self._world.contents, *BINDINGS)
        return [
            *[(resource, await self._listing(client, resource)) for resource in LISTED],
            *[(resource, await self._listing(client, resource, OURS)) for resource in within],
        ]

    async def _take_in(self, client: KubeClient) -> None:
        gone = await take_in(self._world.index, client)
        self._world.vanished |= {RESOURCES[record.type] for record in gone}
        for record in [*gone, *self._world.index.departed()]:
            self._gone.update(self._identities.gone(record))

    async def _changed_identities(self) -> Concerned:
        concerned, self._gone = self._gone, Concerned()
        for kind in RESOURCES:
            async for record in paced(list(self._world.index.records(kind))):
                concerned.update(self._identities.changed(record))
        return concerned

    def _take_in_others(self, listings: Iterable[tuple[Resource, Listing | None]]) -> Concerned:
        concerned = []
        self._world.unlisted = {resource for resource, listing in listings if listing is None}
        self._world.unlisted |= {SHARDS} if self._world.index.shards.unknown else set()
        self._world.vanished |= self._world.unlisted & {HOLDS, LOCKS, GRANTS, SHARDS}
        for resource, found in listings:
            listing = found or Listing([], "0")
            changed = self._caches[resource].listed(listing.items, listing.resource_version)
            if resource in _TOLD_BY_CRD and any(
                self._caches[resource].get(name) is None for _, name in changed
            ):
                self._world.vanished.add(resource)
            concerned += [self._changed[resource](key) for key in changed]
        return merged(concerned)

    async def _listing(self, client: KubeClient, resource: Resource, selector: str = "") -> Listing | None:
        """None: its CRD isn't there, and so are none of its objects."""
        try:
            return await client.list(resource, selector=selector)
        except ApiError as error:
            if not error.not_found or resource not in (*_MAY_BE_UNKNOWN, *self._world.contents):
                raise
            log.warning("the API server doesn't know %s.%s", resource.plural, resource.group)
            return None

    @property
    def unlisted(self) -> frozenset[Resource]:
        """The kinds that the API server didn't know at the last listing: nobody can tell what they hold."""
        return frozenset(self._world.unlisted)

    @property
    def seconds_to_next_end(self) -> float:
        """How long until something ends that has a time to end; infinite for never."""
        ends = self._world.locks.next_end(), self._world.grants.next_end()
        return max(0.0, min(ends) - self._world.now())

    def time_passed(self) -> Concerned:
        """What ends at a time has no event of its own."""
        return self._locking.look_again() | self._granting.look_again()

    def everything(self) -> Concerned:
        """All places that are wanted or exist, and all statuses but those of people and groups."""
        places = self._world.routes.places()
        statuses = set()
        for binding in chain(self._world.role_bindings, self._world.cluster_role_bindings):
            places |= self._binding_itself(binding).places
        for resource in (DIRECTORIES, POLICIES, TEMPLATES, LOCKS):
            statuses |= {Subject(resource, key_of(obj)[1]) for obj in self._caches[resource]}
        spaces = our_namespaces(self._world)
        renamed = set(self._world.routes.renamed)
        return Concerned(places, statuses, spaces, renamed=renamed) | self._granting.everything()

    def everybody(self) -> list[Subject]:
        """The statuses of all people and groups."""
        records = self._world.index.records
        return [Subject(where, record.name) for kind, where in RESOURCES.items() for record in records(kind)]

    # --- everything else -----------------------------------------------------------------------------------

    def _directory(self, key: Key) -> Concerned:
        name = key[1]
        before = self._world.directories.get(name)
        self._world.directories.refresh(name)
        spec = self._world.directories.get(name)
        if spec == before:
            return Concerned(set(), {Subject(DIRECTORIES, name)} if before is None else set(), ledgers={name})
        places = {
            place
            for place in self._world.routes.places()
            if any(directory == name for directory, _ in self._world.routes.openers(place))
        }
        self._world.rosters.forget_names()
        people = {Subject(USERS, user.name) for user in self._world.index.all(name, USER.name)}
        for kind in TYPES.values():
            for record in self._world.index.all(name, kind):
                people |= self._identities.name(record)
        policies = {Subject(POLICIES, policy) for policy in self._world.routes.in_directory(name)}
        spaces = namespaces_labelled(self._world, DIRECTORY_LABEL, name)
        for policy in self._world.routes.in_directory(name):
            spaces |= namespaces_labelled(self._world, POLICY_LABEL, policy)
        locking = self._locking.look_again() | self._granting.directory_changed(name)
        statuses = {Subject(DIRECTORIES, name), *people, *policies, *self._locking.statuses()}
        renamed = {group for group in self._world.routes.renamed if group[0] == name}
        concerned = locking | Concerned(places, statuses, spaces, ledgers={name}, renamed=renamed)
        if (spec and spec.protected.groups) == (before and before.protected.groups):
            return concerned
        groups = list(self._world.index.all(name, GROUP.name))
        return merged([concerned, *map(self._identities.group_changed, groups)])

    def _policy(self, key: Key) -> Concerned:
        name = key[1]
        policy = self._world.policies.get(name)
        state = (policy["metadata"]["uid"], policy["metadata"]["generation"]) if policy else ("", 0)
        if self._policy_planned.get(name) == state:
            return Concerned()
        self._policy_planned[name] = state
        groups = set(self._world.routes.near(name))
        places = self._world.set_policy(name) | self._world.bound_by(name)
        groups |= set(self._world.routes.near(name))
        spaces = namespaces_labelled(self._world, POLICY_LABEL, name)
        statuses = {Subject(POLICIES, name), *self._group_statuses(groups), *self._locking.statuses()}
        return Concerned(places, statuses, spaces, renamed=set(self._world.routes.renamed))

    def _hold(self, key: Key) -> Concerned:
        return Concerned(set(), {Subject(DIRECTORIES, key[1])}, ledgers={key[1]})

    def _template(self, key: Key) -> Concerned:
        name = key[1]
        template = self._world.templates.get(name)
        state = (template["metadata"]["uid"], template["metadata"]["generation"]) if template else ("", 0)
        if self._template_planned.get(name) == state:
            return Concerned()
        self._template_planned[name] = state
        self._world.set_template(name)
        return Concerned(set(), {Subject(TEMPLATES, name)}, namespaces_of_template(self._world, name))

    def _content(self, key: Key) -> Concerned:
        return Concerned(unhurried={key[0]})

    def _observe_content(self, resource: Resource, event: str | None, obj: Object) -> Concerned:
        """A quota's status moves with every pod: only what somebody else changed counts."""
        cache, (namespace, name) = self._world.contents[resource], key_of(obj)
        before = essence(cache.get(name, namespace))
        if event == _DELETED:
            cache.remove(obj)
        else:
            cache.hear(obj)
        return Concerned() if essence(cache.get(name, namespace)) == before else self._content(key_of(obj))

    def _namespace(self, key: Key) -> Concerned:
        namespace = self._world.namespaces.get(key[1])
        labels = (namespace["metadata"].get("labels") or {}) if namespace else None
        routes = self._world.routes
        before = routes.in_namespace(key[1])
        openers = {group for place in before for group in routes.openers(place)}
        # What a name gives is a matter of selectors, and of whose a namespace is.
        renamed = set(routes.renamed)
        places = self._world.limits.around(lambda: routes.set_namespace(key[1], labels))
        places |= self._world.grants.places_in(key[1])
        if before == routes.in_namespace(key[1]):
            return Concerned(places, unhurried={key[1]}, renamed=renamed)
        # A selector has found or lost it: a place that nobody opens any more leads to no group.
        openers |= {group for place in places for group in routes.openers(place)}
        return Concerned(places, self._group_statuses(openers), {key[1]}, renamed=renamed)

    def _role(self, key: Key) -> Concerned:
        return Concerned(self._world.routes.with_role(key[1]) | self._world.grants.with_role(key[1]))

    def _binding(self, cache: Cache, key: Key) -> Concerned:
        binding = cache.get(key[1], key[0])
        return self._binding_itself(binding) if binding else Concerned()

    def _binding_itself(self, binding: Object) -> Concerned:
        place = own_place(binding)
        if place is None:
            return Concerned()
        self._world.saw_binding(place, binding)
        return Concerned({place})

    def _group_statuses(self, groups: Iterable[GroupKey]) -> set[Subject]:
        found = (self._world.group(key) for key in groups)
        return {Subject(GROUPS, group.name) for group in found if group is not None}


def _remove(cache: Cache, obj: Object) -> set[Place]:
    cache.remove(obj)
    return set()
