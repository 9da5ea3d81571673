"""Cursors (RFC 9865): where the next page begins, as a text that no client can change or read.

A cursor is the place of the last resource that was shown, with the time it ends and a seal over both and over
what was asked: another directory, filter or order is another seal. So nothing is kept between pages, and what
comes or goes meanwhile shifts none of them. It lets nobody in: every page needs a token.

The place holds a value of somebody, and URLs are logged on the way. So it is veiled by a stream that follows
from key and seal, and the seal from what is veiled (as SIV does, RFC 5297): no stream is used twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from scim_operator.scim.errors import ScimError

# Seconds from one page to the next, announced as cursorTimeout.
CURSOR_SECONDS = 3600
_SEAL_BYTES = 16

Place = tuple[str | int | float, ...]


def invalid_cursor(detail: str) -> ScimError:
    """400: not a cursor of ours, or one of another list."""
    return ScimError(400, detail, "invalidCursor")


def invalid_count(detail: str) -> ScimError:
    """400: a page of a size that there can't be."""
    return ScimError(400, detail, "invalidCount")


def cursor_of(place: Place, asked: Sequence[str], key: bytes, now: int) -> str:
    """The cursor behind a place. `asked`: what makes the list; `now`: seconds."""
    content = json.dumps([now + CURSOR_SECONDS, *place], separators=(",", ":")).encode()
    seal = _seal(content, asked, key)
    return base64.urlsafe_b64encode(seal + _veiled(content, seal, key)).decode().rstrip("=")


def place_of(cursor: str, asked: Sequence[str], key: bytes, now: int) -> Place:
    """The place in a cursor; 400 invalidCursor if it was changed or is of another list, expiredCursor."""
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        sealed = b""
    seal = sealed[:_SEAL_BYTES]
    content = _veiled(sealed[_SEAL_BYTES:], seal, key)
    if not hmac.compare_digest(seal, _seal(content, asked, key)):
        raise invalid_cursor(
            "the cursor isn't one of this list: send nextCursor as it came, with the same filter, sortBy and"
            " sortOrder; an empty cursor asks for the first page"
        )
    until, *place = json.loads(content)
    if until < now:
        raise ScimError(
            400,
            f"the cursor is older than {CURSOR_SECONDS} seconds; begin again with an empty cursor",
            "expiredCursor",
        )
    return tuple(place)


def _seal(content: bytes, asked: Sequence[str], key: bytes) -> bytes:
    sealed = json.dumps(asked).encode() + b"\0" + content
    return hmac.new(key, sealed, hashlib.sha256).digest()[:_SEAL_BYTES]


def _veiled(content: bytes, seal: bytes, key: bytes) -> bytes:
    """What can't be read without the key; veiled twice, it is what it was."""
    stream = hashlib.shake_256(b"veil\0" + key + seal).digest(len(content))
    return bytes(one ^ other for one, other in zip(content, stream, strict=True))
