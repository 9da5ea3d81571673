"""How the members of a group are stored, and which writes carry out a change (rule 7 of the design).

Pure. Up to 2,000 members are in the ScimGroup. Above, they are in ScimGroupShards, and a change is one of:

    SHARD       all of it falls into one shard: that object is written, and no other
    INTENT      it goes into the ScimGroup's spec.pending, and to the shards afterwards
    GENERATION  a new set of shards is made, then the ScimGroup is told to use it

Each has a single write that decides: before it nothing of the change is in force, afterwards all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from scim_operator.api.identity import MAX_PENDING, MAX_SHARDS
from scim_operator.directory.members import Pending, part_of
from scim_operator.scim.members import MemberChange

MOST_INLINE = 2_000
# Members of a shard on average: at most so many in a new set, and the bounds beyond which it is made anew.
_AIM, _MOST, _FEWEST = 1_000, 2_000, 250
# Once in shards, a group stays there until it has as few: at the edge it doesn't flap.
_INLINE_AGAIN = 1_000


class Way(Enum):
    """Which writes carry out a change."""

    INLINE = "inline"
    SHARD = "shard"
    INTENT = "intent"
    GENERATION = "generation"


@dataclass(frozen=True)
class Delta:
    """Who joins and who leaves. None of those who join was in, all who leave were."""

    joining: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.joining) + len(self.leaving)

    @property
    def ids(self) -> Iterable[str]:
        """All of them."""
        return (*self.joining, *self.leaving)


def delta_of(change: MemberChange, members: Mapping[str, None]) -> Delta:
    """What a change comes to for a group with these members."""
    joining = tuple(member for member in change.added if member not in members)
    if not change.replaced:
        return Delta(joining, tuple(member for member in change.removed if member in members))
    staying = set(change.added)
    return Delta(joining, tuple(member for member in members if member not in staying))


def merged(pending: Pending, delta: Delta) -> dict[str, bool]:
    """What is to come to the shards after a further change.

    Who joined and leaves again stays named: the shard may have been written in between.
    """
    return {**pending, **dict.fromkeys(delta.joining, True), **dict.fromkeys(delta.leaving, False)}


def left_over(pending: Pending, done: Pending) -> dict[str, bool]:
    """What is still to come after what was pending at some moment has reached the shards."""
    return {member: joins for member, joins in pending.items() if done.get(member) is not joins}


def shard_count(members: int, current: int) -> int:
    """In how many shards so many members belong; 0: in the ScimGroup. `current`: where they are."""
    if members <= (_INLINE_AGAIN if current else MOST_INLINE):
        return 0
    if current and current * _FEWEST <= members <= current * _MOST:
        return current
    count = 1
    while count * _AIM < members and count < MAX_SHARDS:
        count *= 2
    return count


def way(*, current: int, members: int, pending: Pending, delta: Delta, document_changes: bool) -> Way:
    """How to carry out a change. `current`: shards there are, or 0; `members`: how many there will be."""
    count = shard_count(members, current)
    if count == 0 and current == 0:
        return Way.INLINE
    if count != current:
        return Way.GENERATION
    touched = {part_of(member, current) for member in delta.ids} if len(delta) <= MAX_PENDING else set()
    if len(touched) == 1 and not pending and not document_changes:
        return Way.SHARD
    return Way.GENERATION if _is_too_long(merged(pending, delta)) else Way.INTENT


def _is_too_long(pending: Pending) -> bool:
    return len(pending) > MAX_PENDING
