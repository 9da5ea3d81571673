"""Objects of one kind as last seen, from listings, events and our own writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import Any, TypeVar

Object = Mapping[str, Any]
Key = tuple[str, str]
T = TypeVar("T")

_REMEMBERED = 10_000


def key_of(obj: Object) -> Key:
    """(namespace, name); the namespace is empty for cluster-scoped kinds."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Cache:
    """Key -> object. What is older than what is known is dropped. `keep` cuts away what nobody reads: if no
    more, the managedFields, a third of most objects.
    """

    def __init__(self, keep: Callable[[Object], Object] | None = None) -> None:
        self._keep = keep or _readable
        self._objects: dict[Key, Object] = {}
        self._names: dict[str, set[str]] = {}
        # Versions at which objects were seen deleted: a listing that is older would raise the dead.
        self._deleted: dict[Key, int] = {}
        self._derived: dict[Key, Any] = {}
        self.listed_once = False
        # At which resourceVersion all of them were listed: a later event of an older object is of a dead one.
        self._listed_at = -1
        # Grows with every object that comes or goes.
        self.population = 0

    def copy(self) -> Cache:
        """The same objects, to be changed apart."""
        made = copy(self)
        made._objects, made._deleted, made._derived = dict(self._objects), {}, {}
        made._names = {namespace: set(names) for namespace, names in self._names.items()}
        return made

    def listed(self, items: Iterable[Object], resource_version: str) -> set[Key]:
        """Take in a whole listing. -> keys that changed, those of vanished objects included."""
        items = list(items)
        present = {key_of(item) for item in items}
        newest = int(resource_version)
        changed = {key_of(item) for item in items if self.put(item)}
        ghosts = [key for key, obj in self._objects.items() if key not in present and _version(obj) <= newest]
        for key in ghosts:
            self._drop(key)
        self.listed_once, self._listed_at = True, newest
        return changed | set(ghosts)

    def hear(self, obj: Object) -> bool:
        """Take in what a watch tells, which may be late. -> False when that is known, or over by now."""
        if key_of(obj) not in self._objects and _version(obj) <= self._listed_at:
            return False
        return self.put(obj)

    def put(self, obj: Object) -> bool:
        """Take in one object. -> False when it isn't newer than what is known."""
        key = key_of(obj)
        known = self._objects.get(key)
        if known is not None and _version(known) >= _version(obj):
            return False
        if self._deleted.get(key, 0) > _version(obj):
            return False
        self._deleted.pop(key, None)
        self.population += known is None
        self._derived.pop(key, None)
        self._objects[key] = self._keep(obj)
        self._names.setdefault(key[0], set()).add(key[1])
        return True

    def read_anew(self, obj: Object) -> None:
        """Take in an object that a quorum read has just given: it is alive, whatever was thought of it."""
        self._deleted.pop(key_of(obj), None)
        self.put(obj)

    def remove(self, obj: Object) -> None:
        """Forget an object by its event; a namesake made since stays.

        The event's version is that of the deletion, or of the change by which the object left our label
        selector: in that case it lives on, and may be put again at the very same version.
        """
        self._forget(obj, _version(obj))

    def removed_by_us(self, obj: Object) -> None:
        """Forget an object as last seen, which we have deleted: it is dead at that version already."""
        self._forget(obj, _version(obj) + 1)

    def discard(self, obj: Object) -> None:
        """Know nothing of an object any more, without holding it for deleted."""
        self._drop(key_of(obj))

    def _forget(self, obj: Object, version: int) -> None:
        key = key_of(obj)
        known = self._objects.get(key)
        if known is not None and _uid(known) != _uid(obj):
            return
        self._drop(key)
        self._deleted[key] = max(self._deleted.get(key, 0), version)
        if len(self._deleted) > _REMEMBERED:
            del self._deleted[next(iter(self._deleted))]

    def _drop(self, key: Key) -> None:
        self._derived.pop(key, None)
        if self._objects.pop(key, None) is not None:
            self.population += 1
            self._names[key[0]].discard(key[1])
            if not self._names[key[0]]:
                del self._names[key[0]]

    def within(self, namespace: str) -> list[Object]:
        """All objects of a namespace."""
        return [self._objects[namespace, name] for name in sorted(self._names.get(namespace, ()))]

    def get(self, name: str, namespace: str = "") -> Object | None:
        """The object, or None."""
        return self._objects.get((namespace, name))

    def derived(self, name: str, namespace: str, make: Callable[[Object], T]) -> T | None:
        """What one `make` makes of an object, made once for each version of it; None: no such object."""
        key = (namespace, name)
        if key not in self._objects:
            return None
        if key not in self._derived:
            self._derived[key] = make(self._objects[key])
        made: T = self._derived[key]
        return made

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def __contains__(self, name: str) -> bool:
        return ("", name) in self._objects


def metadata_only(obj: Object) -> Object:
    """What we need of namespaces and roles; a ClusterRole's rules may be long."""
    return {"metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def _readable(obj: Object) -> Object:
    return {**obj, **metadata_only(obj)}


def content_only(obj: Object) -> Object:
    """All but the status, which others keep writing, and managedFields."""
    kept = {key: value for key, value in obj.items() if key not in ("status", "metadata")}
    return {**kept, **metadata_only(obj)}


def essence(obj: Object | None) -> Object:
    """What counts of an object that somebody may have changed; its version moves with its status, too."""
    if obj is None:
        return {}
    metadata = {field: obj["metadata"].get(field) or {} for field in ("uid", "labels", "annotations")}
    return {**content_only(obj), "metadata": metadata}


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])
