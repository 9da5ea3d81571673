"""Dates of RFC 7643 section 2.3.5 as something that compares by time: `...Z`, `...+01:00`, with or without
fractions. No clock is read and no zone database; a date alone is its midnight in UTC.
"""

from __future__ import annotations

import calendar
import re

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE | re.ASCII,
)


def instant(text: str) -> tuple[int, int] | None:
    """(seconds since 1970 in UTC, nanoseconds), or None if the text is no date."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        seconds = calendar.timegm((year, month, day, hour, minute, second))
    except ValueError:
        return None
    return seconds - _offset(match[8] or "Z"), int((match[7] or "").ljust(9, "0"))


def _offset(zone: str) -> int:
    if zone.upper() == "Z":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return -seconds if zone[0] == "-" else seconds
