"""kubectl's tables, narrowed to the page by leaving out whole columns, never by changing a cell."""

from __future__ import annotations

import re
from collections.abc import Collection


def columns(text: str) -> list[list[str]]:
    """Rows of cells. kubectl pads every column to its widest cell plus three spaces, the header too."""
    lines = text.rstrip().splitlines()
    starts = [found.start() for found in re.finditer(r"(?:(?<=^)|(?<=\s{3}))\S", lines[0])]
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]


def narrowed(text: str, without: Collection[str]) -> str:
    """The table without these columns."""
    rows = columns(text)
    kept = [number for number, name in enumerate(rows[0]) if name not in without]
    widths = {number: max(len(row[number]) for row in rows) for number in kept}
    return "\n".join("  ".join(row[number].ljust(widths[number]) for number in kept).rstrip() for row in rows)
