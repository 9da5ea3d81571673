"""What the audit stream tells of a story, beside the bindings that came of it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.system import System
from tests.heard import Binding, Name, read, standing
from tests.sequences.findings import bindings

# A change under way when the operator ends may go untold.
_RESTART, _DELETED = "settings: ", "delete namespace "


class Account:
    """From now on."""

    def __init__(self, system: System, tag: str) -> None:
        self._system = system
        self._tag = tag
        self._path = system.installation.process.audit
        self._since = self._path.stat().st_size

    def gaps(self, steps: Sequence[str]) -> list[str]:
        """The bindings of which a replay knows something else, in words."""
        if any(step.startswith(_RESTART) for step in steps):
            return []
        # Nobody tells us of the bindings in a namespace that somebody else deletes.
        gone = {step.removeprefix(_DELETED) for step in steps if step.startswith(_DELETED)}
        told = {key: names for key, names in self._told().items() if names and key[0] not in gone}
        there = {key: names for key, names in self._there().items() if key[0] not in gone}
        return [
            f"binding {key} has {sorted(there.get(key, ()))}, told of were {sorted(told.get(key, ()))}"
            for key in sorted(told.keys() | there.keys())
            if told.get(key) != there.get(key)
        ]

    def _told(self) -> dict[Binding, set[Name]]:
        with self._path.open() as file:
            file.seek(self._since)
            lines = [read(line) for line in file]
        return standing(line for line in lines if str(line.get("policy", "")).startswith(f"{self._tag}-"))

    def _there(self) -> dict[Binding, set[Name]]:
        return {
            (item["metadata"].get("namespace", ""), item["metadata"]["name"]): {
                (who["kind"], who["name"]) for who in item.get("subjects") or ()
            }
            for item in bindings(self._system, self._tag)
        }
