"""All users and groups in memory, with the look-ups that providers make.

Fed by the first list, by our own writes (before they are answered) and by watch events. What is older than
what is known is dropped by resourceVersion; a uid seen deleted never comes back (a late event of a watch
would otherwise raise the dead). Isolation: every look-up takes the directory, and reads `spec.directory`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any

from scim_operator.directory.broken import BrokenGroups
from scim_operator.directory.echoes import Echoes
from scim_operator.directory.few import Few, add, discard
from scim_operator.directory.keys import KEYS, Key, folded, keys_of
from scim_operator.directory.lists import Lists
from scim_operator.directory.members import NOBODY, difference
from scim_operator.directory.order import Age, Order
from scim_operator.directory.records import Record, filterable, record_of, without_meta
from scim_operator.directory.shards import GroupKey, ShardBook, assembled, raise_if_broken
from scim_operator.directory.tombstones import Tombstones
from scim_operator.directory.unhurried import paced, portions
from scim_operator.scim.attributes import ResourceType, fold
from scim_operator.scim.filters import compile_filter, equalities
from scim_operator.scim.schemas import GROUP, USER

log = logging.getLogger(__name__)

_TYPES: Mapping[str, ResourceType] = {USER.name: USER, GROUP.name: GROUP}
# (directory, resource type)
Place = tuple[str, str]


class Index:
    """The users and groups of all directories. `monotonic` is a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.shards = ShardBook(monotonic)
        self.broken = BrokenGroups()
        self.echoes = Echoes(monotonic)
        self.lists = Lists(monotonic)
        self._records: dict[Place, dict[str, Record]] = defaultdict(dict)
        self._orders: dict[Place, Order] = {}
        self._by_name: dict[tuple[str, str], Record] = {}
        self._by_key: dict[Key, Few] = {}
        # Of members of groups that aren't large; the large ones are few, and asked one by one.
        self._groups_of: dict[tuple[str, str], Few] = {}
        self._large: dict[str, dict[str, Record]] = defaultdict(dict)
        self._tombstones = Tombstones(monotonic)
        self._departed: list[Record] = []
        # Resource type -> the resourceVersion at which all of them were listed.
        self._listed: dict[str, int] = {}
        self._emptied: set[str] = set()

    @property
    def population(self) -> int:
        """How many users and groups there are, of all directories."""
        return len(self._by_name)

    @property
    def synced(self) -> bool:
        """True once users and groups were listed: before, nobody may be told that somebody is missing."""
        return self._listed.keys() >= set(_TYPES)

    # --- feeding -------------------------------------------------------------------------------------------

    def put_listed(self, obj: Mapping[str, Any]) -> None:
        """Take in one object of a listing; `complete` follows. Others may see the index, and feed it, in
        between: it is as if the watch told of one after the other.
        """
        if record := self.readable(obj):
            self._put(record, listed=True)

    def complete(self, resource_type: str, present: Set[str], resource_version: str) -> set[Record]:
        """A whole listing was taken in, of these uids: what it lacks is gone, unless it is newer. -> those
        gone. One that can't be read any more is still there: what was known of it last goes on to hold.
        """
        newest = int(resource_version)
        gone = {
            record
            for (kind, _), record in self._by_name.items()
            if kind == resource_type and record.uid not in present and record.resource_version <= newest
        }
        for record in gone:
            self._remove(record)
        if resource_type == GROUP.name:
            for directory, identifier in self.broken:
                self.broken.tell(self._records[directory, resource_type][identifier])
        self._listed[resource_type] = newest
        # The first sorting takes long: now, not when somebody waits for a page.
        for place in [place for place in self._records if place[1] == resource_type]:
            self._order(place)()
        return gone

    def put(self, obj: Mapping[str, Any]) -> Record | None:
        """Take in one object. -> what is now known of it, None when it is dead or unreadable."""
        record = self.readable(obj)
        if record is None or not self._put(record):
            return None
        return self._by_name[record.type, record.name]

    def put_listed_shard(self, obj: Mapping[str, Any]) -> None:
        """The same for a ScimGroupShard. They come before the groups, and are completed after them."""
        if shard := self.shards.put(obj):
            self._reassemble(shard.group)

    def complete_shards(self, present: Set[str], resource_version: str) -> None:
        """As `complete` does for users and groups."""
        for group in self.shards.complete(present, resource_version):
            self._reassemble(group)

    def put_shard(self, obj: Mapping[str, Any]) -> Record | None:
        """Take in one ScimGroupShard. -> the group it belongs to as it is known now, None for an orphan."""
        self.shards.put(obj)
        shard = self.shards.named(obj["metadata"]["name"])
        return self._reassemble(shard.group) if shard else None

    def written_shard(self, obj: Mapping[str, Any]) -> None:
        """Take in a ScimGroupShard that we have just written."""
        self.echoes.wrote(obj)
        self.put_shard(obj)

    def evict_shard(self, name: str, uid: str) -> Record | None:
        """Forget a ScimGroupShard that was deleted. -> the group it belongs to, None for an orphan."""
        shard = self.shards.evict(name, uid)
        return self._reassemble(shard.group) if shard else None

    def evict(self, resource_type: str, name: str, uid: str) -> Record | None:
        """Forget an object that was deleted; its uid never comes back. -> what was known of it."""
        self._tombstones.bury(uid)
        record = self._by_name.get((resource_type, name))
        if record is None or record.uid != uid:
            return None
        self._remove(record)
        return record

    def written(self, obj: Mapping[str, Any]) -> Record | None:
        """Take in what we have just written: nothing comes of it before a watch tells. -> as `put`."""
        self.echoes.wrote(obj)
        return self.put(obj)

    def forget(self, record: Record) -> None:
        """Our own DELETE took it away; the event may be long in coming, or fall into a gap of the watch."""
        if self.evict(record.type, record.name, record.uid):
            self._departed.append(record)
            self.echoes.deleted(record.uid)

    def leaves_by_request(self, record: Record) -> None:
        """The provider deletes it: a directory whose last user goes that way has lost nobody by accident."""
        if record.type == USER.name and self.count(record.directory, USER.name) == 1:
            self._emptied.add(record.directory)

    def is_emptied(self, directory: str) -> bool:
        """True for a directory without users whose last one was deleted by the provider."""
        return directory in self._emptied

    def departed(self) -> list[Record]:
        """Those found to be gone since the last call: what hung on them is to be looked at."""
        former, self._departed = self._departed, []
        return former

    # --- look-ups ------------------------------------------------------------------------------------------

    def get(self, directory: str, resource_type: str, identifier: str) -> Record | None:
        """By SCIM id."""
        return self._records[directory, resource_type].get(identifier)

    def member(self, directory: str, identifier: str) -> Record | None:
        """The user or group that a member's id means."""
        for resource_type in _TYPES:
            if record := self.get(directory, resource_type, identifier):
                return record
        return None

    def named(self, resource_type: str, name: str) -> Record | None:
        """By object name."""
        return self._by_name.get((resource_type, name))

    def all(self, directory: str, resource_type: str) -> list[Record]:
        """In the order of creation."""
        return self.page(directory, resource_type, 0, None)

    def page(self, directory: str, resource_type: str, start: int, end: int | None) -> list[Record]:
        """A slice of all, in the order of creation, so that pages are stable."""
        records = self._records[directory, resource_type]
        return [records[identifier] for _, identifier in self._order((directory, resource_type))()[start:end]]

    def moment(self, directory: str, resource_type: str) -> Iterable[Record]:
        """Those of this moment, in the order of creation, whatever comes or goes while they are looked at."""
        records = self._records[directory, resource_type].copy()
        return (records[identifier] for _, identifier in list(self._order((directory, resource_type))()))

    def ids(self, directory: str, resource_type: str) -> Iterable[str]:
        """All of them, in any order, to be read before anything changes."""
        return self._records[directory, resource_type].keys()

    def count(self, directory: str, resource_type: str) -> int:
        """How many there are."""
        return len(self._records[directory, resource_type])

    def records(self, resource_type: str) -> Iterator[Record]:
        """Those of every directory."""
        return (record for (kind, _), record in self._by_name.items() if kind == resource_type)

    def holders(self, directory: str, resource_type: str, attribute: str, value: str) -> set[str]:
        """Ids of those who hold a value of an indexed attribute (`userName`, `emails.work`, …)."""
        return set(self._by_key.get((directory, resource_type, attribute, folded(attribute, value)), ()))

    def groups_of(self, directory: str, identifier: str) -> list[Record]:
        """The groups somebody is a direct member of."""
        groups = self._records[directory, GROUP.name]
        ids = self._with_member(directory, identifier)
        return sorted((groups[group] for group in ids if group in groups), key=_age)

    def _with_member(self, directory: str, identifier: str) -> set[str]:
        large = self._large.get(directory)
        found = set(self._groups_of.get((directory, identifier), ()))
        if not large:
            return found
        return found | {group.id for group in large.values() if identifier in group.members}

    async def find(self, directory: str, resource_type: str, text: str) -> list[Record]:
        """Those a SCIM filter matches, in the order of creation. Raises ScimError for a bad filter.

        They are those of one moment, though others get their turn while many are looked at (rule 21).
        """
        matches = compile_filter(_TYPES[resource_type], text)
        shown = filterable if "meta" in fold(text) else without_meta
        if resource_type == GROUP.name and "members" in fold(text):
            self.require_whole(directory)
        candidates = self._candidates(directory, resource_type, equalities(_TYPES[resource_type], text))
        found = list[Record]()
        async for part in paced(portions(candidates)):
            found += [record for record in part if matches(shown(record), _Shown(self, record))]
        return found

    def require_whole(self, directory: str) -> None:
        """Who asks for somebody's groups must not take one for missing because its members are.

        Raises UnavailableError.
        """
        for key in self.broken:
            if key[0] == directory:
                raise_if_broken(self._records[directory, GROUP.name][key[1]])

    def _candidates(self, directory: str, resource_type: str, terms: Mapping[str, str]) -> Iterable[Record]:
        records = self._records[directory, resource_type]
        ids = [
            found
            for term, value in terms.items()
            if (found := self._ids(directory, resource_type, term, value)) is not None
        ]
        if not ids:
            return self.moment(directory, resource_type)
        return sorted(
            (records[identifier] for identifier in min(ids, key=len) if identifier in records), key=_age
        )

    def _ids(self, directory: str, resource_type: str, term: str, value: str) -> set[str] | None:
        if term == "id":
            return {value}
        if term == "members":
            return self._with_member(directory, value)
        return self.holders(directory, resource_type, term, value) if term in KEYS else None

    # --- the indexes ---------------------------------------------------------------------------------------

    def readable(self, obj: Mapping[str, Any]) -> Record | None:
        """The record an object holds, or None (logged)."""
        try:
            return record_of(obj)
        except (KeyError, TypeError, ValueError) as error:
            # Its CRD should make this impossible; a restore may bring anything.
            log.error("%s %s can't be read: %r", obj.get("kind"), obj["metadata"]["name"], error)
            return None

    def _put(self, record: Record, *, listed: bool = False) -> bool:
        if record.uid in self._tombstones:
            return False
        known = self._by_name.get((record.type, record.name))
        if known is None and not listed and record.resource_version <= self._listed.get(record.type, -1):
            return False  # a watch may be late: the listing of that time had it no more
        if known is not None:
            if known.resource_version >= record.resource_version:
                return known.uid == record.uid
            if known.uid != record.uid:
                self._departed.append(known)
        self._take(record, known)
        return True

    def _reassemble(self, group: GroupKey) -> Record | None:
        """Put a group together again after one of its shards changed."""
        known = self._records[group[0], GROUP.name].get(group[1])
        if known is None or known.large is None:
            return None
        self._take(known, known)
        return self._records[group[0], GROUP.name][group[1]]

    def _take(self, record: Record, known: Record | None) -> None:
        """Let a record take the place of what was known under its name."""
        key = (record.directory, record.id)
        same = known is not None and (known.directory, known.id) == key
        if known is not None and not same:
            self._remove(known)
            known = None
        records = self._records[record.directory, record.type]
        holder = records.get(record.id)
        if record.type == GROUP.name:
            record = assembled(record, self.shards.of(key), former=known or holder)
            self.broken.note(record, listed=self.shards.listed_once)
        if known is not None and holder is known:
            self._leave(known)
        self._enter(record)
        self._by_name[record.type, record.name] = record
        self._register(known, record)

    def _register(self, known: Record | None, record: Record) -> None:
        """Look-ups lead to a record by what it says now."""
        before, after = set(keys_of(known)) if known else set(), set(keys_of(record))
        for key in before - after:
            discard(self._by_key, key, record.id)
        for key in after - before:
            add(self._by_key, key, record.id)
        members = NOBODY if record.large else record.members
        for member in difference(known.members if known and not known.large else NOBODY, members):
            if member in members:
                add(self._groups_of, (record.directory, member), record.id)
            else:
                discard(self._groups_of, (record.directory, member), record.id)
        if record.large:
            self._large[record.directory][record.id] = record
        elif known and known.large:
            self._large[record.directory].pop(record.id, None)

    def _remove(self, record: Record) -> None:
        del self._by_name[record.type, record.name]
        if self._records[record.directory, record.type].get(record.id) is record:
            self._leave(record)
            self.broken.discard((record.directory, record.id))
        for key in keys_of(record):
            discard(self._by_key, key, record.id)
        if record.large:
            self._large[record.directory].pop(record.id, None)
            return
        for member in record.members:
            discard(self._groups_of, (record.directory, member), record.id)

    def _enter(self, record: Record) -> None:
        place = record.directory, record.type
        if record.type == USER.name and not self._records[place]:
            self._emptied.discard(record.directory)
        if twin := self._records[place].get(record.id):  # one id under two names: a restore may bring it
            self._leave(twin)
        self._records[place][record.id] = record
        self._order(place).add(_age(record))

    def _leave(self, record: Record) -> None:
        place = record.directory, record.type
        del self._records[place][record.id]
        self._order(place).remove(_age(record))

    def _order(self, place: Place) -> Order:
        if place not in self._orders:
            self._orders[place] = Order(lambda: map(_age, self._records[place].values()))
        return self._orders[place]


class _Shown:
    """A group's members as a filter sees them: as every answer shows them, without those deleted since."""

    def __init__(self, index: Index, record: Record) -> None:
        self._index = index
        self._record = record

    def __contains__(self, member: object) -> bool:
        return member in self._record.members and self._is_there(str(member))

    def __bool__(self) -> bool:
        return any(map(self._is_there, self._record.members))

    def _is_there(self, member: str) -> bool:
        return self._index.member(self._record.directory, member) is not None


def _age(record: Record) -> Age:
    return record.meta.created, record.id
