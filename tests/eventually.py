"""Waiting for what the operator does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")

# The bound that the project promises for a leaver; measured times are in the demo and `make bench`.
SECONDS = 5.0
# However long they take: on a machine that stood still a bound may be over before anybody else had a turn.
_LOOKS = 5


def eventually(look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = SECONDS) -> T:
    """Look until it is as wanted; fails with what was seen last."""
    deadline = time.monotonic() + seconds
    looks = 0
    while True:
        looks += 1
        began = time.monotonic()
        seen = look()
        if wanted(seen):
            return seen
        now = time.monotonic()
        if now > deadline and looks >= _LOOKS:
            raise AssertionError(f"not within {seconds} s; last seen: {seen!r}")
        # A look that costs much, such as a kubectl, leaves the machine to others for as long as it took.
        time.sleep(max(0.02, now - began))


def stays(look: Callable[[], object], wanted: object, until: datetime) -> None:
    """Every look that is over before then sees it."""
    while datetime.now(UTC) < until:
        seen = look()
        assert seen == wanted or datetime.now(UTC) >= until


def becomes(look: Callable[[], object], wanted: object, seconds: float = SECONDS) -> None:
    """Look until it equals `wanted`."""
    eventually(look, lambda seen: seen == wanted, seconds)
