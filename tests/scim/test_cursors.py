"""Cursors: opaque, sealed, bound to what was asked."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.scim.cursors import CURSOR_SECONDS, Place, cursor_of, place_of
from scim_operator.scim.errors import ScimError

KEY = b"k" * 32
ASKED = ["entra", "users", 'userName sw "a"', "userName", ""]
PLACE: Place = (0, 0, "ada", 0, "2026-01-01T00:00:00Z", "id-1")


def refusal(cursor: str, asked: list[str] = ASKED, key: bytes = KEY, now: int = 1000) -> str | None:
    """The scimType that a cursor is refused with."""
    with pytest.raises(ScimError) as caught:
        place_of(cursor, asked, key, now)
    assert caught.value.status == 400
    return caught.value.scim_type


@given(
    st.tuples(st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    st.lists(st.text(), min_size=1),
)
def test_place_comes_back(place: Place, asked: list[str]) -> None:
    cursor = cursor_of(place, asked, KEY, 1000)
    assert place_of(cursor, asked, KEY, 1000 + CURSOR_SECONDS) == place
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor), "needs no escaping in a URL"


@pytest.mark.parametrize("place", range(len(ASKED)))
def test_another_question_is_another_list(place: int) -> None:
    cursor = cursor_of(PLACE, ASKED, KEY, 1000)
    assert refusal(cursor, [*ASKED[:place], "other", *ASKED[place + 1 :]]) == "invalidCursor"


def test_parts_of_a_question_do_not_run_together() -> None:
    assert refusal(cursor_of(PLACE, ["a", "bc"], KEY, 1000), ["ab", "c"]) == "invalidCursor"


def test_another_key_is_another_directory() -> None:
    assert refusal(cursor_of(PLACE, ASKED, KEY, 1000), key=b"x" * 32) == "invalidCursor"


def test_any_changed_character_is_seen() -> None:
    cursor = cursor_of(PLACE, ASKED, KEY, 1000)
    for number, letter in enumerate(cursor[:-1]):  # the last may hold bits that say nothing
        changed = "A" if letter != "A" else "B"
        assert refusal(cursor[:number] + changed + cursor[number + 1 :]) == "invalidCursor"
    assert refusal(cursor[:-2]) == "invalidCursor"


@pytest.mark.parametrize("text", ["x", "", "AAAA", "é", "a b", "====", "A" * 10_000, "\ud800", "%00"])
def test_what_is_no_cursor(text: str) -> None:
    assert refusal(text) == "invalidCursor"


def test_cursor_ends() -> None:
    assert refusal(cursor_of(PLACE, ASKED, KEY, 1000), now=1001 + CURSOR_SECONDS) == "expiredCursor"


@pytest.mark.parametrize("place", [PLACE, (0, 0, "ada", 1), ("a" * 10_000,), ()])
def test_nobody_reads_a_place(place: Place) -> None:
    cursor = cursor_of(place, ASKED, KEY, 1000)
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert not any(part in sealed for part in (b"ada", b"id-1", b"aaaa", b"2026", b"4600"))
    # Nor does it tell what two places have in common.
    other = cursor_of((*place, 1), ASKED, KEY, 1000)
    assert cursor[:8] != other[:8]
    veiled = zip(sealed[16:], base64.urlsafe_b64decode(other + "===")[16:], strict=False)
    assert sum(one == same for one, same in veiled) < 5 + len(sealed) // 20
