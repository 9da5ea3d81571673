"""Which SCIM request it was that made places due: for the log, and for what is written because of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)


def request_of(
    event: str | None, obj: Mapping[str, Any], deletion: Callable[[str], str | None]
) -> str | None:
    """The SCIM request that made it what it is. `deletion` knows the one that deleted an id."""
    spec = obj.get("spec") or {}
    if event == "DELETED":
        return deletion(str(spec.get("id")))
    request: str | None = (spec.get("meta") or {}).get("request")
    return request


def tell_cause(obj: Mapping[str, Any], request: str | None, places: int) -> None:
    """Tie a SCIM request to the bindings looked at because of it. By ids: names are personal data."""
    spec = obj.get("spec") or {}
    identifier = spec.get("id") or spec.get("group")
    told = {"kind": obj.get("kind"), "directory": spec.get("directory"), "id": identifier}
    more = {"places": places, **({"request_id": request} if request else {})}
    log.info("access is looked at again", extra=told | more)
