"""How much a directory holds, and whom: `spec.limits` of its ScimDirectory. Beyond: 403 naming the field.

What is there already stays, and can be changed, disabled and deleted, also where a limit was lowered since:
only what adds to it is refused.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from scim_operator.api.directory import LimitsSpec
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.records import Record
from scim_operator.scim.attributes import ResourceType, fold
from scim_operator.scim.errors import ScimError
from scim_operator.scim.schemas import USER


class Limits:
    """Refuses what would go beyond."""

    def __init__(self, directories: Directories, index: Index) -> None:
        self._directories = directories
        self._index = index
        self._coming: Counter[tuple[str, str]] = Counter()

    @contextlib.contextmanager
    def room(self, directory: str, resource_type: ResourceType) -> Iterator[None]:
        """Hold a place for one more while it is being made."""
        place, users = (directory, resource_type.name), resource_type.name == USER.name
        field = "users" if users else "groups"
        spec = self._of(directory)
        most = spec.users if users else spec.groups
        if self._index.count(*place) + self._coming[place] >= most:
            raise _beyond(directory, field, f"{most}, and so many {field} are there; nothing was made")
        self._coming[place] += 1
        try:
            yield
        finally:
            self._coming[place] -= 1

    def check(
        self, directory: str, document: Mapping[str, Any], members: int, held: Record | None = None
    ) -> None:
        """403 for a userName that isn't allowed, or too many members. `held`: what there was before."""
        spec = self._of(directory)
        if members > spec.members_per_group and (held is None or members > len(held.members)):
            raise _beyond(
                directory,
                "membersPerGroup",
                f"{spec.members_per_group}, the group would have {members} members; nothing was changed",
            )
        name = document.get("userName")
        if name is None or (held is not None and held.document.get("userName") == name):
            return
        if not any(_matches(pattern, name) for pattern in spec.allowed_user_names):
            patterns = ", ".join(spec.allowed_user_names)
            raise _beyond(
                directory,
                "allowedUserNames",
                f"{patterns}; userName {name!r} matches none; nothing was changed",
            )

    def _of(self, directory: str) -> LimitsSpec:
        spec = self._directories.get(directory)
        return LimitsSpec() if spec is None else spec.limits


def _matches(pattern: str, name: str) -> bool:
    """`*` is anything; the rest compares as userNames do, in any case. Linear, however long the name."""
    first, *others = map(fold, pattern.split("*"))
    text = fold(name)
    if not others:
        return text == first
    *between, last = others
    if not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in between:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return place <= end


def _beyond(directory: str, field: str, said: str) -> ScimError:
    return ScimError(
        403, f"spec.limits.{field} of ScimDirectory {directory!r} is {said}. Who may edit it can raise it."
    )
