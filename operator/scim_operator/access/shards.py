"""How the people of a place are spread over its bindings, so that one person's change rewrites a small one.

A subject's shard is told by its hash. The number of shards is a power of two and is remembered by the
bindings' label: it doubles when one holds more than 256 subjects and halves when none holds 64, so a place at
the edge doesn't flap (rule 9).

Whoever stands in one binding and belongs into another one has it both ways for a moment, never neither way
(rule 12): first what gains is written, then what loses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from scim_operator.access.bindings import MOST_SHARDS, SubjectKind, subject_hash

_MOST, _FEWEST = 256, 64

# Shard -> the subjects in it.
Contents = Mapping[int, frozenset[str]]
_NOBODY: frozenset[str] = frozenset()


def shard_count(current: int, kind: SubjectKind, subjects: frozenset[str]) -> int:
    """How many shards these subjects need. `current`: how many there are."""
    if current == 1 and len(subjects) <= _MOST:
        return 1
    numbers = [_number(kind, name) for name in subjects]
    count = current
    while _largest(numbers, count) > _MOST and count < MOST_SHARDS:
        count *= 2
    while count > 1 and _largest(numbers, count) < _FEWEST:
        count //= 2
    return count


def spread(kind: SubjectKind, subjects: Iterable[str], count: int) -> dict[int, frozenset[str]]:
    """Who belongs into which shard; those without anybody aren't named."""
    if count == 1:
        return {0: whole} if (whole := frozenset(subjects)) else {}
    members: dict[int, list[str]] = defaultdict(list)
    for name in subjects:
        members[_number(kind, name) % count].append(name)
    return {shard: frozenset(members[shard]) for shard in sorted(members)}


def written_first(actual: Contents, desired: Contents) -> dict[int, frozenset[str]]:
    """The shards that somebody comes to, and who stands in them then.

    Whoever leaves such a shard stays for this write as long as somebody comes to another one as well: it may
    be the same person under a new name, and nobody can tell.
    """
    gaining = [shard for shard, names in desired.items() if names - actual.get(shard, _NOBODY)]
    several = len(gaining) > 1
    return {shard: desired[shard] | (actual.get(shard, _NOBODY) if several else _NOBODY) for shard in gaining}


def written_last(actual: Contents, desired: Contents) -> dict[int, frozenset[str]]:
    """All shards at the end: everybody where they belong, and nobody anywhere else.

    Whoever couldn't be put where they belong stays in one of the shards they stand in.
    """
    outside = {
        name for shard, names in desired.items() for name in names if name not in actual.get(shard, _NOBODY)
    }
    wanted = dict(desired)
    for shard, names in sorted(actual.items()):
        if kept := names & outside:
            outside -= kept
            wanted[shard] = wanted.get(shard, _NOBODY) | kept
    return wanted


@lru_cache(maxsize=65536)
def _number(kind: SubjectKind, name: str) -> int:
    return int(subject_hash(kind, name), 16)


def _largest(numbers: Iterable[int], count: int) -> int:
    return max(Counter(number % count for number in numbers).values(), default=0)
