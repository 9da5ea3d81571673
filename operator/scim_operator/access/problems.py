"""What keeps a policy, or one of its places, from being carried out: becomes a condition."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """`condition` is the condition's type; the message says what to do, for the reader at 3 a.m."""

    condition: str
    reason: str
    message: str
