"""Bearer tokens: which Secrets make one valid, and that their text is nowhere to be read."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim_operator.directory.tokens import Refusal, Token, Tokens, new_token, token_secret
from tests.directory.token_secrets import CREATED, HASH, TOKEN, secret

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OTHERS = "a-token-that-somebody-else-has-made-0123"


def tokens(*secrets: dict[str, Any], now: datetime = NOW) -> Tokens:
    made = Tokens(lambda: now)
    made.replace(secrets)
    return made


def opens(made: Tokens, directory: str, presented: str) -> bool:
    return isinstance(made.check(directory, presented), Token)


def test_token_has_its_form() -> None:
    assert re.fullmatch(r"scimop_entra_[A-Za-z0-9_-]{43}", TOKEN)
    assert new_token("entra", bytes(32)) != new_token("entra", bytes([1] * 32))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_token_needs_256_bits(length: int) -> None:
    with pytest.raises(ValueError, match="32"):
        new_token("entra", bytes(length))


def test_secret_holds_the_hash_alone() -> None:
    made = token_secret("entra", TOKEN, "name")
    assert made["type"] == "scim-operator.io/token"
    assert made["metadata"]["labels"]["scim-operator.io/directory"] == "entra"
    assert made["stringData"] == {"sha256": HASH}
    assert TOKEN not in str(made)


def test_token_opens_its_directory_alone() -> None:
    made = tokens(secret(sha256=HASH))
    assert opens(made, "entra", TOKEN)
    assert not opens(made, "okta", TOKEN)
    assert not opens(made, "", TOKEN)


@pytest.mark.parametrize(
    "presented",
    [
        "",
        " ",
        TOKEN[:-1],
        TOKEN + "x",
        TOKEN.upper(),
        HASH,
        "Bearer " + TOKEN,
        "\udcff",
        "ü",
        "\0",
        "x" * 100_000,
    ],
)
def test_anything_else_does_not(presented: str) -> None:
    assert not opens(tokens(secret(sha256=HASH)), "entra", presented)


@pytest.mark.parametrize(
    "data",
    [
        {"sha256": HASH},
        {"sha256": HASH.upper()},
        {"sha256": HASH + "\n"},
        {"token": TOKEN},
        {"token": TOKEN + "\n"},
        {"token": TOKEN, "expires": "2026-06-01T12:00:01Z"},
        {"token": TOKEN, "expires": "2026-06-01T14:00:01+02:00"},
    ],
)
def test_secrets_that_make_it_valid(data: dict[str, str]) -> None:
    assert opens(tokens(secret(**data)), "entra", TOKEN)


@pytest.mark.parametrize(
    "expires", ["2026-06-01T12:00:00Z", "2026-06-01T11:59:59Z", "2020-01-01T00:00:00+00:00"]
)
def test_expired(expires: str) -> None:
    assert not opens(tokens(secret(sha256=HASH, expires=expires)), "entra", TOKEN)


def test_expiry_is_looked_at_when_asked() -> None:
    clock = [NOW]
    made = Tokens(lambda: clock[0])
    made.replace([secret(sha256=HASH, expires="2026-06-01T13:00:00Z")])
    assert opens(made, "entra", TOKEN)
    clock[0] += timedelta(hours=1)
    assert not opens(made, "entra", TOKEN)


def test_warning_names_the_first_that_ends_within_three_weeks() -> None:
    made = tokens(
        secret("later", sha256=HASH, expires="2026-06-15T00:00:00Z"),
        secret("first", sha256=HASH, expires="2026-06-10T00:00:00Z"),
        secret("over", sha256=HASH, expires="2026-05-01T00:00:00Z"),
        secret("far", sha256=HASH, expires="2027-06-01T00:00:00Z"),
        secret("never", sha256=HASH),
        secret("theirs", "okta", sha256=HASH, expires="2026-06-02T00:00:00Z"),
    )
    soon = made.ending_soon("entra")
    assert soon is not None
    assert soon.name == "first"
    assert made.ending_soon("nobody") is None


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ({}, None),
        ({"never": ""}, None),
        ({"far": "2027-06-01T00:00:00Z", "near": "2026-07-01T00:00:00Z"}, "2026-07-01T00:00:00Z"),
        ({"over": "2026-05-01T00:00:00Z", "near": "2026-07-01T00:00:00Z"}, "2026-07-01T00:00:00Z"),
        ({"over": "2026-05-01T00:00:00Z", "never": ""}, None),
        ({"over": "2026-05-01T00:00:00Z", "older": "2026-04-01T00:00:00Z"}, "2026-05-01T00:00:00Z"),
    ],
)
def test_next_end_is_that_of_a_valid_token_while_there_is_one(
    ends: dict[str, str], shown: str | None
) -> None:
    held = {name: {"expires": end} if end else {} for name, end in ends.items()}
    made = tokens(*(secret(name, sha256=HASH, **data) for name, data in held.items()))
    assert made.next_end("entra") == (datetime.fromisoformat(shown) if shown else None)


def test_why_a_request_is_not_let_in() -> None:
    made = tokens(
        secret("over", sha256=HASH, expires="2026-05-01T00:00:00Z"), secret("theirs", "okta", token=OTHERS)
    )
    assert made.check("entra", "") is Refusal.MISSING
    assert made.check("entra", "guess") is Refusal.UNKNOWN
    assert made.check("entra", TOKEN) is Refusal.EXPIRED
    assert made.check("entra", OTHERS) is Refusal.ELSEWHERE
    assert made.check("nowhere", OTHERS) is Refusal.ELSEWHERE


def test_one_text_in_two_secrets_opens_until_the_later_end() -> None:
    ends = {"a": "2026-05-01T00:00:00Z", "b": "2026-07-01T00:00:00Z"}
    made = tokens(*(secret(name, sha256=HASH, expires=end) for name, end in ends.items()))
    found = made.check("entra", TOKEN)
    assert isinstance(found, Token)
    assert found.name == "b"


def test_last_use_is_known_of_the_token_that_opened() -> None:
    clock = [NOW]
    made = Tokens(lambda: clock[0])
    made.replace([secret("a", sha256=HASH), secret("b", token=OTHERS)])
    made.check("okta", TOKEN)
    assert made.last_used("a") is None, "a refused request is no use"
    made.check("entra", TOKEN)
    clock[0] += timedelta(minutes=5)
    made.check("entra", OTHERS)
    assert (made.last_used("a"), made.last_used("b")) == ("2026-06-01T12:00:00Z", "2026-06-01T12:05:00Z")
    made.event("DELETED", secret("a", sha256=HASH))
    made.event("ADDED", secret("a", sha256=HASH))
    assert made.last_used("a") is None, "another token under the same name"


def test_tokens_of_a_directory() -> None:
    made = tokens(secret("b", sha256=HASH), secret("a", token=OTHERS), secret("c", "okta", sha256="0" * 64))
    assert [(token.name, token.created) for token in made.of("entra")] == [("a", CREATED), ("b", CREATED)]


BROKEN: dict[str, dict[str, str]] = {
    "nothing": {},
    "both keys": {"sha256": HASH, "token": TOKEN},
    "token of okta": {"token": new_token("okta", bytes(32))},
    "token of entra-two": {"token": new_token("entra-two", bytes(32))},
    "short token": {"token": "s3cr3t"},
    "empty token": {"token": ""},
    "short hash": {"sha256": HASH[:-1]},
    "no hash": {"sha256": "g" * 64},
    "no time": {"sha256": HASH, "expires": "tomorrow"},
    "no zone": {"sha256": HASH, "expires": "2027-01-01T00:00:00"},
    "date": {"sha256": HASH, "expires": "2027-01-01"},
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken_secret_is_ignored_and_named(data: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    made = tokens(secret("broken", **data), secret("good", token=OTHERS))
    assert not opens(made, "entra", TOKEN)
    assert opens(made, "entra", OTHERS)
    (record,) = caplog.records
    told = str(vars(record)) + str(made.unusable("entra"))
    assert "Secret broken" in told
    assert not any(value in told for value in data.values() if value)


@pytest.mark.parametrize("data", [{"sha256": "%%%"}, {"token": "/////w=="}, None])
def test_secret_that_is_no_text(data: dict[str, str] | None, caplog: pytest.LogCaptureFixture) -> None:
    odd = secret("odd") | {"data": data}
    made = tokens(odd, secret("good", token=OTHERS))
    assert opens(made, "entra", OTHERS)
    assert caplog.records[0].__dict__["secret"] == "odd"


def test_secret_of_another_type_is_no_token() -> None:
    """kubectl makes Opaque ones when it isn't told: whoever labelled it will want to know."""
    made = tokens(secret("plain", kind="Opaque", sha256=HASH))
    assert not opens(made, "entra", TOKEN)
    (why,) = made.unusable("entra")
    assert "Secret plain" in why
    assert "its type is Opaque, not scim-operator.io/token" in why


