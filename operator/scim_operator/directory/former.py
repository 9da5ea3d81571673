"""What has come to the shards that a group had before, since its present ones were made. Pure.

Two operators may be at work for a moment: one that leads, and one that hasn't noticed yet that it leads no
more. That one may write a shard of a set which is in force no longer. It reads the ScimGroup after each write
of a shard, and this one reads the former shards after a new set is in force: one of both learns of the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scim_operator.directory.layout import Delta
from scim_operator.directory.members import Members
from scim_operator.directory.records import Meta, Record
from scim_operator.directory.shards import Shard


def shards_of(former: Record, shards: Iterable[Shard]) -> list[Shard]:
    """Those of a group as it was."""
    return [shard for shard in shards if former.large and shard.generation == former.large.generation]


def late(former: Record, shards: Iterable[Shard], now: Record) -> tuple[Delta, Meta]:
    """Who is to join and to leave a group as it is `now`, after what came to its former shards; and its meta.

    What was pending then may have come to the shards meanwhile, and is no change.
    """
    before, meta = former.members, now.meta
    parts = before.parts if isinstance(before, Members) else ()
    joining: list[str] = []
    leaving: list[str] = []
    for shard in shards_of(former, shards):
        if shard.number >= len(parts) or shard.members is parts[shard.number]:
            continue
        part = parts[shard.number]
        came = [m for m in shard.members if m not in part and m not in before and m not in now.members]
        went = [m for m in part if m not in shard.members and m in before and m in now.members]
        if came or went:
            joining += came
            leaving += went
            latest = max(meta.last_modified, shard.meta.last_modified)
            meta = replace(meta, last_modified=latest, request=shard.meta.request)
    return Delta(tuple(joining), tuple(leaving)), replace(meta, version=meta.version + 1)
