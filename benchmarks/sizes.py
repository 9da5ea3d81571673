"""How much is measured: whole, in a minute for trying, or as the command line says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

LETTERS = "abcdefgh"
# Beside them: the engine alone.
SECTIONS = (*LETTERS, "engine")


@dataclass(frozen=True)
class Sizes:
    """clients, rounds, seconds: of section a, and of b's clients the second; a round's longest time.

    cycle: users of c and d; growth: of g; restarts: of f; leavers: at `cycle`, and half as many at others;
    crowd: members of e's group; changes: of it, of each kind. Groups are a tenth of the users.
    """

    clients: tuple[int, ...] = (1, 8, 32)
    rounds: int = 3
    seconds: float = 1.2
    lifecycle: float = 10.0
    cycle: int = 10_000
    leavers: int = 200
    growth: tuple[int, ...] = (1_000, 5_000, 20_000)
    restarts: tuple[int, ...] = (1_000, 10_000, 50_000)
    crowd: int = 50_000
    changes: int = 20

    @staticmethod
    def chosen(arguments: argparse.Namespace) -> Sizes:
        """What the command line says, on top of the whole or of --quick."""
        said = {field.name: getattr(arguments, field.name) for field in fields(Sizes)}
        given = {name: value for name, value in said.items() if value is not None}
        return replace(QUICK if arguments.quick else Sizes(), **given)

    def checkpoints(self, sections: Sequence[str]) -> dict[int, bool]:
        """At how many users something is measured -> whether SCIM brings them, else a loader."""
        by_scim = {users for letter in "cg" if letter in sections for users in self._at(letter)}
        most = max(by_scim, default=0)
        wanted = {users for letter in sections for users in self._at(letter)}
        return {users: users <= most for users in sorted(wanted)}

    def is_at(self, letter: str, users: int) -> bool:
        """Whether a section wants something at so many users."""
        return users in self._at(letter)

    def _at(self, letter: str) -> tuple[int, ...]:
        at = {"c": (self.cycle,), "d": (self.cycle,), "e": (self.crowd,)}
        return at.get(letter, ()) or {"f": self.restarts, "g": self.growth}.get(letter, ())


QUICK = Sizes(
    clients=(1, 8),
    rounds=1,
    seconds=0.3,
    lifecycle=1.0,
    cycle=60,
    leavers=4,
    growth=(30, 60),
    restarts=(30, 2_500),
    crowd=2_500,
    changes=2,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """One for each size."""
    parser.add_argument("--quick", action="store_true", help="tiny sizes, about a minute: to try it")
    for field in fields(Sizes):
        default: object = field.default
        several = isinstance(default, tuple)
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        kind = _numbers if several else type(default)
        parser.add_argument(f"--{field.name}", type=kind, help=f"default: {shown}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