def test_what_is_unusable_is_told_until_it_is_mended(caplog: pytest.LogCaptureFixture) -> None:
    broken = secret("x", sha256=HASH, expires="tomorrow")
    made = tokens(broken, secret("y", "okta"))
    made.replace([broken])
    made.event("MODIFIED", broken)
    assert len(caplog.records) == 2, "each once, however often it is seen"
    (why,) = made.unusable("entra")
    assert why.startswith("Secret x opens nothing: key `expires`")
    assert made.unusable("okta") == [], "deleted, said the new list"
    made.event("MODIFIED", secret("x", sha256=HASH))
    assert made.unusable("entra") == []


def test_several_are_valid_at_once() -> None:
    made = tokens(secret("old", sha256=HASH), secret("new", token=OTHERS))
    assert opens(made, "entra", TOKEN)
    assert opens(made, "entra", OTHERS)


def test_changes_take_effect_at_once() -> None:
    made = tokens()
    made.event("ADDED", secret(sha256=HASH))
    assert opens(made, "entra", TOKEN)
    made.event("MODIFIED", secret(sha256=hashlib.sha256(b"rotated").hexdigest()))
    assert not opens(made, "entra", TOKEN)
    assert opens(made, "entra", "rotated")
    made.event("DELETED", secret(sha256=HASH))
    assert not opens(made, "entra", "rotated")


