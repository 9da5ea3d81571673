"""From users, groups and the shards of groups, as they come, change and go, to what is concerned by it."""

from __future__ import annotations

from collections.abc import Mapping

from scim_operator.access.grants import GroupNames
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.members import NOBODY, difference
from scim_operator.directory.records import GROUPS, TYPES, USERS, Record
from scim_operator.kube.cache import Object
from scim_operator.reconcile.concerned import Concerned, merged
from scim_operator.reconcile.granting import Granting
from scim_operator.reconcile.locking import Locking
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.routes import GroupKey
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World
from scim_operator.scim.schemas import GROUP, USER

_DELETED = "DELETED"


class Identities:
    """Keeps what the world knows of people and groups up to date."""

    def __init__(self, world: World, locking: Locking, granting: Granting) -> None:
        self._world = world
        self._locking = locking
        self._granting = granting
        # Groups as they were when last taken in.
        self._seen: dict[GroupKey, Record] = {}

    def observe(self, event: str | None, obj: Object) -> Concerned:
        """One event of a ScimUser or ScimGroup; `event` None: it was listed when the watch began."""
        if event == _DELETED:
            metadata = obj["metadata"]
            kind = TYPES[obj["kind"]]
            known = self._world.index.evict(kind, metadata["name"], metadata["uid"])
            # Our own DELETE has evicted it before this event came; what it was is in the event.
            record = known or self._world.index.readable(obj)
            return self.gone(record) if record else Concerned()
        known = self._world.index.put(obj)
        former = [self.gone(record) for record in self._world.index.departed()]
        return merged([*former, self.changed(known) if known else Concerned()])

    def observe_shard(self, event: str | None, obj: Object) -> Concerned:
        """One event of a ScimGroupShard."""
        index, metadata = self._world.index, obj["metadata"]
        if event == _DELETED:
            index.evict_shard(metadata["name"], metadata["uid"])
            # Whoever found it missing first has evicted it, and told nobody.
            group = index.get(obj["spec"]["directory"], GROUP.name, obj["spec"]["group"])
        else:
            group = index.put_shard(obj)
        return self.changed(group) if group is not None else Concerned()

    def changed(self, record: Record) -> Concerned:
        """A user or group is new or changed, unless only its status is."""
        if self._world.taken_in.get((record.type, record.uid)) == record.revision:
            return Concerned()
        self._world.taken_in[record.type, record.uid] = record.revision
        if record.type == USER.name:
            return self._user(record)
        return self.group_changed(record)

    def group_changed(self, group: Record) -> Concerned:
        """A group is to be looked at again."""
        return self._group(group, self._world.naming.policies_know(group), group.members)

    def gone(self, record: Record) -> Concerned:
        """A user or group is there no more."""
        self._world.taken_in.pop((record.type, record.uid), None)
        if record.type == USER.name:
            return self._user(record)
        successor = self._world.group((record.directory, record.id))
        if successor is not None:  # restored under the same id
            return self.group_changed(successor)
        return self._group(record, None, {})

    def _user(self, user: Record) -> Concerned:
        sharing = self.name(user)
        locking = self._locking.person_changed(user) | self._granting.changed(user)
        routes, people = self._world.routes, self._world.people
        found = people.look_at(user.directory, user.id, routes.over_people(user.directory))
        groups = people.groups_around(user.directory, user.id)
        self._world.rosters.person_changed(user.directory, user.id, groups, found)
        # Who is in a group of which shards are missing nobody knows: perhaps they are.
        perhaps = people.unknown(user.directory)
        places = {place for group in groups | perhaps for place in routes.of_group(group)}
        if perhaps:
            granted = self._world.grants
            places |= {p for p in granted.of_directory(user.directory) if granted.group_of(p) in perhaps}
        places |= {place for policy in found for place in routes.of_policy(policy)}
        policies = found | {policy for group in groups for policy in self._binding_groups(group)}
        return locking | Concerned(
            places,
            {Subject(USERS, user.name), Subject(DIRECTORIES, user.directory)}
            | sharing
            | self._locking.statuses_on([user])
            | {Subject(POLICIES, policy) for policy in policies},
            people={(user.directory, user.id)},
            ledgers={user.directory} if people.first_or_last(user.directory) else set(),
        )

    def _group(self, group: Record, names: GroupNames | None, members: Mapping[str, None]) -> Concerned:
        self.name(group)
        key = _key(group)
        seen = self._seen.pop(key, None)
        if names is not None:
            self._seen[key] = group
        routes, rosters = self._world.routes, self._world.rosters
        moved = difference(seen.members if seen else NOBODY, members)
        if seen and not moved and routes.names_of(key) == names and seen.is_whole == group.is_whole:
            # What was to come to its shards has come, or its description is another one.
            renamed = {key} if key in routes.renamed else set()
            return Concerned(set(), {Subject(GROUPS, group.name)}, renamed=renamed)
        around = self._world.people.groups_around(group.directory, group.id)
        rosters.members_changed(key, moved, members)
        for other in around if names is not None else {*around, key}:
            rosters.forget_group(other)
        changed = routes.names_of(key) != names
        held = key in routes.renamed
        policies, bound = routes.policies_of(key), self._binding_groups(key)
        places = {place for other in around for place in routes.of_group(other)}
        places |= self._world.limits.around(lambda: routes.set_group(key, names))
        policies ^= routes.policies_of(key)
        policies |= bound | self._binding_groups(key)
        people = {user for member in moved for user in self._world.people.meant_by(group.directory, member)}
        statuses = {Subject(USERS, user.name) for user in people}
        statuses |= {Subject(POLICIES, policy) for policy in policies}
        if changed:
            people.update(self._world.people.members(key))
        statuses |= self._locking.statuses_on(people)
        return self._granting.changed(group) | Concerned(
            places,
            statuses | {Subject(GROUPS, group.name), Subject(DIRECTORIES, group.directory)},
            people={(user.directory, user.id) for user in people},
            renamed={key} if held or key in routes.renamed else set(),
        )

    def _binding_groups(self, group: GroupKey) -> set[str]:
        """The policies that bind a group itself: who is in it moves no binding there, but their statuses."""
        routes = self._world.routes
        return {policy for policy in routes.policies_of(group) if routes.subject_kind(policy) == "Group"}

    def name(self, record: Record) -> set[Subject]:
        """Know at once who is called so now, whoever asks first.

        -> the statuses of the people who share the name that somebody got or gave up.
        """
        naming = self._world.naming
        before, after = naming.known(record), None
        if (current := self._world.index.get(record.directory, record.type, record.id)) is not None:
            name = self._world.subject(current)
            after = name if isinstance(name, str) else None
        else:
            naming.forget(record)
        if before == after:
            return set()
        if before is not None and record.type == GROUP.name:
            members = (self._world.people.meant_by(record.directory, member) for member in record.members)
            self._world.weights.sizes[before] = len({user.id for users in members for user in users})
        names = {name for name in (before, after) if name is not None}
        return {Subject(USERS, user.name) for name in names for user in naming.bearers(name, "User")}


def _key(group: Record) -> GroupKey:
    return group.directory, group.id
