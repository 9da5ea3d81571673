"""What the watches are still to tell of our own writes: while they are alive, they do so within a second.

Nothing comes of a write before its event: a leaver keeps access while a watch is dead and nobody notices. The
API server says something on an idle one each minute only; our own writes tell sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any


class Echoes:
    """Object's uid -> the version to come (infinite: its deletion), and since when it is waited for."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # The oldest first.
        self._due: dict[str, tuple[float, float]] = {}
        # Kind -> the highest version heard of: an event may be here before the answer to the write.
        self._heard: dict[str, int] = {}

    def wrote(self, obj: Mapping[str, Any]) -> None:
        """The API server answered this to a write."""
        version = _version(obj)
        if version > self._heard.get(obj["kind"], 0):
            self._expect(obj["metadata"]["uid"], version)

    def deleted(self, uid: str) -> None:
        """We have deleted an object of which no deletion was heard yet."""
        self._expect(uid, inf)

    def heard(self, obj: Mapping[str, Any], *, gone: bool) -> None:
        """A watch has told of an object as it is now, or as it was when it went."""
        version, uid = _version(obj), obj["metadata"]["uid"]
        self._heard[obj["kind"]] = max(version, self._heard.get(obj["kind"], 0))
        due = self._due.pop(uid, None)
        if due is not None and not gone and version < due[0]:
            self._expect(uid, due[0])  # it is alive, and some writes behind

    def missing_for(self) -> float:
        """For how many seconds the oldest has been waited for; 0: for none."""
        return self._monotonic() - next(iter(self._due.values()))[1] if self._due else 0.0

    @contextmanager
    def listing(self) -> Iterator[None]:
        """While a list is made and taken in, which tells of all that was written before, unless it fails."""
        before = dict(self._due)
        yield
        self._due = {uid: due for uid, due in self._due.items() if before.get(uid) != due}

    def _expect(self, uid: str, version: float) -> None:
        _, since = self._due.get(uid, (0.0, self._monotonic()))
        self._due[uid] = version, since


def _version(obj: Mapping[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])
