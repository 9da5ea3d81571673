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
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from scim_operator.api.kinds import (
    DIRECTORY_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PASSING_LABEL,
    TOKEN_SECRET_TYPE,
)

log = logging.getLogger(__name__)

Object = dict[str, Any]
TOKEN_SELECTOR = DIRECTORY_LABEL
# An identity admin may be on holiday.
_WARN_BEFORE = timedelta(days=21)
# What a Secret of ours holds; other keys are somebody else's business.
_KEYS = ("token", "sha256", "expires")
_SHORTEST = 32


@dataclass(frozen=True)
class Token:
    """A token's proof. `name`, `namespace`: of its Secret; `created`: RFC 3339; `expires`: aware, or None.
    `passing`: no provider has it, so that nobody is warned of its end.
    """

    name: str
    namespace: str
    directory: str
    digest: str
    created: str
    expires: datetime | None
    passing: bool = False

    def over(self, now: datetime) -> bool:
        """Whether its time has come: from that very moment on it opens nothing."""
        return self.expires is not None and self.expires <= now

    def ends_soon(self, now: datetime) -> bool:
        """Valid, but not for three weeks more."""
        return self.expires is not None and now < self.expires < now + _WARN_BEFORE


class Refusal(StrEnum):
    """Why a request isn't let in: for the log and the metrics, never for the client."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ELSEWHERE = "other_directory"


def new_token(directory: str, random_bytes: bytes) -> str:
    """`scimop_<directory>_<43 base64url>` from 32 random bytes (rule 22: 256 bits)."""
    if len(random_bytes) != 32:
        raise ValueError("a token needs 32 random bytes")
    return f"scimop_{directory}_{base64.urlsafe_b64encode(random_bytes).rstrip(b'=').decode()}"


def token_secret(directory: str, token: str, name: str, expires: datetime | None = None) -> Object:
    """The Secret that makes a token valid."""
    return {
        "metadata": {
            "name": name,
            "labels": {DIRECTORY_LABEL: directory, MANAGED_BY_LABEL: MANAGED_BY},
        },
        "type": TOKEN_SECRET_TYPE,
        "stringData": {"sha256": _digest(token), **({"expires": rfc3339(expires)} if expires else {})},
    }


def token_of(secret: Mapping[str, Any]) -> Token:
    """The token that a Secret with our label stands for.

    Raises ValueError naming the key that is wrong, never its content.
    """
    metadata = secret["metadata"]
    directory = metadata["labels"][DIRECTORY_LABEL]
    if (kind := secret.get("type")) != TOKEN_SECRET_TYPE:
        raise ValueError(
            f"its type is {kind}, not {TOKEN_SECRET_TYPE}; types can't be changed: delete and make it again"
        )
    stored = secret.get("data") or {}
    data = {key: _text(key, stored[key]) for key in _KEYS if key in stored}
    return Token(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        directory=directory,
        digest=_proof(directory, data),
        created=metadata.get("creationTimestamp", ""),
        expires=_time(data.get("expires")),
        passing=PASSING_LABEL in metadata["labels"],
    )


class Tokens:
    """The tokens there are, and when each was last used. `now` gives an aware datetime."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_secret: dict[str, Token] = {}
        self._unusable: dict[str, tuple[str, str]] = {}
        self._last_used: dict[str, datetime] = {}
        self.listed = False

    def replace(self, secrets: Iterable[Mapping[str, Any]]) -> None:
        """Take in all Secrets."""
        listed = {secret["metadata"]["name"]: secret for secret in secrets}
        for name in (self._by_secret.keys() | self._unusable.keys()) - listed.keys():
            self._forget(name)
        for secret in listed.values():
            self._put(secret)
        self.listed = True

    def event(self, kind: str, secret: Mapping[str, Any]) -> None:
        """Take in one change of a Secret."""
        if kind == "DELETED":
            self._forget(secret["metadata"]["name"])
        else:
            self._put(secret)

    def check(self, directory: str, presented: str) -> Token | Refusal:
        """The token that opens a directory, or why there is none. All are compared, in constant time."""
        if not presented:
            return Refusal.MISSING
        digest = _digest(presented)
        matching = [token for token in self._by_secret.values() if hmac.compare_digest(token.digest, digest)]
        own = [token for token in matching if token.directory == directory]
        now = self._now()
        for token in own:
            if not token.over(now):
                self._last_used[token.name] = now
                return token
        if own:
            return Refusal.EXPIRED
        return Refusal.ELSEWHERE if matching else Refusal.UNKNOWN

    def of(self, directory: str) -> list[Token]:
        """A directory's tokens, expired ones included, by name."""
        found = (token for token in self._by_secret.values() if token.directory == directory)
        return sorted(found, key=lambda token: token.name)

    def lasting(self, directory: str) -> list[Token]:
        """Those that a provider may have."""
        return [token for token in self.of(directory) if not token.passing]

    def opens(self, directory: str) -> bool:
        """Whether any token of a directory is valid now."""
        now = self._now()
        return any(not token.over(now) for token in self.of(directory))

    def last_used(self, name: str) -> str | None:
        """When a token last opened its directory since this process began: RFC 3339."""
        used = self._last_used.get(name)
        return rfc3339(used) if used else None

    def unusable(self, directory: str) -> list[str]:
        """What is wrong with Secrets that should be tokens of a directory, by name."""
        return [why for _, (owner, why) in sorted(self._unusable.items()) if owner == directory]

    def next_end(self, directory: str) -> datetime | None:
        """When the first valid token ends; when all have ended, when the last one did."""
        now = self._now()
        valid = [token.expires for token in self.lasting(directory) if not token.over(now)]
        if valid:
            return min((end for end in valid if end), default=None)
        return max((token.expires for token in self.lasting(directory) if token.expires), default=None)

    def ending_soon(self, directory: str) -> Token | None:
        """The first token that is still valid, but not for long."""
        now = self._now()
        soon = [token for token in self.lasting(directory) if token.ends_soon(now)]
        return min(soon, key=lambda token: token.expires or now, default=None)

    def _put(self, secret: Mapping[str, Any]) -> None:
        name = secret["metadata"]["name"]
        self._by_secret.pop(name, None)
        before = self._unusable.pop(name, None)
        try:
            self._by_secret[name] = token_of(secret)
        except ValueError as error:
            directory = secret["metadata"]["labels"][DIRECTORY_LABEL]
            self._unusable[name] = (directory, f"Secret {name} opens nothing: {error}")
            if before != self._unusable[name]:
                # The Secret's content must not reach a log; the message names the key alone.
                extra = {"secret": name, "directory": directory, "reason": str(error)}
                log.error("a Secret is no valid token and opens nothing", extra=extra)

    def _forget(self, name: str) -> None:
        for known in (self._by_secret, self._unusable, self._last_used):
            known.pop(name, None)


