"""`--expires`: a span or a moment, in the future, never guessed at."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import pytest

from scim_operator.cli.expiry import expiry

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", "2026-06-01T12:30:00Z"),
        ("12h", "2026-06-02T00:00:00Z"),
        ("90d", "2026-08-30T12:00:00Z"),
        ("2w", "2026-06-15T12:00:00Z"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2027-01-01T00:00:00+02:00", "2026-12-31T22:00:00Z"),
    ],
)
def test_understood(text: str, moment: str) -> None:
    assert expiry(text, NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither"),
        ("90", "neither"),
        ("d", "neither"),
        ("-1d", "neither"),
        ("1y", "neither"),
        ("999999d", "neither"),
        ("tomorrow", "neither"),
        ("0d", "not in the future"),
        ("2026-06-01T12:00:00Z", "not in the future"),
        ("2027-01-01", "no time zone"),
        ("2027-01-01T00:00:00", "no time zone"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        expiry(text, NOW)


def test_longest_spans_do_not_overflow() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="too far"):
        expiry("99999w", datetime(9000, 1, 1, tzinfo=UTC))


def test_moment_that_is_none_in_utc_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="too far"):
        expiry("9999-12-31T23:59:59-05:00", NOW)
