"""Reading a resource by the paths that a provider writes to: independent of the operator's own reader."""

from __future__ import annotations

import re
from typing import Any

from tests.entra import ENTERPRISE, Json

_VALUE_PATH = re.compile(r'(\w+)\[(\w+) eq "([^"]*)"\]\.(\w+)')


def value_at(resource: Json, path: str) -> Any:
    """What a resource has at `a`, `a.b`, `a[type eq "x"].b` or below the enterprise URN; None if nothing."""
    if path.startswith(f"{ENTERPRISE}:"):
        return value_at(resource.get(ENTERPRISE, {}), path.removeprefix(f"{ENTERPRISE}:"))
    if match := _VALUE_PATH.fullmatch(path):
        attribute, key, wanted, sub = match.groups()
        elements = resource.get(attribute, [])
        found = [element for element in elements if str(element.get(key)).lower() == wanted.lower()]
        assert len(found) <= 1, f"{len(found)} elements for {path}"
        return found[0].get(sub) if found else None
    value: Any = resource
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
