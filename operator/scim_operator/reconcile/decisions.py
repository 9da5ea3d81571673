"""What the guard decides of many people at once, without keeping all else waiting meanwhile (rule 21)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import TypeVar

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Ledger, Setting, Verdict, Verdicts, admitting, by_name, deciding
from scim_operator.access.tally import key_of, who_key
from scim_operator.reconcile.guarded import Guarded, Step
from scim_operator.reconcile.holders import Holders

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 500


async def in_parts(items: Iterable[T]) -> AsyncIterator[list[T]]:
    """So many at a time, and whatever else is due in between."""
    ahead = iter(items)
    while part := list(islice(ahead, AT_ONCE)):
        yield part
        await asyncio.sleep(0)


async def decide_on(step: Step, guarded: Guarded, ledger: Ledger, setting: Setting) -> None:
    """Who of those who ask keeps what they have, and who doesn't come yet.

    The ledger may be told meanwhile of a freeze, or of somebody who isn't to leave any more: it is asked anew
    for each, and whoever came onto its list for nothing goes off it when it is tended.
    """
    unlisted: set[Who] = set()
    going = await _in_order(step.losses)
    step.kept = await _refused(deciding(ledger, going, step.losses, setting), unlisted)
    coming = await _in_order(step.gains - step.kept)
    step.barred = await _refused(admitting(ledger, coming, setting), unlisted)
    step.unlisted = frozenset(unlisted)
    let_go = (who for who in step.losses if who not in step.kept)
    async for part in in_parts(let_go):
        guarded.released.update({who_key(who): who for who in part})
    if unlisted:
        log.error(
            "a RemovalHold is full: more people keep their access, or don't get it, than it can list; "
            "approve those on it, or give them back what they had in the provider",
            extra={"directory": guarded.directory, "unlisted": len(unlisted)},
        )


async def lingering(guarded: Guarded, ledger: Ledger, holders: Holders) -> int:
    """As how many people those count who were let go in the window and have access all the same: they stand
    there for a moment yet, or elsewhere.
    """
    released = ledger.removals.released
    known = {key: guarded.released[key] for key in released if key in guarded.released}
    if len(known) < len(released):  # counted by an operator before this one
        unknown = released.keys() - known.keys()
        async for part in in_parts(holders.people(guarded.directory)):
            known |= {key: who for who in part if (key := key_of(*who)) in unknown}
        known |= dict.fromkeys(unknown - known.keys())
    guarded.released = known
    there = (key for key, who in known.items() if who and holders.has_access(guarded.directory, who))
    return sum(released[key].weight for key in there)


async def _in_order(asked: Iterable[Who]) -> Iterator[Who]:
    return merge(*[sorted(part, key=by_name) async for part in in_parts(asked)], key=by_name)


async def _refused(verdicts: Verdicts, unlisted: set[Who]) -> frozenset[Who]:
    refused = []
    async for part in in_parts(verdicts):
        refused += [who for who, verdict in part if verdict is not Verdict.GOES]
        unlisted.update(who for who, verdict in part if verdict is Verdict.UNLISTED)
    return frozenset(refused)
