"""From a lock, a person or the time to what got or lost a lock by it."""

from __future__ import annotations

from collections.abc import Iterable

from scim_operator.directory.records import USERS, Record
from scim_operator.kube.cache import Key, key_of
from scim_operator.reconcile.concerned import Concerned
from scim_operator.reconcile.resources import LOCKS
from scim_operator.reconcile.standing import places_of_name
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World


class Locking:
    """Keeps the world's locks up to date."""

    def __init__(self, world: World) -> None:
        self._world = world

    def take_in(self, key: Key) -> Concerned:
        """A lock is new, changed or gone."""
        names = self._world.locks.take_in(key[1])
        return self._locked_or_free(names) | Concerned(statuses={Subject(LOCKS, key[1])})

    def person_changed(self, user: Record) -> Concerned:
        """Somebody is new, changed or gone."""
        return self._locked_or_free(self._world.locks.person_changed(user))

    def look_again(self) -> Concerned:
        """People are named otherwise, or time has passed."""
        names = self._world.locks.look_again()
        return self._locked_or_free(names) | Concerned(statuses=self.statuses() if names else set())

    def statuses_on(self, people: Iterable[Record]) -> set[Subject]:
        """The statuses of the locks that these people are under."""
        if not self._world.locks.any:
            return set()  # people may be many
        called = (self._world.naming.known(user) for user in people)
        return {Subject(LOCKS, lock.name) for name in called for lock in self._world.locks.on(name or "")}

    def statuses(self) -> set[Subject]:
        """Those of all locks."""
        return {Subject(LOCKS, key_of(lock)[1]) for lock in self._world.locks.objects}

    def _locked_or_free(self, names: Iterable[str]) -> Concerned:
        whole = Concerned()
        for name in names:
            whole.places.update(places_of_name(self._world, name))
            bearers = self._world.naming.bearers(name, "User")
            whole.statuses.update(Subject(USERS, user.name) for user in bearers)
            whole.statuses.update(Subject(LOCKS, lock.name) for lock in self._world.locks.on(name))
        return whole
