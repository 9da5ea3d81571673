"""What providers send that nobody knows: attributes by name, and never with a value.

They are passed over, as providers expect, but not in silence: an admin who maps an attribute in Entra and
doesn't find it here sees why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from prometheus_client import Counter

log = logging.getLogger(__name__)

IGNORED = Counter(
    "scim_operator_attributes_ignored",
    "Attributes that the provider sent and that were ignored, by name.",
    ["directory", "attribute"],
)
# Names are the provider's to choose: neither may they fill the registry, nor carry somebody's data.
OTHER = "(other)"
_MOST_NAMES = 100
# Names that came in one request so far: many would take the place of what an admin looks for.
_MOST_NEW = 1000
_NAME = re.compile(r"[\w:.$-]{1,120}", re.ASCII)
_BRACKETS = re.compile(r"\[.*\]", re.DOTALL)
_SHOWN = 10
_LONGEST_NAME = 1000

# The names that have series, and those that were seen once (oldest first), by directory.
_counted: dict[str, set[str]] = {}
_new: dict[str, dict[str, None]] = {}


def tell_ignored(directory: str, names: Sequence[str], request: str) -> None:
    """Count and log what a request's attributes were named."""
    if not names:
        return
    shown = list(dict.fromkeys(_shown(name) for name in names))
    for name in shown:
        IGNORED.labels(directory, name if _has_series(directory, name) else OTHER).inc()
    extra = {"directory": directory, "count": len(names), "attributes": shown[:_SHOWN], "request_id": request}
    log.info("attributes were ignored", extra=extra)


def _has_series(directory: str, name: str) -> bool:
    """From its second request on."""
    known, new = _counted.setdefault(directory, set()), _new.setdefault(directory, {})
    if name in known:
        return True
    if name in new and len(known) < _MOST_NAMES:
        del new[name]
        known.add(name)
        return True
    new[name] = None
    if len(new) > _MOST_NEW:
        del new[next(iter(new))]
    return False


def forget_ignored(directory: str) -> None:
    """The directory is gone, and its series with it."""
    _new.pop(directory, None)
    if _counted.pop(directory, None) is not None:
        IGNORED.remove_by_labels({"directory": directory})


def _shown(name: str) -> str:
    """The name without what a filter in it compares with; anything odd isn't shown."""
    if len(name) > _LONGEST_NAME:
        return OTHER
    plain = _BRACKETS.sub("", name)
    return plain if _NAME.fullmatch(plain) else OTHER
