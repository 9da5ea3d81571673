"""How people and groups are called in bindings, and who is called so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from scim_operator.access.bindings import SubjectKind
from scim_operator.access.grants import GroupNames
from scim_operator.access.subjects import Refused, group_subject, user_subject
from scim_operator.api.directory import SubjectTemplate
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.scim.schemas import GROUP, USER

DIRECTORY_MISSING = "DirectoryMissing"
# (type, directory, id)
_Key = tuple[str, str, str]


class Naming:
    """Names as the directories' templates make them, remembered in both directions."""

    def __init__(self, index: Index, directories: Directories) -> None:
        self._index = index
        self._directories = directories
        self._known: dict[_Key, tuple[Record, SubjectTemplate, str | Refused]] = {}
        self._called: dict[str, set[_Key]] = defaultdict(set)
        # What they were called before, as far as this operator saw it.
        self._former: dict[_Key, set[str]] = defaultdict(set)

    def name(self, record: Record) -> str | Refused:
        """How a person or group is named in bindings; Refused when they can't be, or lack their directory."""
        spec = self._directories.get(record.directory)
        if spec is None:
            return Refused(DIRECTORY_MISSING, f"ScimDirectory {record.directory!r} doesn't exist")
        known = self._known.get(_key(record))
        if known is not None and known[0] is record and known[1] is spec.subjects:
            return known[2]
        make = user_subject if record.type == USER.name else group_subject
        made = make(spec.subjects, record.document)
        if known is not None and isinstance(known[2], str) and known[2] != made:
            self._former[_key(record)].add(known[2])
        self._drop(record)
        self._known[_key(record)] = (record, spec.subjects, made)
        if isinstance(made, str):
            self._called[made].add(_key(record))
        return made

    def forget(self, record: Record) -> None:
        """A user or group is gone."""
        self._former.pop(_key(record), None)
        self._drop(record)

    def _drop(self, record: Record) -> None:
        known = self._known.pop(_key(record), None)
        if known is None or isinstance(known[2], Refused):
            return
        self._called[known[2]].discard(_key(record))
        if not self._called[known[2]]:
            del self._called[known[2]]

    def known(self, record: Record) -> str | None:
        """What a person or group was called when that was last asked."""
        known = self._known.get(_key(record))
        return known[2] if known is not None and isinstance(known[2], str) else None

    def former(self, record: Record) -> set[str]:
        """What a person was called before, also by an operator before this one: their status may tell that
        still."""
        told = record.status.get("subject")
        return self._former.get(_key(record), set()) | ({told} if isinstance(told, str) else set())

    def policies_know(self, group: Record) -> GroupNames:
        """What policies know a group by."""
        protected = self._directories.protects_group(group.directory, group.label)
        external_id = str(group.document.get("externalId") or "")
        return GroupNames(group.label, external_id, group.granted_as, protected)

    def bearers(self, name: str, kind: SubjectKind) -> Iterator[Record]:
        """All users, or groups, of that name, disabled ones too."""
        wanted = USER.name if kind == "User" else GROUP.name
        for key in list(self._called.get(name, ())):
            record = self._index.get(key[1], key[0], key[2])
            if record is not None and record.type == wanted and self.name(record) == name:
                yield record

    def called(self, name: str, kind: SubjectKind) -> Iterator[Record]:
        """The users, or groups, of that name who may have access now: none for somebody disabled or gone."""
        return (record for record in self.bearers(name, kind) if record.active)


def _key(record: Record) -> _Key:
    return record.type, record.directory, record.id
