"""The guard's ledger as the status of a RemovalHold, and back: packed, for lists of 100,000 people."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from scim_operator.access.guard import Freeze, Ledger
from scim_operator.access.tally import Entry, Release, Tally
from scim_operator.api.directory import SubjectTemplate
from scim_operator.api.removal_hold import MOST_SHOWN

_KEY_BYTES = 8
# What names and messages may take of an object of 1.5 MiB, in each of the two lists.
_MOST_SHOWN_BYTES = 120_000


@dataclass(frozen=True)
class _Fields:
    """How the fields of one tally are called in status."""

    waiting: str
    hash: str
    shown: str
    keys: str
    closed: str
    round: str
    approved: str
    count: str
    released: str


_REMOVALS = _Fields(
    waiting="waiting",
    hash="hash",
    shown="held",
    keys="keys",
    closed="closed",
    round="round",
    approved="approved",
    count="approvedCount",
    released="released",
)
_ADDITIONS = _Fields(
    waiting="additionsWaiting",
    hash="additionsHash",
    shown="additions",
    keys="additionKeys",
    closed="additionsClosed",
    round="additionsRound",
    approved="approvedAdditions",
    count="approvedAdditionsCount",
    released="added",
)


def to_status(ledger: Ledger, uid: str) -> dict[str, Any]:
    """The fields of a RemovalHold's status that hold the ledger; conditions aside. `uid`: the object's."""
    frozen = ledger.frozen
    fields: dict[str, Any] = {
        **_tally_fields(ledger.removals, _REMOVALS, uid),
        **_tally_fields(ledger.additions, _ADDITIONS, uid),
        "frozen": frozen._asdict() if frozen else None,
        "subjects": ledger.subjects.model_dump(by_alias=True) if ledger.subjects else None,
        "protected": [
            {"kind": kind, "name": name, "subjects": sorted(subjects)}
            for (kind, name), subjects in sorted(ledger.protected.items())
        ]
        or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def from_status(status: Mapping[str, Any]) -> Ledger:
    """The ledger that a RemovalHold's status tells. Raises ValueError when it was tampered with."""
    frozen, subjects = status.get("frozen"), status.get("subjects")
    return Ledger(
        removals=_tally(status, _REMOVALS),
        additions=_tally(status, _ADDITIONS),
        frozen=Freeze(frozen["reason"], frozen["message"], frozen["since"]) if frozen else None,
        subjects=SubjectTemplate.model_validate(subjects) if subjects else None,
        protected={
            (item["kind"], item["name"]): frozenset(item["subjects"])
            for item in status.get("protected") or ()
        },
    )


def is_frozen_without(kind: str, status: Mapping[str, Any]) -> bool:
    """True for a directory that is frozen since a kind of this name (`plural.group`) was gone."""
    frozen = status.get("frozen") or {}
    return frozen.get("reason") == "InputMissing" and kind in frozen.get("message", "")


def _tally_fields(tally: Tally, fields: _Fields, uid: str) -> dict[str, Any]:
    waiting = len(tally.waiting)
    return {
        fields.waiting: waiting or None,
        fields.hash: tally.hash(uid) if waiting else None,
        fields.shown: list(_all_shown(tally)) or None,
        fields.keys: pack([entry.key for entry in tally.entries]) or None,
        fields.closed: _bits([entry.closed for entry in tally.entries]) or None,
        fields.round: tally.round,
        fields.approved: tally.consumed or None,
        fields.count: tally.approved or None,
        fields.released: _releases(tally.released) or None,
    }


def _tally(status: Mapping[str, Any], fields: _Fields) -> Tally:
    known = {item["key"]: item for item in status.get(fields.shown) or ()}
    keys = unpack(status.get(fields.keys, ""))
    closed = _unbits(status.get(fields.closed, ""), len(keys))
    entries = [Entry(key, closed=gone) for key, gone in zip(keys, closed, strict=True)]
    for entry in entries:
        if not entry.closed and (item := known.get(entry.key)):
            entry.kind, entry.name, entry.reason = item["kind"], item["subject"], item["reason"]
            entry.since, entry.message = item["since"], item.get("message", "")
    return Tally(
        entries=entries,
        released={
            key: Release(item["at"], int(item.get("weight", 1)))
            for item in status.get(fields.released) or ()
            for key in unpack(item["keys"])
        },
        approved=int(status.get(fields.count) or 0),
        consumed=status.get(fields.approved) or "",
        round=int(status.get(fields.round) or 1),
    )


def _all_shown(tally: Tally) -> Iterator[dict[str, Any]]:
    """The first of those who wait, as many as there is room for."""
    room = _MOST_SHOWN_BYTES
    for entry in islice((entry for entry in tally.open if entry.name), MOST_SHOWN):
        item = _shown(entry)
        text = json.dumps(item, ensure_ascii=False)
        # The API server writes each of these in 6 bytes.
        room -= len(text.encode()) + 5 * sum(map(text.count, "<>&"))
        if room < 0:
            return
        yield item


def _shown(entry: Entry) -> dict[str, Any]:
    item = {
        "subject": entry.name,
        "kind": entry.kind,
        "reason": entry.reason,
        "since": entry.since,
        "message": entry.message,
        "key": entry.key,
    }
    return {name: value for name, value in item.items() if value}


def _releases(released: Mapping[str, Release]) -> list[dict[str, Any]]:
    groups: dict[Release, list[str]] = defaultdict(list)
    for key, release in released.items():
        groups[release].append(key)
    return [
        {"at": release.at, "keys": pack(keys), "weight": release.weight}
        for release, keys in sorted(groups.items())
    ]


def pack(keys: Iterable[str]) -> str:
    """Keys of 16 hex in base64."""
    return base64.b64encode(bytes.fromhex("".join(keys))).decode()


def unpack(text: str) -> list[str]:
    """And back. Raises ValueError for what `pack` didn't make."""
    packed = base64.b64decode(text, validate=True).hex()
    if len(packed) % (2 * _KEY_BYTES):
        raise ValueError("the packed keys were cut")
    return [packed[start : start + 2 * _KEY_BYTES] for start in range(0, len(packed), 2 * _KEY_BYTES)]


def packed(text: str) -> int:
    """How many keys they are."""
    return len(base64.b64decode(text)) // _KEY_BYTES


def _bits(flags: Sequence[bool]) -> str:
    if not any(flags):
        return ""
    number = int("".join("1" if flag else "0" for flag in flags), 2)
    return base64.b64encode(number.to_bytes((len(flags) + 7) // 8)).decode()


def _unbits(text: str, count: int) -> list[bool]:
    number = int.from_bytes(base64.b64decode(text, validate=True))
    if number.bit_length() > count:
        raise ValueError("more entries are closed than there are")
    return [digit == "1" for digit in bin(number)[2:].zfill(count)] if count else []
