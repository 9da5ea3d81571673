"""Look-ups that lead to few ids, and to one as a rule: a set of one takes four times what a tuple does."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

# Adding to a tuple copies it.
_MOST = 16

Few = tuple[str, ...] | set[str]
K = TypeVar("K", bound=Hashable)


def add(index: dict[K, Few], key: K, identifier: str) -> None:
    """Let a key lead to an id."""
    found = index.get(key, ())
    if identifier in found:
        return
    if isinstance(found, set):
        found.add(identifier)
    else:
        index[key] = (*found, identifier) if len(found) < _MOST else {*found, identifier}


def discard(index: dict[K, Few], key: K, identifier: str) -> None:
    """Let it lead there no more."""
    found = index.get(key, ())
    if identifier not in found:
        return
    if len(found) == 1:
        del index[key]
    elif isinstance(found, set):
        found.discard(identifier)
    else:
        index[key] = tuple(one for one in found if one != identifier)
