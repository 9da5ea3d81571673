"""docs/demo.md: what a run of the demo printed, in a page; and what differs from run to run.

make transcript      # run the demo and write its output there, then look at `git diff docs/demo.md`
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "demo.md"
RENEW = "make transcript"

_BLOCK = re.compile(r"(?<=^```\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
# Versions stay: when they change, the page is outdated.
_VARIES = (
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"(\bports\.\w+|-port)=\d+", r"\1=PORT"),
    (r"\b[0-9a-f]{4}…", "ID…"),
    (r"(scimop_\w+?_)[\w-]{4}…", r"\1TOKEN…"),
    (r"(scim-token-\w+-)[0-9a-f]{8}\b", r"\1HASH"),
    (r"\b\d+ ms\b", "N ms"),
    (r"(up in|all held;) [\d.]+ s\b", r"\1 N s"),
    (r"\b\d+s\b", "AGE"),
    (r" +", " "),
)


def shown(text: str) -> str:
    """The first block of a page, or of a part of one."""
    found = _BLOCK.search(text)
    if found is None:
        raise ValueError(f"no block of output in {text[:200]!r}")
    return found[0]


def reduced(text: str) -> list[str]:
    """Lines without what is random or timed: ports, ids, tokens, durations, ages and the width of columns."""
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def write(printed: str, page: Path = PAGE) -> None:
    """Put a run in the place of the one before."""
    page.write_text(_BLOCK.sub(lambda _: printed, page.read_text(), count=1))


if __name__ == "__main__":
    # A run that fails has said why on stderr, and leaves the page as it is.
    run = subprocess.run([sys.executable, "-m", "tests.demo"], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        sys.exit(f"{run.stdout}\nthe demo failed; {PAGE} stays as it was")
    write(run.stdout)
    sys.stdout.write(f"{PAGE}\n")
