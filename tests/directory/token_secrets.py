"""Secrets that stand for tokens, as the API server shows them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from scim_operator.directory.tokens import new_token

TOKEN = new_token("entra", bytes(range(32)))
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
CREATED = "2026-05-01T00:00:00Z"


def secret(
    name: str = "one",
    directory: str = "entra",
    kind: str = "scim-operator.io/token",
    created: str = CREATED,
    **data: str,
) -> dict[str, Any]:
    """With these keys, encoded."""
    return {
        "metadata": {
            "name": name,
            "namespace": "operators",
            "labels": {"scim-operator.io/directory": directory},
            "creationTimestamp": created,
        },
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }
