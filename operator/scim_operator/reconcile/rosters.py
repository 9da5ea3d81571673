"""Who stands in bindings for a group, or for the people a policy means, kept as people come and go.

One person's change costs no walk over everybody else in their groups: at 20,000 members that walk takes
longer than anybody may keep the event loop (rule 21). Built when first asked for, forgotten when a change
can't be told from one person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from scim_operator.access.subjects import Refused
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.reconcile.people import People
from scim_operator.reconcile.routes import GroupKey
from scim_operator.scim.schemas import USER


class _Roster:
    """SCIM id -> the name in bindings. All names are one set until somebody comes, goes or is renamed: the
    many places of a group share it, and what was computed from it.
    """

    def __init__(self, names: dict[str, str]) -> None:
        self._by_id = names
        self._names: frozenset[str] | None = None

    def put(self, identifier: str, name: str | None) -> None:
        """None: they have no name there, or no longer."""
        if self._by_id.get(identifier) == name:
            return
        self._names = None
        if name is None:
            del self._by_id[identifier]
        else:
            self._by_id[identifier] = name

    @property
    def names(self) -> frozenset[str]:
        """Who is in it."""
        if self._names is None:
            self._names = frozenset(self._by_id.values())
        return self._names


class Rosters:
    """`subject`: how a person is named, as the directories say now."""

    def __init__(self, index: Index, people: People, subject: Callable[[Record], str | Refused]) -> None:
        self._index = index
        self._people = people
        self._subject = subject
        self._groups: dict[GroupKey, _Roster] = {}
        self._meant: dict[str, _Roster] = {}

    def of(self, policy: str, source: GroupKey) -> frozenset[str]:
        """The names of the active members of a group, or of those whom a policy's filter means."""
        known = self._groups.get(source) if source[1] else self._meant.get(policy)
        if known is None:
            active = self._people.active(policy, source)
            named = ((user.id, self._subject(user)) for user in active)
            known = _Roster({identifier: name for identifier, name in named if isinstance(name, str)})
            if source[1]:
                self._groups[source] = known
            else:
                self._meant[policy] = known
        return known.names

    def person_changed(
        self, directory: str, identifier: str, groups: Iterable[GroupKey], policies: Iterable[str]
    ) -> None:
        """Somebody is new, changed or gone. `policies`: those that mean or meant them."""
        name = self._name(directory, identifier)
        for group in groups:
            _put(self._groups.get(group), identifier, name)
        meaning = set(self._people.policies_of(identifier))
        for policy in policies:
            _put(self._meant.get(policy), identifier, name if policy in meaning else None)

    def members_changed(self, group: GroupKey, moved: Iterable[str], members: Mapping[str, None]) -> None:
        """A group has other members: some have `moved` in or out. Those in groups in it count too, so these
        make it be read anew.
        """
        roster = self._groups.get(group)
        if roster is None:
            return
        if self._people.holds_groups(group[0], members) or any(
            self._person(group[0], member) is None for member in moved
        ):
            self.forget_group(group)
            return
        for member in moved:
            _put(roster, member, self._name(group[0], member) if member in members else None)

    def forget_group(self, group: GroupKey) -> None:
        """Who is in it is to be found out again."""
        self._groups.pop(group, None)

    def forget_policy(self, policy: str) -> None:
        """Whom it means is to be found out again."""
        self._meant.pop(policy, None)

    def forget_names(self) -> None:
        """People are named otherwise."""
        self._groups.clear()
        self._meant.clear()

    def _person(self, directory: str, identifier: str) -> Record | None:
        return self._index.get(directory, USER.name, identifier)

    def _name(self, directory: str, identifier: str) -> str | None:
        user = self._person(directory, identifier)
        name = self._subject(user) if user is not None and user.active else None
        return name if isinstance(name, str) else None


def _put(roster: _Roster | None, identifier: str, name: str | None) -> None:
    if roster is not None:
        roster.put(identifier, name)
