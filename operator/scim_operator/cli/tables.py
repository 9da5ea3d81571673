"""Columns as kubectl sets them, and names that somebody else chose as a terminal may show them."""

from __future__ import annotations

from collections.abc import Sequence


def shown(text: str) -> str:
    """What can't be seen, or moves the cursor or the direction of writing, is escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def as_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, three spaces between."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
