"""What a plan changes for people at its place, and the plan with what the guard leaves of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.plan import Facts, Plan
from scim_operator.access.problems import Problem
from scim_operator.access.shards import Contents, shard_count, spread_all

_NOBODY: frozenset[Who] = frozenset()


class Change(NamedTuple):
    """Who would leave the bindings of a place, and who would come into them."""

    losses: frozenset[Who] = _NOBODY
    gains: frozenset[Who] = _NOBODY


def change_of(planned: Plan, facts: Facts, written: Mapping[int, frozenset[Who]]) -> Change:
    """What would change. `written`: by shard, whom we put there and who stands there still."""
    wanted = spread_all(facts.kind, planned.subjects, planned.kept, planned.shards)
    losses = _beyond(written, wanted)
    gains = _beyond(wanted, written)
    if losses:
        # Whoever goes from one shard to another neither leaves nor comes.
        losses, gains = losses - _NOBODY.union(*wanted.values()), gains - _NOBODY.union(*written.values())
    return Change(losses, gains)


def on_hold(directory: str) -> Problem:
    """What an admin asked for: everything is recorded, no access changes."""
    message = (
        f"spec.access of ScimDirectory {directory!r} is Hold, so nobody gains or loses access; to go on: "
        f'kubectl patch scimdirectory {directory} --type=merge -p \'{{"spec":{{"access":"Apply"}}}}\''
    )
    return Problem("AccessOnHold", "Hold", message)


def restrained(planned: Plan, facts: Facts, kept: frozenset[Who], barred: frozenset[Who]) -> Plan:
    """The plan for a place where some who would leave stay, and some who would come don't yet."""
    if not kept and not barred:
        return planned
    refused = {name for kind, name in barred if kind == facts.kind}
    subjects = planned.subjects - refused
    names = subjects | {name for _, name in kept}
    shards = shard_count(facts.shards, facts.kind, names) if names or kept else 1
    return replace(planned, subjects=subjects, kept=kept, shards=shards, keep=False)


def _beyond(some: Contents, others: Contents) -> frozenset[Who]:
    found = [names - others.get(shard, _NOBODY) for shard, names in some.items()]
    found = [names for names in found if names]
    return found[0] if len(found) == 1 else _NOBODY.union(*found)
