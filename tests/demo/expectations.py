"""What the demo claims: each claim is checked, said and counted; one that fails stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.demo.screen import Screen
from tests.eventually import SECONDS, eventually

T = TypeVar("T")


class Expectations:
    """All claims of one run."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.held = 0
        self.failed: list[str] = []

    def equal(self, claim: str, seen: T, wanted: T) -> bool:
        """One claim about what was seen."""
        return self.all(claim, [("", seen, wanted)])

    def all(self, claim: str, checks: Iterable[tuple[str, T, T]]) -> bool:
        """One line for many checks of (what, seen, wanted); each counts."""
        wrong = []
        for what, seen, wanted in checks:
            if self.count(f"{claim} {what}".rstrip(), seen, wanted):
                continue
            wrong.append(f"{what} wanted {wanted!r}, saw {seen!r}".lstrip())
        if wrong:
            self._screen.labelled("FAILED", f"{claim}: {'; '.join(wrong)}")
        else:
            self._screen.labelled("ok", claim)
        return not wrong

    def count(self, claim: str, seen: T, wanted: T) -> bool:
        """A claim whose outcome is shown by the caller, such as a cell of a table."""
        if seen == wanted:
            self.held += 1
        else:
            self.failed.append(claim)
        return seen == wanted

    def becomes(self, claim: str, look: Callable[[], T], wanted: T, seconds: float = SECONDS) -> bool:
        """A claim about what the operator does in its own time."""
        return self.equal(claim, _last_seen(look, wanted, seconds), wanted)

    def count_becoming(self, claim: str, look: Callable[[], T], wanted: T, seconds: float = SECONDS) -> bool:
        """`becomes`, said by the caller."""
        return self.count(claim, _last_seen(look, wanted, seconds), wanted)

    @property
    def exit_code(self) -> int:
        """0 when all held."""
        return 1 if self.failed else 0

    def summary(self) -> str:
        """For the last lines of the run."""
        total = self.held + len(self.failed)
        if not self.failed:
            return f"{total} expectations checked, all held"
        return f"{total} expectations checked, {len(self.failed)} FAILED: {'; '.join(self.failed)}"


def _last_seen(look: Callable[[], T], wanted: T, seconds: float) -> T:
    try:
        return eventually(look, lambda seen: seen == wanted, seconds)
    except AssertionError:
        return look()
