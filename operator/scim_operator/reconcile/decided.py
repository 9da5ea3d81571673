"""What the audit stream tells of the guard: how a ledger as it was stored differs from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Ledger
from scim_operator.access.ledger import packed, unpack
from scim_operator.access.tally import Entry, Tally, who_key
from scim_operator.api.audit import MOST_NAMED, GuardDecision, Waiting
from scim_operator.directory.audit import Audit


class _Names(NamedTuple):
    """How a list is called, and its fields in status."""

    list: Literal["Removals", "Additions"]
    keys: str
    round: str
    approved: str
    hash: str


_REMOVALS = _Names("Removals", "keys", "round", "approved", "hash")
_ADDITIONS = _Names("Additions", "additionKeys", "additionsRound", "approvedAdditions", "additionsHash")


class Decided:
    """Tells of the ledgers that are stored, and knows what was approved in them."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._ledgers: dict[str, Ledger] = {}

    def stored(
        self, directory: str, before: Mapping[str, Any], after: Mapping[str, Any], ledger: Ledger
    ) -> None:
        """A ledger is durable. `before`, `after`: the statuses of its RemovalHold."""
        self._ledgers[directory] = ledger
        if before is not after:
            for decision in decisions(directory, before, after, ledger):
                self._audit.tell(decision)

    def is_approved(self, directory: str, who: Who) -> bool:
        """Whether somebody said that they may go, or come."""
        ledger, key = self._ledgers.get(directory), who_key(who)
        tallies = (ledger.removals, ledger.additions) if ledger else ()
        return any(tally.is_approved(key) for tally in tallies)


def decisions(
    directory: str, before: Mapping[str, Any], after: Mapping[str, Any], ledger: Ledger
) -> Iterator[GuardDecision]:
    """What was decided between two statuses; `ledger`: that of the second."""
    was, now = before.get("frozen"), after.get("frozen")
    if now and (was or {}).get("reason") != now["reason"]:
        yield GuardDecision(action="Frozen", directory=directory, reason=now["reason"])
    if was and not now:
        yield GuardDecision(action="Thawed", directory=directory, reason=was["reason"])
    for names, tally in ((_REMOVALS, ledger.removals), (_ADDITIONS, ledger.additions)):
        entries = _new(names, before, after, tally)
        if entries:
            text = after.get(names.hash)
            yield _decision("Held", directory, names, text, len(entries), entries)
        text = after.get(names.approved)
        if text and text != before.get(names.approved) and names.round in before:
            approved = tally.approved_ones
            yield _decision("Approved", directory, names, text, len(approved), approved)


def _new(names: _Names, before: Mapping[str, Any], after: Mapping[str, Any], tally: Tally) -> list[Entry]:
    """Who came to the list: at its end, unless it began anew."""
    if before.get(names.keys, "") == after.get(names.keys, ""):
        return []
    known = before.get(names.keys, "")
    if before.get(names.round) == after.get(names.round):
        return [entry for entry in islice(tally.entries, packed(known), None) if not entry.closed]
    there = set(unpack(known))
    return [entry for entry in tally.waiting if entry.key not in there]


def _decision(
    action: Literal["Held", "Approved"],
    directory: str,
    names: _Names,
    text: str | None,
    count: int,
    entries: list[Entry],
) -> GuardDecision:
    named = (Waiting.model_validate(_told(entry)) for entry in islice(entries, MOST_NAMED) if entry.name)
    return GuardDecision(
        action=action, directory=directory, list=names.list, hash=text, count=count, waiting=tuple(named)
    )


def _told(entry: Entry) -> dict[str, str]:
    return {"kind": entry.kind, "name": entry.name, "reason": entry.reason}
