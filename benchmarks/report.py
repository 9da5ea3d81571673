"""What a run found: a table for people, JSON for whoever compares runs, a chart of each section."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol

from benchmarks import goals
from benchmarks.chart import Chart
from benchmarks.goals import Goal

_ROOT = Path(__file__).parents[1]


class Section(Protocol):
    """What one section found; a dataclass."""

    letter: ClassVar[str]
    title: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def table(self) -> list[str]:
        """Lines of at most 110 columns."""

    def goals(self) -> list[Goal]:
        """What is wanted of it."""

    def chart(self) -> Chart:
        """Its picture."""


@dataclass(frozen=True)
class Report:
    """One run. versions: of the control plane's programs; name: of its files; command: that made it."""

    versions: dict[str, str]
    sections: Sequence[Section]
    seconds: float
    name: str = "figures"
    command: str = "make bench"

    def write(self, folder: Path) -> None:
        """NAME.json, LETTER.svg, and NAME.md, which shows all of it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.json").write_text(json.dumps(self._document(), indent=1) + "\n")
        for section in self.sections:
            drawn = section.chart().svg(self._about())
            (folder / f"{section.letter}.svg").write_text(drawn)
        (folder / f"{self.name}.md").write_text(self._page())

    def table(self) -> str:
        """For a terminal, 110 columns."""
        return "\n\n".join("\n".join(part) for part in [self._about(), *map(_part, self.sections)])

    def _page(self) -> str:
        heading = f"# {self.name.capitalize()}"
        parts = [heading, f"Written by `{self.command}`; read with [performance.md](../performance.md).", ""]
        parts += ["\n".join(("```", *self._about(), "```"))]
        for section in self.sections:
            parts += [f"## {_heading(section)}", "\n".join(("```", *_part(section)[1:], "```"))]
            parts += [f"![{section.title}]({section.letter}.svg)"]
        return "\n\n".join(parts) + "\n"

    def _about(self) -> list[str]:
        about = machine()
        return [
            f"scim-operator {version('scim-operator')} ({_commit()}), {datetime.now(UTC):%Y-%m-%d}; "
            f"Kubernetes {self.versions['kube-apiserver']}, etcd {self.versions['etcd']} with fsync",
            f"{about['cores']} cores ({about['processor']}), Python {about['python']}; shared by load "
            f"client, operator, API server, etcd; {self.seconds:.0f} s",
        ]

    def _document(self) -> dict[str, Any]:
        return {
            "format": 2,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "machine": machine(),
            "versions": {"scim-operator": version("scim-operator"), "commit": _commit(), **self.versions},
            "sections": {
                section.letter: {
                    "title": section.title,
                    **asdict(section),
                    "goals": [goal.document() for goal in section.goals()],
                }
                for section in self.sections
            },
        }


def machine() -> dict[str, Any]:
    """What it ran on."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _heading(section: Section) -> str:
    return f"{section.letter}. {section.title}" if len(section.letter) == 1 else section.title


def _part(section: Section) -> list[str]:
    return [_heading(section), *section.table(), *goals.lines(section.goals())]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no git"
