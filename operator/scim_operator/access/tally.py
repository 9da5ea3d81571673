"""Who was let through in the window, who waits, and what was approved: what the guard remembers.

The list of those who wait only grows at its end, so that what somebody read and approves is a prefix of it,
whatever came since; entries that are done or needn't wait any more are marked, and go with the whole prefix.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from scim_operator.access.bindings import Who
from scim_operator.scim.instants import instant

_HASH = re.compile(r"([0-9]{1,7})-([0-9a-f]{16})")
# A list with so many closed entries begins anew without them, when they are more than the open ones.
_MOST_CLOSED = 1000


def key_of(*parts: str) -> str:
    """16 hex of the SHA-256 over the parts, joined by NUL: who is meant, without a name."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass
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
        return [entry for entry in self.entries[: self.approved] if not entry.closed]

    def find(self, key: str) -> Entry | None:
        """The open entry of somebody."""
        number = self._open.get(key)
        return None if number is None else self.entries[number]

    def is_approved(self, key: str) -> bool:
        """True for an open entry in what was approved."""
        number = self._open.get(key)
        return number is not None and number < self.approved

    def spent(self) -> int:
        """How many were let through in the window."""
        return sum(release.weight for release in self.released.values())

    def hash(self, seed: str, count: int | None = None) -> str:
        """`<n>-<hash of the first n entries>`. `seed`: the uid of the object that holds the list."""
        number = len(self.entries) if count is None else count
        packed = "".join(entry.key for entry in self.entries[:number])
        return f"{number}-{key_of(seed, str(self.round), packed)}"

    # --- changes -------------------------------------------------------------------------------------------

    def forget(self, now: str, window: int) -> None:
        """Who was let through longer ago than the window (in seconds) doesn't count any more."""
        oldest = _seconds(now) - window
        for key in [key for key, release in self.released.items() if _seconds(release.at) <= oldest]:
            del self.released[key]

    def release(self, key: str, now: str, weight: int = 1) -> None:
        """Somebody is let through, and counted."""
        self.released[key] = Release(now, weight)

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

    def ask_anew(self) -> None:
        """What was approved holds no longer: the list stays, under another hash."""
        self.approved = 0
        self._begin([entry for entry in self.entries if not entry.closed])

    def _trim(self) -> None:
        done = self.approved and all(entry.closed for entry in self.entries[: self.approved])
        closed = len(self.entries) - len(self._open)
        if done or (self.entries and not self._open):
            rest = self.entries[self.approved :] if done else []
            self.approved = 0
            self._begin([entry for entry in rest if not entry.closed])
        elif not self.approved and closed > max(_MOST_CLOSED, len(self._open)):
            self._begin(self.open)

    def _begin(self, entries: list[Entry]) -> None:
        self.round += 1
        self.entries = entries
        self._open = {entry.key: number for number, entry in enumerate(entries)}


def who_key(who: Who) -> str:
    """The key of a subject: a person and a group of one name are two."""
    return key_of(*who)


def _seconds(at: str) -> int:
    """0 for a time that can't be read: long ago."""
    found = instant(at)
    return found[0] if found else 0
