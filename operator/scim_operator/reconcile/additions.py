"""What isn't given yet: new names of groups that wait, and people who come where only so many may at a time.

Each is asked for again after a restart; what nobody asks for any more goes off the ledger's list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Ledger
from scim_operator.access.places import Place
from scim_operator.access.renames import Held, told
from scim_operator.access.tally import Tally, key_of, who_key
from scim_operator.reconcile.routes import GroupKey

_NOBODY: frozenset[Who] = frozenset()
# Of a key's 16 hex.
_HALF = 8


@dataclass(frozen=True)
class _Rename:
    """A held name, as the ledger lists it."""

    key: str
    name: str
    message: str


class Additions:
    """Of one directory. `unseen`: groups whose names nobody has looked at since the start."""

    def __init__(self, unseen: Iterable[GroupKey]) -> None:
        self.unseen = set(unseen)
        self._renames: dict[GroupKey, _Rename] = {}
        self._gains: dict[Place, frozenset[Who]] = {}
        # What was approved and stored: nothing may happen because of an approval that a crash would forget.
        self._approved: frozenset[str] = frozenset()

    def await_rename(self, group: GroupKey, held: Held | None) -> bool:
        """A group's new name waits; None: it has none that does. -> whether the ledger is concerned"""
        before, wanted = self._renames.pop(group, None), None
        if held is not None:
            wanted = self._renames[group] = _Rename(rename_key(group, held), held.new, told(held))
        settled = group in self.unseen
        self.unseen.discard(group)
        return before != wanted or (settled and not self.unseen)

    def note(self, place: Place, gains: frozenset[Who]) -> bool:
        """Who would gain a right at a place and isn't there yet. -> whether the ledger is concerned"""
        before = self._gains.pop(place, _NOBODY)
        if gains:
            self._gains[place] = gains
        return bool(before - gains)

    def pending(self, place: Place) -> frozenset[Who]:
        """Who was to come to a place when it was last looked at."""
        return self._gains.get(place, _NOBODY)

    def places(self) -> set[Place]:
        """Where anybody is to come."""
        return set(self._gains)

    def is_approved(self, key: str) -> bool:
        """True when somebody said so, and that is stored."""
        return key in self._approved

    def stored(self, ledger: Ledger) -> None:
        """The ledger is on the API server."""
        self._approved = frozenset(entry.key for entry in ledger.additions.approved_ones)

    def approved_renames(self) -> set[GroupKey]:
        """The groups that may have their access under their new name."""
        return {group for group, rename in self._renames.items() if rename.key in self._approved}

    def bring(self, tally: Tally, now: str) -> None:
        """List the names that wait. `now`: RFC 3339."""
        for rename in self._renames.values():
            tally.hold(rename.key, "Rename", rename.name, "Renamed", now, rename.message)

    def tidy(self, tally: Tally) -> None:
        """What nobody asks for any more goes off the list; every place was looked at."""
        if tally.open and not self.unseen:
            wanted = set(self._wanted())
            tally.close([entry.key for entry in tally.open if entry.key not in wanted])

    def _wanted(self) -> Iterator[str]:
        yield from (rename.key for rename in self._renames.values())
        yield from map(who_key, frozenset().union(*self._gains.values()))


def rename_key(group: GroupKey, held: Held) -> str:
    """Of a new name in its directory's ledger: another name, or what it gives, is another question."""
    gains = (part for right in held.gains for part in right)
    return name_key(group, held.new) + key_of(*gains)[:_HALF]


def name_key(group: GroupKey, name: str) -> str:
    """How the key of a group's new name begins, whatever it gives."""
    return key_of("rename", group[1], name)[:_HALF]
