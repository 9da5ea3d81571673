"""Bearer tokens: which Secrets make one valid, and that their text is nowhere to be read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim_operator.directory.tokens import Tokens, new_token, token_secret

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOKEN = new_token("entra", bytes(range(32)))
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
OTHERS = "a-token-that-somebody-else-has-made-0123"


def secret(
    name: str = "one", directory: str = "entra", kind: str = "scim-operator.io/token", **data: str
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"scim-operator.io/directory": directory}},
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def tokens(*secrets: dict[str, Any], now: datetime = NOW) -> Tokens:
    made = Tokens(lambda: now)
    made.replace(secrets)
    return made


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
    assert made.valid("entra", TOKEN)
    assert not made.valid("okta", TOKEN)
    assert not made.valid("", TOKEN)


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
    assert not tokens(secret(sha256=HASH)).valid("entra", presented)


@pytest.mark.parametrize(
    "data",
    [
        {"sha256": HASH},
        {"sha256": HASH.upper()},
        {"sha256": HASH + "\n"},
        {"token": TOKEN},
        {"token": TOKEN + "\n"},
        {"token": TOKEN, "sha256": "ignored"},
        {"token": TOKEN, "expires": ""},
        {"token": TOKEN, "expires": "2026-06-01T12:00:01Z"},
        {"token": TOKEN, "expires": "2026-06-01T14:00:01+02:00"},
    ],
)
def test_secrets_that_make_it_valid(data: dict[str, str]) -> None:
    assert tokens(secret(**data)).valid("entra", TOKEN)


@pytest.mark.parametrize(
    "expires", ["2026-06-01T12:00:00Z", "2026-06-01T11:59:59Z", "2020-01-01T00:00:00+00:00"]
)
def test_expired(expires: str) -> None:
    assert not tokens(secret(sha256=HASH, expires=expires)).valid("entra", TOKEN)


def test_expiry_is_looked_at_when_asked() -> None:
    clock = [NOW]
    made = Tokens(lambda: clock[0])
    made.replace([secret(sha256=HASH, expires="2026-06-01T13:00:00Z")])
    assert made.valid("entra", TOKEN)
    clock[0] += timedelta(hours=1)
    assert not made.valid("entra", TOKEN)


def test_warning_names_the_first_that_ends_within_three_weeks() -> None:
    made = tokens(
        secret("later", sha256=HASH, expires="2026-06-15T00:00:00Z"),
        secret("first", sha256=HASH, expires="2026-06-10T00:00:00Z"),
        secret("over", sha256=HASH, expires="2026-05-01T00:00:00Z"),
        secret("far", sha256=HASH, expires="2027-06-01T00:00:00Z"),
        secret("never", sha256=HASH),
        secret("theirs", "okta", sha256=HASH, expires="2026-06-02T00:00:00Z"),
    )
    assert made.expiring("entra") == "2026-06-10T00:00:00+00:00"
    assert made.expiring("nobody") is None


BROKEN: dict[str, dict[str, str]] = {
    "nothing": {},
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
    assert not made.valid("entra", TOKEN)
    assert made.valid("entra", OTHERS)
    assert "broken" in caplog.text
    assert not any(value in caplog.text for value in data.values() if value)


@pytest.mark.parametrize("data", [{"sha256": "%%%"}, {"token": "/////w=="}, None])
def test_secret_that_is_no_text(data: dict[str, str] | None, caplog: pytest.LogCaptureFixture) -> None:
    odd = secret("odd") | {"data": data}
    made = tokens(odd, secret("good", token=OTHERS))
    assert made.valid("entra", OTHERS)
    assert "odd" in caplog.text


def test_secret_of_another_type_is_no_token(caplog: pytest.LogCaptureFixture) -> None:
    assert not tokens(secret(kind="Opaque", sha256=HASH)).valid("entra", TOKEN)
    assert caplog.text == ""


def test_several_are_valid_at_once() -> None:
    made = tokens(secret("old", sha256=HASH), secret("new", token=OTHERS))
    assert made.valid("entra", TOKEN)
    assert made.valid("entra", OTHERS)


def test_changes_take_effect_at_once() -> None:
    made = tokens()
    made.event("ADDED", secret(sha256=HASH))
    assert made.valid("entra", TOKEN)
    made.event("MODIFIED", secret(sha256=hashlib.sha256(b"rotated").hexdigest()))
    assert not made.valid("entra", TOKEN)
    assert made.valid("entra", "rotated")
    made.event("DELETED", secret(sha256=HASH))
    assert not made.valid("entra", "rotated")


@pytest.mark.parametrize("change", [{"sha256": "broken"}, {"kind": "Opaque", "sha256": HASH}])
def test_secret_that_became_unusable_no_longer_opens(change: dict[str, str]) -> None:
    made = tokens(secret(sha256=HASH))
    made.event("MODIFIED", secret(**change))
    assert not made.valid("entra", TOKEN)


def test_new_listing_replaces_everything() -> None:
    made = Tokens(lambda: NOW)
    assert not made.listed
    made.replace([secret(sha256=HASH)])
    assert made.listed
    made.replace([])
    assert not made.valid("entra", TOKEN)


def test_every_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(known: str, presented: str) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, presented)

    made = tokens(secret("a", sha256=HASH), secret("b", token=OTHERS), secret("c", sha256="0" * 64))
    fake = type("Hmac", (), {"compare_digest": staticmethod(compare)})
    monkeypatch.setattr("scim_operator.directory.tokens.hmac", fake)
    assert made.valid("entra", TOKEN)
    assert len(compared) == 3, "the first match must not end the search"


def test_text_of_a_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    made = tokens(secret("a", token=OTHERS), secret("b", token=TOKEN, expires="never"))
    made.event("MODIFIED", secret("a", token=OTHERS, expires="broken"))
    made.valid("entra", TOKEN)
    assert TOKEN not in caplog.text
    assert OTHERS not in caplog.text
    assert OTHERS not in repr(vars(made))
