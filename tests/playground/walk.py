"""The README's "By hand": its commands, and what it says they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# What differs from run to run, as patterns that both sides are reduced to. Ports first: a URL holds one.
_VARIES = (
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"\b\d+m?s\b", "AGE"),
    (r"\bprocess \d+\b", "process PID"),
    (r"\bv\d+\.\d+\.\d+\b", "VERSION"),
    (r" +", " "),
)


@dataclass(frozen=True)
class Step:
    """A block of commands, and the output below it; None: the README shows none."""

    commands: str
    output: str | None


def steps(readme: Path) -> list[Step]:
    """All of the section."""
    section = readme.read_text().split("\n### By hand\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```(sh|)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    found: list[Step] = []
    for kind, text in blocks:
        if kind == "sh":
            found.append(Step(text, None))
        else:
            found[-1] = Step(found[-1].commands, text)
    return found


def same(shown: str, printed: str) -> bool:
    """Whether it is what the README shows, where `…` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in _reduced(shown).split("…"))
    return re.fullmatch(pattern, _reduced(printed), re.DOTALL) is not None


def _reduced(text: str) -> str:
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    return "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())
