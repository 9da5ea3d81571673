"""Lengths of time as Kubernetes writes them: `720h`, `1h30m`, `45s`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
_PARTS = re.compile(_PATTERN)
_SECONDS = (3600, 60, 1)

Duration = Annotated[str, StringConstraints(pattern=_PATTERN, min_length=2, max_length=21)]


def seconds(duration: str) -> int:
    """How long that is. The text has passed the pattern."""
    parts = _PARTS.fullmatch(duration)
    if parts is None:
        raise ValueError(f"{duration!r} is no length of time such as 720h, 1h30m or 45s")
    found = (int(part[:-1]) if part else 0 for part in parts.groups())
    return sum(number * unit for number, unit in zip(found, _SECONDS, strict=True))
