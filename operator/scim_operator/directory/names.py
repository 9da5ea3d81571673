"""Object names of users and groups: readable, and the same for the same person whoever writes it.

Creating one person twice thus collides in the API server, whatever races.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from scim_operator.scim.attributes import fold

_LONGEST_SLUG = 40
_OTHER = re.compile(r"[^a-z0-9]+")


def object_name(directory: str, resource_type: str, key: str, attempt: int = 0) -> str:
    """`<slug>-<10 hex>` for a userName or displayName.

    `attempt` counts up when the name is held by somebody who was since renamed.
    """
    identity = "\0".join((directory, resource_type, fold(key), str(attempt)))
    return f"{_slug(fold(key)) or resource_type.lower()}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"


def _slug(key: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", ascii_only).strip("-")[:_LONGEST_SLUG].strip("-")
