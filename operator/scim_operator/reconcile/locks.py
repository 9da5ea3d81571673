"""Which names in bindings are locked at this moment, and by which AccessLocks."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from scim_operator.access.locks import Lock
from scim_operator.access.places import Place
from scim_operator.access.subjects import Refused
from scim_operator.api.lock import LockSpec
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.kube.cache import Cache
from scim_operator.scim.schemas import USER

log = logging.getLogger(__name__)


class Locks:
    """`called`: how somebody is named in bindings, or was last; `now`: seconds since 1970.

    What changes them returns the names that got or lost a lock by it.
    """

    def __init__(
        self, index: Index, called: Callable[[Record], str | Refused], now: Callable[[], float]
    ) -> None:
        self.objects = Cache()
        self.invalid: dict[str, str] = {}
        self._index = index
        self._called = called
        self._now = now
        self._locks: dict[str, Lock] = {}
        # What each lock denies, and which locks deny a name.
        self._denied: dict[str, frozenset[str]] = {}
        self._by: dict[str, set[str]] = defaultdict(set)
        # uid of the lock, and the lock: whom it meant, until its status tells.
        self._found: dict[str, tuple[str, Lock]] = {}
        self._removed: dict[str, set[Place]] = defaultdict(set)

    # --- questions -----------------------------------------------------------------------------------------

    def denies(self, name: str) -> bool:
        """True while a name is locked."""
        return name in self._by

    @property
    def any(self) -> bool:
        """Whether any name is locked."""
        return bool(self._by)

    def without(self, names: frozenset[str]) -> frozenset[str]:
        """Those of them that aren't locked: the same set, as a rule."""
        return names if self._by.keys().isdisjoint(names) else names.difference(self._by)

    def on(self, name: str) -> list[Lock]:
        """The locks that deny a name."""
        return [self._locks[lock] for lock in sorted(self._by.get(name, ()))]

    def get(self, name: str) -> Lock | None:
        """A lock as it is known."""
        return self._locks.get(name)

    def denied_by(self, name: str) -> frozenset[str]:
        """The names that a lock denies now."""
        return self._denied.get(name, frozenset())

    def names(self) -> list[str]:
        """All names that are locked now."""
        return sorted(self._by)

    def active(self) -> int:
        """How many locks there are that haven't ended."""
        now = self._now()
        return sum(now < lock.end for lock in self._locks.values())

    def next_end(self) -> float:
        """When the next one ends, in seconds since 1970; infinite for never."""
        now = self._now()
        return min((lock.end for lock in self._locks.values() if lock.end > now), default=math.inf)

    def removed_by(self, name: str) -> set[Place]:
        """Where a lock took somebody out since this start."""
        return self._removed.get(name, set())

    # --- changes -------------------------------------------------------------------------------------------

    def take_in(self, name: str) -> set[str]:
        """Take in the cached lock of that name, or its absence. -> names."""
        obj = self.objects.get(name)
        self.invalid.pop(name, None)
        known = self._locks.pop(name, None)
        uid, status = (obj["metadata"]["uid"], obj.get("status") or {}) if obj else ("", {})
        if self._found.get(name, (uid,))[0] != uid:
            del self._found[name]
        if obj is None:
            self._removed.pop(name, None)
            return self._deny(name, frozenset())
        _, found = self._found.get(name, (uid, None))
        spec = self._read(name, obj["spec"], known)
        told = (spec.subject, status.get("subject"), *(status.get("laterSubjects") or ()))
        names = dict.fromkeys((*(name for name in told if name), *(found.names if found else ())))
        person = found.person if found and found.person else status.get("id", "")
        self._locks[name] = Lock(name, spec, tuple(names), person)
        worded_anew = self.denied_by(name) if known is not None and known.spec != spec else frozenset()
        return self._look_again(name) | worded_anew

    def person_changed(self, user: Record) -> set[str]:
        """Somebody is new, renamed, or gone. -> names."""
        if not self._locks:
            return set()
        concerned = [lock.name for lock in self._locks.values() if _speaks_of(lock, user)]
        return set().union(*map(self._look_again, concerned))

    def look_again(self) -> set[str]:
        """People are named otherwise, or time has passed. -> names."""
        return set().union(*map(self._look_again, list(self._locks)))

    def note_removed(self, names: Iterable[str], place: Place) -> set[str]:
        """Somebody was taken out of a place. -> the locks that did it"""
        locks = {lock for name in names for lock in self._by.get(name, ())}
        for lock in locks:
            self._removed[lock].add(place)
        return locks

    # --- inside --------------------------------------------------------------------------------------------

    def _read(self, name: str, spec: Mapping[str, Any], known: Lock | None) -> LockSpec:
        """What can't be read locks on: an older operator must not let somebody in."""
        try:
            return LockSpec.model_validate(spec)
        except ValidationError as error:
            first = error.errors()[0]
            self.invalid[name] = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            log.error("AccessLock %s can't be read and locks on: %s", name, self.invalid[name])
            if known is not None:
                return known.spec
            named = {field: spec.get(key) for field, key in _WHO.items()}
            return LockSpec.model_construct(reason=str(spec.get("reason")), until=None, **named)

    def _look_again(self, name: str) -> set[str]:
        lock = self._resolved(self._locks[name])
        if lock is not self._locks[name] and (obj := self.objects.get(name)) is not None:
            self._found[name] = obj["metadata"]["uid"], lock
        self._locks[name] = lock
        return self._deny(name, lock.denied(self._now()))

    def _resolved(self, lock: Lock) -> Lock:
        """With whom it means, which is found out once, and what they are called now."""
        spec = lock.spec
        if not spec.user_name or not spec.directory:
            return lock
        person = lock.person
        if not person and not lock.names:
            person = min(
                self._index.holders(spec.directory, USER.name, "userName", spec.user_name), default=""
            )
        user = self._index.get(spec.directory, USER.name, person) if person else None
        if user is None:
            return lock
        called = self._called(user)
        return lock.meaning(person, called if isinstance(called, str) else "")

    def _deny(self, name: str, denied: frozenset[str]) -> set[str]:
        before = self._denied.pop(name, frozenset())
        if denied:
            self._denied[name] = denied
        for gone in before - denied:
            self._by[gone].discard(name)
            if not self._by[gone]:
                del self._by[gone]
        for new in denied - before:
            self._by[new].add(name)
        return {*(before ^ denied)}


_WHO = {"subject": "subject", "directory": "directory", "user_name": "userName"}


def _speaks_of(lock: Lock, user: Record) -> bool:
    """True when a user is, or may be, whom a lock means."""
    if lock.spec.directory != user.directory:
        return False
    return lock.person == user.id or not lock.subject
