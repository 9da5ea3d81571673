"""This moment as RFC 3339 text, in UTC, as exactly as it is wanted."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds() -> str:
    """As Kubernetes stores times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds() -> str:
    """As providers are told, and the audit stream tells."""
    return _text("milliseconds")


def microseconds() -> str:
    """As Leases and Events have it."""
    return _text("microseconds")


def _text(exactness: str) -> str:
    return datetime.now(UTC).isoformat(timespec=exactness).replace("+00:00", "Z")
