"""What a lock denies at which moment, and what it tells."""

from __future__ import annotations

import math

import pytest

from scim_operator.access.locks import Lock, nobody_yet, out_of_reach, seconds_at, still_standing, told
from scim_operator.api.lock import LockSpec

END = "2026-11-26T20:00:00Z"


def spec(**fields: str) -> LockSpec:
    return LockSpec.model_validate({"reason": "lost laptop", **fields})


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (None, math.inf),
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("1970-01-01T00:01:00.250Z", 60.25),
    ],
)
def test_moments(moment: str | None, seconds: float) -> None:
    assert seconds_at(moment) == seconds


@pytest.mark.parametrize("until", ["2026-11-26", "2026-11-26T20:00:00", "2026-13-26T20:00:00Z", "tomorrow"])
def test_what_is_no_moment_is_refused(until: str) -> None:
    with pytest.raises(ValueError, match="until"):
        spec(subject="ada", until=until)


NEVER, BEFORE, AT = None, seconds_at(END) - 0.001, seconds_at(END)


@pytest.mark.parametrize(
    ("names", "called", "until", "now", "denied"),
    [
        (("ada",), "", NEVER, AT, {"ada"}),
        (("ada",), "ada", NEVER, AT, {"ada"}),
        # Renamed: both names, and those in between.
        (("ada",), "lovelace", NEVER, AT, {"ada", "lovelace"}),
        (("ada", "byron"), "lovelace", NEVER, AT, {"ada", "byron", "lovelace"}),
        # Not found yet, or without a name in bindings.
        ((), "", NEVER, AT, set()),
        ((), "lovelace", NEVER, AT, {"lovelace"}),
        (("ada",), "lovelace", END, BEFORE, {"ada", "lovelace"}),
        (("ada",), "lovelace", END, AT, set()),
    ],
)
def test_denied(names: tuple[str, ...], called: str, until: str | None, now: float, denied: set[str]) -> None:
    made = Lock("laptop", spec(subject="ada", **({"until": until} if until else {})), names, "id")
    found = made.meaning("id", called)
    assert found.denied(now) == denied
    assert found.names[:1] == (names or (called,) if called else names)[:1], "the first one stays"


def test_words_name_what_to_type() -> None:
    message = told(Lock("laptop", spec(subject="ada"), ("ada",))).message
    assert "lost laptop" in message and "kubectl delete accesslock laptop" in message
    assert "until it is deleted" in message
    assert END in told(Lock("laptop", spec(subject="ada", until=END), ("ada",))).message


def test_lists_are_cut() -> None:
    assert "and 2 more" in still_standing([f"team-{number}" for number in range(7)]).message
    assert "and 1 more" in out_of_reach([(f"p{number}", "g") for number in range(6)]).message
    assert "as soon as they come" in nobody_yet(spec(directory="entra", userName="ada")).message
