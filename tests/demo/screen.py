"""What the demo prints: plain lines of at most 100 columns, in colour only where somebody looks at them."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from typing import TextIO

WIDTH = 100
_LABEL = 9
_BOLD, _DIM, _RED, _GREEN, _CYAN = "1", "2", "31", "32", "36"
_COLOURS = {"ok": _GREEN, "FAILED": _RED, "Entra": _CYAN, "answer": _DIM, "cluster": _BOLD}


def wants_colour(out: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Never in a pipe or a file, and never for those who said no (https://no-color.org)."""
    return out.isatty() and not environment.get("NO_COLOR")


class Screen:
    """Headings, labelled lines and blocks of text."""

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        self._out = out
        self._colour = colour
        self._step = 0

    def step(self, title: str, why: str = "") -> None:
        """The next numbered step, with a line that says why."""
        self._step += 1
        self._print()
        self._print(self._painted(f"{self._step}. {title}", _BOLD))
        if why:
            self.text(why)

    def title(self, text: str) -> None:
        """A heading without a number."""
        self._print(self._painted(text, _BOLD))

    def text(self, text: str, indent: int = 3) -> None:
        """Prose."""
        for line in _wrapped(text, WIDTH - indent):
            self._print(" " * indent + line)

    def labelled(self, label: str, text: str) -> None:
        """Who or what speaks, then what it says; long texts go on below."""
        lines = _wrapped(text, WIDTH - 3 - _LABEL) or [""]
        padded = label.ljust(_LABEL)
        self._print("   " + self._painted(padded, _COLOURS.get(label, _DIM)) + lines[0])
        for line in lines[1:]:
            self._print(" " * (3 + _LABEL) + line)

    def command(self, text: str) -> None:
        """A command as one would type it; an option stays with its value (written with a no-break space)."""
        first, *rest = _wrapped(text, WIDTH - 9)
        ends = [" \\" for _ in rest] + [""]
        for number, (line, end) in enumerate(zip([first, *rest], ends, strict=True)):
            self._print(
                self._painted(f"   {'$ ' if not number else '    '}{line}{end}".replace("\xa0", " "), _CYAN)
            )

    def said(self, text: str) -> None:
        """What a command printed: long lines go on below, empty ones are left out."""
        for line in filter(None, text.splitlines()):
            first, *rest = _wrapped(line, WIDTH - 5)
            self.block("\n".join([first, *(f"  {more}" for more in rest)]))

    def blank(self) -> None:
        """Room."""
        self._print()

    def block(self, text: str, indent: int = 3) -> None:
        """Output as it is: tables, YAML."""
        for line in text.rstrip().splitlines():
            self._print((" " * indent + line).rstrip())

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _print(self, line: str = "") -> None:
        # Flushed, since a run takes long enough to be watched through a pipe.
        print(line, file=self._out, flush=True)


def _wrapped(text: str, width: int) -> list[str]:
    # A URL or a name may be longer than the line; it is never broken.
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
