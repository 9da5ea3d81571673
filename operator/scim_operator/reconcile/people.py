"""Who is meant: the members of groups, through nested groups too, and those whom a policy's filter finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from scim_operator.api.policy import PolicySpec
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record, filterable
from scim_operator.reconcile.routes import GroupKey
from scim_operator.scim.filters import compile_filter
from scim_operator.scim.predicates import Predicate
from scim_operator.scim.schemas import GROUP, USER


class People:
    """Membership as the directory has it now."""

    def __init__(self, index: Index) -> None:
        self._index = index
        # Policy -> the ids of those whom its people.filter means.
        self._found: dict[str, set[str]] = {}
        # The directories that had any when last asked.
        self._peopled: set[str] = set()

    def first_or_last(self, directory: str) -> bool:
        """Whether a directory has got its first user since this was last asked, or lost its last."""
        peopled = self._index.count(directory, USER.name) > 0
        turned = peopled is not (directory in self._peopled)
        (self._peopled.add if peopled else self._peopled.discard)(directory)
        return turned

    def active(self, policy: str, source: GroupKey) -> Iterator[Record]:
        """The users of a group, or those a policy's filter means, who aren't disabled."""
        directory, group = source
        identifiers = self._members(directory, group) if group else self._found.get(policy, ())
        return (user for user in self._users(directory, identifiers) if user.active)

    def members(self, group: GroupKey) -> Iterator[Record]:
        """The users in a group and in the groups in it, disabled ones too."""
        return self._users(group[0], self._members(*group))

    def meant_by(self, directory: str, member: str) -> Iterator[Record]:
        """The user, or the users in the group, that a member's id means."""
        user = self._index.get(directory, USER.name, member)
        return iter([user]) if user is not None else self.members((directory, member))

    def unknown(self, directory: str) -> set[GroupKey]:
        """The groups of a directory of which nobody knows who is in them."""
        broken = {key for key in self._index.broken if key[0] == directory}
        return broken.union(*(self.groups_around(*key) for key in broken))

    def is_unknown(self, group: GroupKey) -> bool:
        """Whether shards of a group, or of one in it, are missing, so that nobody knows who is in it."""
        return bool(self._index.broken) and group in self.unknown(group[0])

    def holds_groups(self, directory: str, members: Mapping[str, None]) -> bool:
        """Whether any of these members is a group. The fewer of both are walked over (rule 21)."""
        if self._index.count(directory, GROUP.name) > len(members):
            return any(self._index.get(directory, GROUP.name, member) for member in members)
        return any(identifier in members for identifier in self._index.ids(directory, GROUP.name))

    def groups_around(self, directory: str, member: str) -> set[GroupKey]:
        """The groups that a user or group is in, directly or through other groups."""
        found: set[GroupKey] = set()
        ahead = [member]
        while ahead:
            for group in self._index.groups_of(directory, ahead.pop()):
                if (directory, group.id) not in found:
                    found.add((directory, group.id))
                    ahead.append(group.id)
        return found

    def look_for(self, policy: str, spec: PolicySpec | None) -> None:
        """Ask everybody for one policy, which is new, changed or gone (None)."""
        self._found.pop(policy, None)
        if spec is not None and spec.people is not None:
            users = self._index.all(spec.directory, USER.name)
            self._found[policy] = {user.id for user in users if _means(spec.people.filter, user)}

    def look_at(self, directory: str, identifier: str, filters: Mapping[str, str]) -> set[str]:
        """Ask for one user, who is new, changed or gone. `filters`: policy -> filter.

        -> the policies that mean or meant them.
        """
        user = self._index.get(directory, USER.name, identifier)
        concerned = set()
        for policy, text in filters.items():
            found = self._found.setdefault(policy, set())
            before = identifier in found
            found.discard(identifier)
            if user is not None and _means(text, user):
                found.add(identifier)
            if before or identifier in found:
                concerned.add(policy)
        return concerned

    def policies_of(self, identifier: str) -> list[str]:
        """The policies whose filter finds a user."""
        return [policy for policy, found in self._found.items() if identifier in found]

    def _users(self, directory: str, identifiers: Iterable[str]) -> Iterator[Record]:
        """Those of them that are users."""
        for identifier in identifiers:
            user = self._index.get(directory, USER.name, identifier)
            if user is not None:
                yield user

    def _members(self, directory: str, group: str) -> Iterator[str]:
        """The ids in a group and in the groups in it; groups that hold each other are read once."""
        seen, ahead = {group}, [group]
        while ahead:
            record = self._index.get(directory, GROUP.name, ahead.pop())
            for member in record.members if record else ():
                if self._index.get(directory, GROUP.name, member) is None:
                    yield member
                elif member not in seen:
                    seen.add(member)
                    ahead.append(member)


def _means(text: str, user: Record) -> bool:
    return _predicate(text)(filterable(user), ())


@lru_cache(maxsize=256)
def _predicate(text: str) -> Predicate:
    return compile_filter(USER, text)
