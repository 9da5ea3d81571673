"""Bearer tokens: made here, kept as SHA-256 in Secrets of our own namespace, known by watching those.

The text of a token exists twice: where it is printed once, and in the provider.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scim_operator.api.kinds import DIRECTORY_LABEL, MANAGED_BY, MANAGED_BY_LABEL, TOKEN_SECRET_TYPE

log = logging.getLogger(__name__)

Object = dict[str, Any]
TOKEN_SELECTOR = DIRECTORY_LABEL
# An identity admin may be on holiday.
_WARN_BEFORE = timedelta(days=21)


@dataclass(frozen=True)
class Token:
    """A token's proof. `expires` is an aware datetime or None."""

    directory: str
    digest: str
    expires: datetime | None


def new_token(directory: str, random_bytes: bytes) -> str:
    """`scimop_<directory>_<43 base64url>` from 32 random bytes (rule 22: 256 bits)."""
    if len(random_bytes) != 32:
        raise ValueError("a token needs 32 random bytes")
    return f"scimop_{directory}_{base64.urlsafe_b64encode(random_bytes).rstrip(b'=').decode()}"


def token_secret(directory: str, token: str, name: str) -> Object:
    """The Secret that makes a token valid."""
    return {
        "metadata": {
            "name": name,
            "labels": {DIRECTORY_LABEL: directory, MANAGED_BY_LABEL: MANAGED_BY},
        },
        "type": TOKEN_SECRET_TYPE,
        "stringData": {"sha256": _digest(token)},
    }


class Tokens:
    """The tokens that are valid now. `now` gives an aware datetime."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_secret: dict[str, Token] = {}
        self.listed = False

    def replace(self, secrets: Iterable[Mapping[str, Any]]) -> None:
        """Take in all Secrets."""
        self._by_secret = {}
        for secret in secrets:
            self._put(secret)
        self.listed = True

    def event(self, kind: str, secret: Mapping[str, Any]) -> None:
        """Take in one change of a Secret."""
        self._by_secret.pop(secret["metadata"]["name"], None)
        if kind != "DELETED":
            self._put(secret)

    def valid(self, directory: str, presented: str) -> bool:
        """Whether a token opens a directory. Every token of the directory is compared, in constant time."""
        digest = _digest(presented)
        now = self._now()
        matches = [
            hmac.compare_digest(token.digest, digest) and (token.expires is None or now < token.expires)
            for token in self._by_secret.values()
            if token.directory == directory
        ]
        return any(matches)

    def expiring(self, directory: str) -> str | None:
        """When the first token that is still valid, but not for long, ends: RFC 3339, or None."""
        now = self._now()
        ends = [
            token.expires
            for token in self._by_secret.values()
            if token.directory == directory and token.expires and now < token.expires < now + _WARN_BEFORE
        ]
        return min(ends).isoformat() if ends else None

    def _put(self, secret: Mapping[str, Any]) -> None:
        if secret.get("type") != TOKEN_SECRET_TYPE:
            return
        name = secret["metadata"]["name"]
        try:
            self._by_secret[name] = _token(secret)
        except ValueError as error:
            # The Secret's content must not reach a log; the message names the key alone.
            log.error("Secret %s is no valid token and is ignored: %s", name, error)


def _token(secret: Mapping[str, Any]) -> Token:
    directory = secret["metadata"]["labels"][DIRECTORY_LABEL]
    data = {key: _text(key, value) for key, value in (secret.get("data") or {}).items()}
    if "token" in data:
        if len(data["token"]) < 32:
            raise ValueError("key `token` is shorter than 32 characters")
        digest = _digest(data["token"])
    else:
        digest = data.get("sha256", "").lower()
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError("it has neither a key `token` nor a key `sha256` of 64 hex digits")
    return Token(directory, digest, _time(data.get("expires")))


def _text(key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except ValueError as error:
        raise ValueError(f"key `{key}` is no base64 text") from error


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("key `expires` is no RFC 3339 time such as 2027-01-31T00:00:00Z") from error
    if moment.tzinfo is None:
        raise ValueError("key `expires` has no time zone; end it with Z")
    return moment


def _digest(token: str) -> str:
    # A header may hold any byte; aiohttp hands those that are no UTF-8 over as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
