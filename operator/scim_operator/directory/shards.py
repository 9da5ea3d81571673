"""The ScimGroupShards as last seen, and large groups put together from them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from scim_operator.api.kinds import DIRECTORY_LABEL, GROUP, SCIM_GROUP_SHARD, VERSION
from scim_operator.directory.members import NOBODY, Members, Part, part_of
from scim_operator.directory.records import Large, Meta, Object, Record, meta_of, stored_meta
from scim_operator.directory.tombstones import Tombstones
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.resources import Resource

log = logging.getLogger(__name__)

SHARDS = Resource(GROUP, VERSION, SCIM_GROUP_SHARD.plural, SCIM_GROUP_SHARD.kind)

# (directory, SCIM id)
GroupKey = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """One ScimGroupShard. `meta.created` is empty."""

    group: GroupKey
    generation: int
    number: int
    count: int
    members: Part
    meta: Meta
    metadata: Mapping[str, Any]
    resource_version: int

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.metadata["name"])

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.metadata["uid"])


def shard_name(group: str, generation: int, number: int) -> str:
    """Made twice, the second one is refused: a set is the work of a single attempt."""
    return f"{group}-{generation}-{number}"


def shard_spec(
    group: GroupKey, generation: int, number: int, count: int, members: Iterable[str], meta: Meta
) -> Object:
    """The spec to store."""
    return {
        "directory": group[0],
        "group": group[1],
        "generation": generation,
        "number": number,
        "count": count,
        **({"members": stored} if (stored := list(members)) else {}),
        "meta": stored_meta(meta),
    }


def shard_object(spec: Object) -> Object:
    """A new object."""
    name = shard_name(spec["group"], spec["generation"], spec["number"])
    return {"metadata": {"name": name, "labels": {DIRECTORY_LABEL: spec["directory"]}}, "spec": spec}


def shard_of(obj: Mapping[str, Any]) -> Shard:
    """The shard an object holds. Raises KeyError, TypeError or ValueError when it isn't whole, or isn't what
    we would have written: another's copy, or members who are looked for in another shard.
    """
    metadata, spec = obj["metadata"], obj["spec"]
    generation, number, count = spec["generation"], spec["number"], spec["count"]
    if metadata["name"] != (own := shard_name(spec["group"], generation, number)):
        raise ValueError(f"what its spec says is in {own}")
    members = dict.fromkeys(map(intern, spec.get("members", ())))
    if stray := next((member for member in members if part_of(member, count) != number), None):
        raise ValueError(f"member {stray} belongs into shard {part_of(stray, count)} of {count}")
    return Shard(
        group=(spec["directory"], spec["group"]),
        generation=generation,
        number=number,
        count=count,
        members=members,
        meta=meta_of({"created": "", **spec["meta"]}),
        metadata={key: value for key, value in metadata.items() if key != "managedFields"},
        resource_version=int(metadata["resourceVersion"]),
    )


def assembled(group: Record, shards: Mapping[tuple[int, int], Shard], former: Record | None) -> Record:
    """A group with the members in its shards; one without shards as it is.

    While one of them isn't there nobody knows who is in it: it has those of `former`, what was known last.
    """
    large = group.large
    if large is None:
        return group
    found = {number: shards.get((large.generation, number)) for number in range(large.count)}
    parts = [shard for shard in found.values() if shard is not None and shard.count == large.count]
    missing = tuple(sorted(found.keys() - {shard.number for shard in parts}))
    revision = hash(tuple((shard.uid, shard.metadata.get("generation")) for shard in parts))
    large = replace(large, missing=missing, revision=revision)
    if missing:
        known = former.members if former is not None else NOBODY
        return replace(group, members=known, meta=large.meta, large=large)
    members = Members([shard.members for shard in parts], large.pending)
    return replace(group, members=members, meta=_summed(large, parts), large=large)


def _summed(large: Large, shards: Sequence[Shard]) -> Meta:
    """The group's version and time of change: sum and maximum over it and its shards."""
    latest = max((large.meta, *(shard.meta for shard in shards)), key=lambda meta: meta.last_modified)
    version = large.meta.version + sum(shard.meta.version for shard in shards)
    made = large.meta
    return replace(latest, created=made.created, created_by=made.created_by, version=version)


def why_broken(record: Record) -> str:
    """Which objects of a large group are missing, and what to do."""
    large = record.large
    if large is None or not large.missing:
        return ""
    name = shard_name(record.id, large.generation, large.missing[0])
    return (
        f"{len(large.missing)} of the {large.count} ScimGroupShards of ScimGroup {record.name} are missing "
        f"or can't be read, such as {name}: restore them from a backup, or delete the group in the provider "
        "and let it make it again"
    )


def raise_if_broken(record: Record) -> None:
    """503 for a group of which nobody knows who is in it."""
    if not record.is_whole:
        raise UnavailableError(why_broken(record), retry_after=30)


class ShardBook:
    """All shards by the group they belong to. `monotonic` is a clock in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._tombstones = Tombstones(monotonic)
        self._by_name: dict[str, Shard] = {}
        self._of_group: dict[GroupKey, dict[tuple[int, int], Shard]] = defaultdict(dict)
        self.listed_once = False
        # True while the API server doesn't know the kind, as far as the last listing tells.
        self.unknown = False

    def complete(self, present: Set[str], resource_version: str) -> set[GroupKey]:
        """A whole listing was taken in, of these uids: what it lacks is gone, unless it is newer. -> the
        groups that lost one.
        """
        newest = int(resource_version)
        shards = self._by_name.values()
        gone = [one for one in shards if one.uid not in present and one.resource_version <= newest]
        for shard in gone:
            self._remove(shard)
        self.listed_once = True
        return {shard.group for shard in gone}

    def put(self, obj: Mapping[str, Any]) -> Shard | None:
        """Take in one object. -> the shard; None when it is dead, unreadable or not newer than known."""
        metadata = obj["metadata"]
        known = self._by_name.get(metadata["name"])
        if known is not None and known.resource_version >= int(metadata["resourceVersion"]):
            return None  # most of a list: nothing is made of it
        if metadata["uid"] in self._tombstones:
            return None
        try:
            shard = shard_of(obj)
        except (KeyError, TypeError, ValueError) as error:
            log.error("ScimGroupShard %s can't be read: %r", metadata["name"], error)
            return None
        if known is not None:
            self._remove(known)
        self._by_name[shard.name] = shard
        self._of_group[shard.group][shard.generation, shard.number] = shard
        return shard

    def evict(self, name: str, uid: str) -> Shard | None:
        """Forget an object that was deleted. -> what was known of it."""
        self._tombstones.bury(uid)
        shard = self._by_name.get(name)
        if shard is None or shard.uid != uid:
            return None
        self._remove(shard)
        return shard

    def named(self, name: str) -> Shard | None:
        """By the object's name."""
        return self._by_name.get(name)

    def of(self, group: GroupKey) -> Mapping[tuple[int, int], Shard]:
        """(generation, number) -> shard."""
        return self._of_group.get(group, {})

    def __iter__(self) -> Iterator[Shard]:
        return iter(list(self._by_name.values()))

    def _remove(self, shard: Shard) -> None:
        del self._by_name[shard.name]
        of_group = self._of_group[shard.group]
        if of_group.get((shard.generation, shard.number)) is shard:
            del of_group[shard.generation, shard.number]
        if not of_group:
            del self._of_group[shard.group]
