"""A group's members: sets of resource ids, apart from the document, and changed by deltas.

Entra adds and removes members in parallel PATCHes, and a group may have 50,000 of them. So a PATCH says
what changes and never holds the result; the directory applies it to what is true by then. A member is
its `value` and nothing else: a re-add with another `display` is no duplicate, and ids that nobody knows
are the directory's concern.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_operator.scim.attributes import fold
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.values import is_empty


@dataclass(frozen=True)
class MemberChange:
    """What a PATCH does to the members: all gone first if `replaced`, then some removed and some added."""

    replaced: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.replaced or bool(self.added) or bool(self.removed)

    def apply(self, members: Mapping[str, None]) -> dict[str, None]:
        """The members afterwards, as a new dict in order: those who stay keep their place."""
        after: dict[str, None] = {} if self.replaced else dict(members)
        for member in self.removed:
            after.pop(member, None)
        after.update(dict.fromkeys(self.added))
        return after


@dataclass
class MemberDelta:
    """The change in the making: later operations of a PATCH combine with earlier ones."""

    replaced: bool = False
    added: dict[str, None] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)

    def add(self, members: tuple[str, ...]) -> None:
        """Members join; who is in already stays."""
        for member in members:
            self.removed.pop(member, None)
            self.added[member] = None

    def remove(self, members: tuple[str, ...]) -> None:
        """Members leave; who isn't in is nobody's fault (Entra repeats what it isn't sure of)."""
        for member in members:
            self.added.pop(member, None)
            if not self.replaced:
                self.removed[member] = None

    def replace(self, members: tuple[str, ...]) -> None:
        """These and no others."""
        self.replaced, self.added, self.removed = True, dict.fromkeys(members), {}

    def freeze(self) -> MemberChange:
        """The finished change."""
        return MemberChange(self.replaced, tuple(self.added), tuple(self.removed))


def member_ids(value: Any) -> tuple[str, ...]:
    """The ids in what a client sent: objects with `value`, bare ids, or a single one of either.

    400 invalidValue for a member without one: guessing here means access for somebody or nobody.
    """
    if is_empty(value):
        return ()
    return tuple(dict.fromkeys(_id(member) for member in (value if isinstance(value, list) else [value])))


def _id(member: Any) -> str:
    if isinstance(member, dict):
        member = next((item for name, item in member.items() if fold(name) == "value"), None)
    if not isinstance(member, str) or not member:
        raise invalid_value('members expects objects with the member\'s id, such as {"value": "id"}')
    return member
