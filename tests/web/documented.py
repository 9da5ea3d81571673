"""The exchanges in docs/scim.md: what is asked there, and what is said to be the answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

DOCUMENT = Path(__file__).parents[2] / "docs" / "scim.md"
_BLOCK = re.compile(r"^```http\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Exchange:
    """Bodies are None where there are none; the answer's headers are those that are shown."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any


def exchanges() -> list[Exchange]:
    """All, in the order of the page."""
    return [_exchange(block) for block in _BLOCK.findall(DOCUMENT.read_text())]


def identifier(number: int) -> str:
    """The ids that the page's resources have: made in this order."""
    return str(UUID(int=0x2819C2237F76453A919D413861904646 + number))


def _exchange(block: str) -> Exchange:
    asked, _, answered = block.partition("\n\n")
    (method, path), headers, body = _message(asked)
    (status, *_), _, answer = _message(answered)
    return Exchange(method, path, headers, body, int(status), answer)


def _message(text: str) -> tuple[list[str], dict[str, str], Any]:
    """A first line, headers, and JSON to the end."""
    first, _, rest = text.partition("\n")
    lines = rest.splitlines()
    named = [line.split(": ", 1) for line in lines if re.match(r"[A-Z][\w-]*: ", line)]
    body = "\n".join(lines[len(named) :]).strip()
    return first.split(" "), dict(named), json.loads(body) if body else None
