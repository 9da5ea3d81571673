"""A directory's tokens and their last use in its status: told, but not with every request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim_operator.directory.tokens import Tokens
from scim_operator.reconcile.directory_status import recent, token_fields, token_problems
from tests.directory.token_secrets import CREATED, HASH, TOKEN, secret

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    """Tokens at a time of our choice."""

    def __init__(self, *secrets: dict[str, Any]) -> None:
        self.now = NOON
        self.tokens = Tokens(lambda: self.now)
        self.tokens.replace(secrets)

    def used(self, after: timedelta = timedelta()) -> None:
        self.now += after
        self.tokens.check("entra", TOKEN)

    def fields(self, known: dict[str, Any] | None = None) -> dict[str, Any]:
        return token_fields("entra", self.tokens, known or {})


@pytest.mark.parametrize(
    ("known", "latest", "shown"),
    [
        (None, None, None),
        (None, "2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00Z", None, "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00Z", "2026-06-01T12:00:59Z", "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00Z", "2026-06-01T12:01:00Z", "2026-06-01T12:01:00Z"),
        ("2026-06-01T12:00:00Z", "2026-06-01T11:00:00Z", "2026-06-01T12:00:00Z"),
    ],
)
def test_a_time_moves_by_a_minute_at_least(known: str | None, latest: str | None, shown: str | None) -> None:
    assert recent(known, latest) == shown


def test_tokens_are_listed_with_their_end() -> None:
    made = Clock(secret("b", sha256=HASH, expires="2027-01-01T01:00:00+01:00"), secret("a", sha256="0" * 64))
    assert made.fields() == {
        "tokens": [
            {"name": "a", "created": CREATED},
            {"name": "b", "created": CREATED, "expires": "2027-01-01T00:00:00Z"},
        ],
        "tokenExpires": "2027-01-01T00:00:00Z",
    }


def test_none() -> None:
    assert Clock(secret("x", "okta", sha256=HASH)).fields() == {"tokens": None, "tokenExpires": None}


def test_a_thousand_requests_change_nothing_within_a_minute() -> None:
    made = Clock(secret(sha256=HASH))
    made.used()
    known = made.fields()
    assert known["tokens"][0]["lastUsed"] == "2026-06-01T12:00:00Z"
    for _ in range(59):
        made.used(timedelta(seconds=1))
        assert made.fields(known) == known
    made.used(timedelta(seconds=1))
    assert made.fields(known)["tokens"][0]["lastUsed"] == "2026-06-01T12:01:00Z"


def test_last_use_survives_a_restart() -> None:
    before = Clock(secret(sha256=HASH))
    before.used()
    known = before.fields()
    starting = token_fields("entra", Tokens(lambda: NOON), known)
    assert starting == known, "not listed yet: nothing is forgotten"
    assert Clock(secret(sha256=HASH)).fields(known) == known


def test_another_token_of_the_same_name_was_never_used() -> None:
    before = Clock(secret(sha256=HASH))
    before.used()
    after = Clock(secret(sha256=HASH, created="2026-06-02T00:00:00Z")).fields(before.fields())
    assert after["tokens"] == [{"name": "one", "created": "2026-06-02T00:00:00Z"}]


def test_problems_name_the_secret_and_what_to_do() -> None:
    made = Clock(
        secret("fine", sha256=HASH),
        secret("soon", sha256=HASH, expires="2026-06-10T00:00:00Z"),
        secret("torn", sha256="zz"),
        secret("torn-too", sha256=HASH, token=TOKEN),
    )
    problems = token_problems("entra", made.tokens)
    assert [problem.condition for problem in problems] == ["TokenUnusable", "TokenUnusable", "TokenExpiring"]
    assert "Secret torn opens nothing" in problems[0].message
    assert "`sha256`" in problems[0].message
    assert "`token`" in problems[1].message
    assert "token soon expires at 2026-06-10T00:00:00Z" in problems[2].message
    assert "scim-operator token create entra" in problems[2].message
    assert token_problems("okta", made.tokens) == []


def test_directory_whose_tokens_have_all_expired_says_so() -> None:
    over = secret("over", sha256=HASH, expires="2026-05-31T00:00:00Z")
    (problem,) = token_problems("entra", Clock(over).tokens)
    assert (problem.condition, problem.reason) == ("TokenExpiring", "Expired")
    assert "scim-operator token create entra -n operators" in problem.message
    assert token_problems("entra", Clock(over, secret("valid", sha256=HASH)).tokens) == []
