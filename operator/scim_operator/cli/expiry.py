"""`--expires`: a span from now on, or a moment."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMS = "90d (also m, h, w), or a time with its zone such as 2027-01-31T00:00:00Z"


def expiry(text: str, now: datetime | None = None) -> datetime:
    """An aware datetime in the future. Raises ArgumentTypeError, which argparse turns into a usage error."""
    now = now or datetime.now(UTC)
    if span := _SPAN.fullmatch(text):
        try:
            moment = now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        except OverflowError:
            raise argparse.ArgumentTypeError(f"{text!r} is too far away") from None
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither {_FORMS}") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; end it with Z")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise argparse.ArgumentTypeError(f"{text!r} is too far away") from None
    if moment <= now:
        raise argparse.ArgumentTypeError(f"{text!r} is not in the future")
    return moment
