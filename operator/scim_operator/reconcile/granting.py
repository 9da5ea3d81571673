"""From an AccessGrant, a person, a group or the time to the places where grants give something else by it."""

from __future__ import annotations

from collections.abc import Iterable

from scim_operator.access.places import Place
from scim_operator.directory.records import Record
from scim_operator.kube.cache import Key, key_of
from scim_operator.reconcile.concerned import Concerned
from scim_operator.reconcile.resources import GRANTS
from scim_operator.reconcile.statuses import Subject
from scim_operator.reconcile.world import World


class Granting:
    """Keeps the world's AccessGrants up to date."""

    def __init__(self, world: World) -> None:
        self._grants = world.grants
        self._routes = world.routes

    def take_in(self, key: Key) -> Concerned:
        """A grant is new, changed or gone."""
        # Whoever waits for a group of some name is what that name gives.
        renamed = set(self._routes.renamed)
        return Concerned(self._grants.take_in(key[1]), {Subject(GRANTS, key[1])}, renamed=renamed)

    def changed(self, record: Record) -> Concerned:
        """A person or group is new, changed or gone."""
        self._grants.came(record)
        return _looked_at(self._grants.places_of(record))

    def directory_changed(self, directory: str) -> Concerned:
        """People of a directory are named otherwise."""
        return _looked_at(self._grants.of_directory(directory))

    def look_again(self) -> Concerned:
        """Time has passed."""
        ended = (self._grants.get(name) for name in self._grants.look_again())
        return _looked_at(grant.place for grant in ended if grant is not None)

    def everything(self) -> Concerned:
        """All places of grants, and all their statuses."""
        statuses = {Subject(GRANTS, key_of(grant)[1]) for grant in self._grants.objects}
        return Concerned(self._grants.places(), statuses)


def _looked_at(places: Iterable[Place]) -> Concerned:
    found = set(places)
    return Concerned(found, {Subject(GRANTS, place.grant) for place in found})
