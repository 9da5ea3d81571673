"""What a run measured, kept in its folder from one process to the next, and told at its end."""

from __future__ import annotations

import json
from pathlib import Path


class Figures:
    """Names, numbers, units, in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "figures.jsonl"

    def add(self, name: str, number: float, unit: str) -> None:
        """One more."""
        with self._path.open("a") as file:
            file.write(json.dumps([name, number, unit]) + "\n")

    def table(self) -> list[str]:
        """As lines."""
        rows = [json.loads(line) for line in self._path.read_text().splitlines()]
        wide = max(len(name) for name, _, _ in rows)
        return [f"{name.ljust(wide)}  {number:7.1f} {unit}" for name, number, unit in rows]