def rfc3339(moment: datetime) -> str:
    """In UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _proof(directory: str, data: Mapping[str, str]) -> str:
    if "token" in data and "sha256" in data:
        raise ValueError("it has a key `token` and a key `sha256`; leave one out")
    if "token" in data:
        _check(directory, data["token"])
        return _digest(data["token"])
    digest = data.get("sha256", "").lower()
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError("it has neither a key `token` nor a key `sha256` of 64 hex digits")
    return digest


def _check(directory: str, token: str) -> None:
    """Of a token in plain we see that it is too short, or was made for another directory."""
    if len(token) < _SHORTEST:
        raise ValueError(f"key `token` is shorter than {_SHORTEST} characters")
    prefix, _, rest = token.partition("_")
    if prefix == "scimop" and not rest.startswith(f"{directory}_"):
        raise ValueError(f"key `token` holds a token of another directory than its label, {directory!r}")


def _text(key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except ValueError as error:
        raise ValueError(f"key `{key}` is no base64 text") from error


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    if not text:
        raise ValueError("key `expires` is empty; leave it out for a token without end")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("key `expires` is no RFC 3339 time such as 2027-01-31T00:00:00Z") from error
    if moment.tzinfo is None:
        raise ValueError("key `expires` has no time zone; end it with Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("key `expires` is a time that no clock reaches") from error


def _digest(token: str) -> str:
    # A header may hold any byte; aiohttp hands those that are no UTF-8 over as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
