"""Who was let through in the window, who waits, and what was approved: what the guard remembers.

The list of those who wait only grows at its end, so that what somebody read and approves is a prefix of it,
whatever came since; entries that are done or needn't wait any more are marked, and go with the whole prefix.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from scim_operator.access.bindings import Who
from scim_operator.scim.instants import instant

_HASH = re.compile(r"([0-9]{1,7})-([0-9a-f]{16})")
# A list begins anew without its closed entries when these are more than so many, and than an eighth of the
# open ones: the whole list has to fit into one object.
_MOST_CLOSED = 1000
_CLOSED_SHARE = 8
# Somebody who waits is asked for again and again.
_KEYS_REMEMBERED = 1 << 17


def key_of(*parts: str) -> str:
    """16 hex of the SHA-256 over the parts, joined by NUL: who is meant, without a name."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Entry:
    """One who waits. `name` is empty when nobody has asked for them since the start and they aren't shown;
    `since` is a time in RFC 3339. `kind`: User, Group or Rename.
    """

    key: str
    kind: str = ""
    name: str = ""
    reason: str = ""
    since: str = ""
    message: str = ""
    closed: bool = False


@dataclass(frozen=True, order=True)
class Release:
    """When somebody was counted (RFC 3339), and as how many."""

    at: str
    weight: int = 1


@dataclass
class Tally:
    """`approved`: so many entries from the first on may go; `consumed`: the hash that said so last."""

    entries: list[Entry] = field(default_factory=list)
    released: dict[str, Release] = field(default_factory=dict)
    approved: int = 0
    consumed: str = ""
    round: int = 1

    def __post_init__(self) -> None:
        self._open = {entry.key: n for n, entry in enumerate(self.entries) if not entry.closed}
        self._spent = sum(release.weight for release in self.released.values())

    # --- questions -----------------------------------------------------------------------------------------

    @property
    def open(self) -> list[Entry]:
        """Those who wait, and those who were approved and aren't gone yet."""
        return [self.entries[number] for number in self._open.values()]

    @property
    def waiting(self) -> list[Entry]:
        """Those who wait for approval."""
        return [self.entries[number] for number in self._open.values() if number >= self.approved]

    @property
    def approved_ones(self) -> list[Entry]:
        """Those who were approved, and aren't done yet."""
        return [entry for entry in islice(self.entries, self.approved) if not entry.closed]

    def find(self, key: str) -> Entry | None:
        """The open entry of somebody."""
        number = self._open.get(key)
        return None if number is None else self.entries[number]

    def lists(self, beginning: str) -> bool:
        """True when an entry waits whose key begins so."""
        return any(entry.key.startswith(beginning) for entry in self.waiting)

    def is_approved(self, key: str) -> bool:
        """True for an open entry in what was approved."""
        number = self._open.get(key)
        return number is not None and number < self.approved

    def spent(self) -> int:
        """How many were let through in the window."""
        return self._spent

    def hash(self, seed: str, count: int | None = None) -> str:
        """`<n>-<hash of the first n entries>`. `seed`: the uid of the object that holds the list."""
        number = len(self.entries) if count is None else count
        packed = "".join([entry.key for entry in islice(self.entries, number)])
        return f"{number}-{key_of(seed, str(self.round), packed)}"

    # --- changes -------------------------------------------------------------------------------------------

    def forget(self, now: str, window: int) -> None:
        """Who was let through longer ago than the window (in seconds) doesn't count any more."""
        oldest = _seconds(now) - window
        times = {release.at for release in self.released.values()}
        over = {at for at in times if _seconds(at) <= oldest}
        for key in [key for key, release in self.released.items() if release.at in over] if over else ():
            self._spent -= self.released.pop(key).weight

    def release(self, key: str, now: str, weight: int = 1) -> None:
        """Somebody is let through, and counted; once in a window."""
        if key not in self.released:
            self.released[key] = Release(now, weight)
            self._spent += weight

    def hold(self, key: str, kind: str, name: str, reason: str, since: str, message: str = "") -> Entry:
        """Somebody has to wait; who does so already goes on, under the name that is known now."""
        entry = self.find(key)
        if entry is None:
            entry = Entry(key)
            self._open[key] = len(self.entries)
            self.entries.append(entry)
        entry.kind, entry.name, entry.message = kind, name, message
        # Of those who weren't shown nobody knows these since the start.
        entry.reason, entry.since = entry.reason or reason, entry.since or since
        return entry

    def close(self, keys: Iterable[str]) -> int:
        """They are done, or needn't wait any more. -> how many entries that were"""
        numbers = [self._open.pop(key) for key in keys if key in self._open]
        for number in numbers:
            self.entries[number].closed = True
        self._trim()
        return len(numbers)

    def approve(self, text: str, seed: str, *, whole: bool = False) -> bool:
        """Let the first entries go if `text` is the hash over them; if `whole`, only all who wait."""
        parsed = _HASH.fullmatch(text)
        if parsed is None or text == self.consumed:
            return False
        count = int(parsed[1])
        if not self.approved < count <= len(self.entries) or text != self.hash(seed, count):
            return False
        if whole and any(number >= count for number in self._open.values()):
            return False
        self.approved, self.consumed = count, text
        self._trim()
        return True

    def recall(self, other: Tally) -> None:
        """Who they are that wait here, from one where they had names; only the first ones' are stored."""
        for entry in self.open:
            if not entry.name and (known := other.find(entry.key)):
                entry.kind, entry.name, entry.message = known.kind, known.name, known.message
                entry.reason, entry.since = known.reason, known.since

    def ask_anew(self) -> None:
        """What was approved holds no longer: the list stays, under another hash."""
        self.approved = 0
        self._begin([entry for entry in self.entries if not entry.closed])

    def compact(self) -> None:
        """Drop the entries that are closed. What was approved stays so; what was read, and isn't approved
        yet, is under another hash from now on.
        """
        if len(self.entries) > len(self._open):
            self.approved = sum(number < self.approved for number in self._open.values())
            self._begin(self.open)

    def _trim(self) -> None:
        done = self.approved and all(entry.closed for entry in islice(self.entries, self.approved))
        left = len(self._open)
        if done or not left or len(self.entries) - left > max(_MOST_CLOSED, left // _CLOSED_SHARE):
            self.compact()

    def _begin(self, entries: list[Entry]) -> None:
        self.round += 1
        self.entries = entries
        self._open = {entry.key: number for number, entry in enumerate(entries)}


@lru_cache(_KEYS_REMEMBERED)
def who_key(who: Who) -> str:
    """The key of a subject: a person and a group of one name are two."""
    return key_of(*who)


def _seconds(at: str) -> int:
    """0 for a time that can't be read: long ago."""
    found = instant(at)
    return found[0] if found else 0
