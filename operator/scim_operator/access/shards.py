"""How the people of a place are spread over its bindings, so that one person's change rewrites a small one.

A subject's shard is told by its hash. The number of shards is a power of two and is remembered by the
bindings' label: it doubles when one holds more than 256 subjects and halves when none holds 64, so a place at
the edge doesn't flap (rule 9).

Whoever stands in one binding and belongs into another one has it both ways for a moment, never neither way
(rule 12): first what gains is written, then what loses. Somebody may do so under another name, or by their
group: nobody can tell, after a restart, so all who leave wait for those who come, but for those who are known
to leave (somebody disabled, or out of the group, is called as before).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from scim_operator.access.bindings import MOST_SHARDS, SubjectKind, Who, subject_hash
from scim_operator.access.remembered import remembered

_MOST, _FEWEST = 256, 64
# Names can be chosen so that they meet in one shard: nobody gets a thousand bindings for them.
_FEWEST_ON_AVERAGE = 16

# Shard -> the subjects in it.
Contents = Mapping[int, frozenset[Who]]
_NOBODY: frozenset[Who] = frozenset()


@remembered
def shard_count(current: int, kind: SubjectKind, subjects: frozenset[str]) -> int:
    """How many shards these subjects need. `current`: how many there are."""
    if current == 1 and len(subjects) <= _MOST:
        return 1
    numbers = [_number(kind, name) for name in subjects]
    count = current
    room = min(MOST_SHARDS, len(numbers) // _FEWEST_ON_AVERAGE)
    while count * 2 <= room and _largest(numbers, count) > _MOST:
        count *= 2
    while count > 1 and _largest(numbers, count) < _FEWEST:
        count //= 2
    return count


@remembered
def spread(kind: SubjectKind, subjects: frozenset[str], count: int) -> Mapping[int, frozenset[Who]]:
    """Who belongs into which shard; those without anybody aren't named."""
    members: dict[int, list[Who]] = defaultdict(list)
    for name in subjects:
        members[_number(kind, name) % count if count > 1 else 0].append((kind, name))
    return MappingProxyType({shard: frozenset(members[shard]) for shard in sorted(members)})


def spread_all(kind: SubjectKind, subjects: frozenset[str], kept: frozenset[Who], count: int) -> Contents:
    """The same with those besides who stay, of either kind."""
    members = spread(kind, subjects, count)
    if not kept:
        return members
    more: dict[int, set[Who]] = defaultdict(set)
    for who in kept:
        more[_number(*who) % count if count > 1 else 0].add(who)
    shards = sorted(members.keys() | more.keys())
    return {shard: members.get(shard, _NOBODY) | more.get(shard, _NOBODY) for shard in shards}


def written_first(actual: Contents, desired: Contents, leaving: frozenset[Who]) -> dict[int, frozenset[Who]]:
    """The shards that somebody comes to, and who stands in them then.

    Whoever else stands there stays for this write, as long as somebody comes to another shard as well.
    `leaving`: who is known to leave.
    """
    gaining = [shard for shard, names in desired.items() if names - actual.get(shard, _NOBODY)]
    several = len(gaining) > 1
    return {
        shard: desired[shard] | (actual.get(shard, _NOBODY) - leaving if several else _NOBODY)
        for shard in gaining
    }


def written_last(
    actual: Contents, desired: Contents, staying: frozenset[Who] = _NOBODY
) -> dict[int, frozenset[Who]]:
    """All shards at the end: everybody where they belong, and nobody anywhere else.

    Whoever couldn't be put where they belong stays in one of the shards they stand in. `staying`: who stays
    in all of them, since the first writes failed.
    """
    outside = _NOBODY.union(*(names - actual.get(shard, _NOBODY) for shard, names in desired.items()))
    wanted = {**dict.fromkeys(actual, _NOBODY), **desired}
    for shard, names in sorted(actual.items()):
        kept = names & outside
        outside -= kept
        wanted[shard] |= kept | (names & staying)
    return wanted


@lru_cache(maxsize=65536)
def _number(kind: SubjectKind, name: str) -> int:
    return int(subject_hash(kind, name), 16)


def _largest(numbers: Iterable[int], count: int) -> int:
    return max(Counter(number % count for number in numbers).values(), default=0)