@pytest.mark.parametrize("change", [{"sha256": "broken"}, {"kind": "Opaque", "sha256": HASH}])
def test_secret_that_became_unusable_no_longer_opens(change: dict[str, str]) -> None:
    made = tokens(secret(sha256=HASH))
    made.event("MODIFIED", secret(**change))
    assert not opens(made, "entra", TOKEN)


def test_new_listing_replaces_everything() -> None:
    made = Tokens(lambda: NOW)
    assert not made.listed
    made.replace([secret(sha256=HASH)])
    assert made.listed
    made.replace([])
    assert not opens(made, "entra", TOKEN)


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(known: str, presented: str) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, presented)

    made = tokens(secret("a", sha256=HASH), secret("b", token=OTHERS), secret("c", sha256="0" * 64))
    fake = type("Hmac", (), {"compare_digest": staticmethod(compare)})
    monkeypatch.setattr("scim_operator.directory.tokens.hmac", fake)
    assert opens(made, "entra", TOKEN)
    assert len(compared) == 3, "the first match must not end the search"


def test_text_of_a_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    made = tokens(secret("a", token=OTHERS), secret("b", token=TOKEN, expires="never"))
    made.event("MODIFIED", secret("a", token=OTHERS, expires="broken"))
    opens(made, "entra", TOKEN)
    assert TOKEN not in caplog.text
    assert OTHERS not in caplog.text
    assert OTHERS not in repr(vars(made))


@pytest.mark.parametrize("expires", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_end_that_no_clock_reaches_breaks_nothing(expires: str) -> None:
    made = tokens(secret(sha256=HASH, expires=expires))
    assert made.of("entra") == []
    (why,) = made.unusable("entra")
    assert "`expires`" in why


def test_keys_of_others_are_not_read() -> None:
    made = secret(token=OTHERS)
    made["data"]["ca.crt"] = "//79"  # three bytes that are no text
    assert opens(tokens(made), "entra", OTHERS)


@pytest.mark.parametrize("expires", ["", " "])
def test_empty_end_is_no_endless_token(expires: str) -> None:
    """A template whose value is missing writes this; it must not open for ever."""
    made = tokens(secret(sha256=HASH, expires=expires))
    assert not opens(made, "entra", TOKEN)
    assert "`expires`" in made.unusable("entra")[0]
