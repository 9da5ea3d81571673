"""The tokens that `scim-operator token list` shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scim_operator.api.kinds import DIRECTORY_LABEL
from scim_operator.cli import tables
from scim_operator.directory.tokens import rfc3339, token_of

_HEADER = ("NAME", "DIRECTORY", "CREATED", "EXPIRES", "LAST USED", "STATE")


@dataclass(frozen=True)
class Row:
    """One Secret. `state`: valid, expired, or unusable with the reason in `problem`; times are RFC 3339."""

    name: str
    directory: str
    created: str
    expires: str | None
    last_used: str | None
    state: str
    problem: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """For `-o json`."""
        return {
            "name": self.name,
            "directory": self.directory,
            "created": self.created,
            "expires": self.expires,
            "lastUsed": self.last_used,
            "state": self.state,
            "problem": self.problem,
        }

    def cells(self) -> tuple[str, ...]:
        """As the header names them."""
        state = f"{self.state}: {self.problem}" if self.problem else self.state
        ends = "-" if self.state == "unusable" else self.expires or "never"
        return (self.name, self.directory, self.created, ends, self.last_used or "never", state)


def rows(secrets: Iterable[Mapping[str, Any]], directories: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each Secret with our label, by directory and age; last use is in the directories."""
    tokens = {obj["metadata"]["name"]: (obj.get("status") or {}).get("tokens") or [] for obj in directories}
    used = {
        (name, item["name"], item["created"]): item.get("lastUsed")
        for name, items in tokens.items()
        for item in items
    }
    now = datetime.now(UTC)
    made = [_row(secret, tokens.keys(), used, now) for secret in secrets]
    return sorted(made, key=lambda row: (row.directory, row.created, row.name))


def as_table(found: Iterable[Row]) -> str:
    """Columns as kubectl sets them."""
    return tables.as_table(_HEADER, [row.cells() for row in found])


def _row(
    secret: Mapping[str, Any],
    directories: Iterable[str],
    used: Mapping[tuple[str, str, str], str | None],
    now: datetime,
) -> Row:
    metadata = secret["metadata"]
    name, created = metadata["name"], metadata["creationTimestamp"]
    directory = metadata["labels"][DIRECTORY_LABEL]
    try:
        token = token_of(secret)
    except ValueError as error:
        return Row(name, directory, created, None, None, "unusable", str(error))
    state, problem = ("expired", None) if token.over(now) else ("valid", None)
    if directory not in directories:
        state, problem = "unusable", f"there is no ScimDirectory {directory!r}"
    expires = rfc3339(token.expires) if token.expires else None
    return Row(name, directory, created, expires, used.get((directory, name, created)), state, problem)
