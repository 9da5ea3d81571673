"""Large groups of which shards are missing: nobody knows who is in them."""

from __future__ import annotations

import logging

from scim_operator.directory.records import Record
from scim_operator.directory.shards import GroupKey, why_broken

log = logging.getLogger(__name__)


class BrokenGroups(set[GroupKey]):
    """Those there are, each of them told once."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[GroupKey] = set()

    def note(self, record: Record, *, listed: bool) -> None:
        """A group as it is known now. `listed`: its shards were; before, groups may come ahead of them."""
        key = (record.directory, record.id)
        if record.is_whole:
            self.discard(key)
            self._told.discard(key)
            return
        self.add(key)
        if listed:
            self.tell(record)

    def tell(self, record: Record) -> None:
        """For the log."""
        key = (record.directory, record.id)
        if key not in self._told:
            self._told.add(key)
            missing = {"directory": record.directory, "group": record.name, "missing": why_broken(record)}
            log.warning("shards of a group aren't known; it keeps its access", extra=missing)
