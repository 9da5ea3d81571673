"""What a directory's status tells of its requests and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from scim_operator.access.problems import Problem
from scim_operator.directory.tokens import Tokens, rfc3339

# Requests come by the hundred: a time that is a minute old is not worth a write.
_EXACT_TO = timedelta(minutes=1)


def recent(known: str | None, latest: str | None) -> str | None:
    """The time to show: what is shown already, unless the latest is a minute later (both RFC 3339)."""
    if known is None or latest is None:
        return known or latest
    behind = datetime.fromisoformat(latest) - datetime.fromisoformat(known)
    return latest if behind >= _EXACT_TO else known


def token_fields(directory: str, tokens: Tokens, known: Mapping[str, Any]) -> dict[str, Any]:
    """`tokens` and `tokenExpires`. `known`: the status so far; it knows of uses before this start."""
    if not tokens.listed:
        return {key: known.get(key) for key in ("tokens", "tokenExpires")}
    before = {(item["name"], item["created"]): item for item in known.get("tokens") or ()}
    entries = []
    for token in tokens.of(directory):
        shown = before.get((token.name, token.created), {}).get("lastUsed")
        entry = {
            "name": token.name,
            "created": token.created,
            "expires": rfc3339(token.expires) if token.expires else None,
            "lastUsed": recent(shown, tokens.last_used(token.name)),
        }
        entries.append({key: value for key, value in entry.items() if value})
    end = tokens.next_end(directory)
    return {"tokens": entries or None, "tokenExpires": rfc3339(end) if end else None}


def token_problems(directory: str, tokens: Tokens) -> list[Problem]:
    """What an admin should know of a directory's tokens before the provider is locked out."""
    problems = [Problem("TokenUnusable", "Malformed", why) for why in tokens.unusable(directory)]
    if (ending := tokens.ending_soon(directory)) and ending.expires:
        message = (
            f"token {ending.name} expires at {rfc3339(ending.expires)}: a provider that still shows it is "
            f"refused from then on; make another one and paste it: "
            f"scim-operator token create {directory} -n {ending.namespace}"
        )
        problems.append(Problem("TokenExpiring", "Soon", message))
    known = tokens.lasting(directory)
    if known and not tokens.opens(directory):
        message = (
            "every token of this directory has expired, and its provider is refused; make another one and "
            f"paste it: scim-operator token create {directory} -n {known[0].namespace}"
        )
        problems.append(Problem("TokenExpiring", "Expired", message))
    return problems
