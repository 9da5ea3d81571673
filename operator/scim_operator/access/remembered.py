"""What is worked out about sets of people is remembered, as many places have the same, most of the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Where there are more people than that, each change makes another set of them, at 50,000 of 8 MB with what
# comes of it: of these the last few are kept, which are those of the places that are being looked at.
_MANY, _OF_FEW, _OF_MANY = 500, 256, 8


def remembered(work: Callable[P, T]) -> Callable[P, T]:
    """Of a pure function that takes one frozenset."""
    few, many = lru_cache(_OF_FEW)(work), lru_cache(_OF_MANY)(work)

    @wraps(work)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        people = next(item for item in args if isinstance(item, frozenset))
        return (many if len(people) > _MANY else few)(*args)

    return answer
