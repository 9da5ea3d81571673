"""What keeps a policy, or one of its places, from being carried out: becomes a condition."""

from __future__ import annotations

from typing import NamedTuple

_LONGEST_SHOWN = 64


def quoted(name: str) -> str:
    """A name that somebody else chose, in a message: what can't be seen is escaped, what is long is cut."""
    if len(name) <= _LONGEST_SHOWN:
        return repr(name)
    return f"{name[:_LONGEST_SHOWN]!r}… ({len(name)} characters)"


class Problem(NamedTuple):
    """`condition` is the condition's type; the message says what to do, for the reader at 3 a.m."""

    condition: str
    reason: str
    message: str
