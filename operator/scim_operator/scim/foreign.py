"""Undeclared extensions: what a provider sends under a URN that no schema of ours has (RFC 7643, 3.3).

Entra's custom attributes come so, and their URN is not even listed in `schemas`. They are kept under
their URN as sent and come back as sent; names compare in any case. A path such as `urn:a:b:2.0:User:x`
doesn't say where its URN ends: an extension that the document already holds decides, otherwise an object
is a whole extension, and anything else the attribute behind the last colon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scim_operator.scim.attributes import fold
from scim_operator.scim.errors import invalid_value
from scim_operator.scim.values import copy_json, is_empty

MAX_EXTENSIONS = 20
MAX_ATTRIBUTES = 200

_URN = re.compile(r"urn:[\w.-]+:[\w.:$+%-]*[\w$+%-]", re.IGNORECASE | re.ASCII)
_NAMES = re.compile(r"[A-Za-z$][\w$-]*(?:\.[A-Za-z$][\w$-]*)?", re.ASCII)


def is_foreign(key: str) -> bool:
    """Whether a document's key is the URN of an extension."""
    return key[:4].lower() == "urn:"


def values_at(document: Mapping[str, Any], text: str) -> list[Any]:
    """The values that a document has at a path under an undeclared URN."""
    urn, names = _located(document, text) or _divided(text)
    found: Any = document.get(urn)
    for name in names:
        if not isinstance(found, dict):
            return []
        found = found.get(_spelled(found, name))
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def with_value(document: Mapping[str, Any], text: str, value: Any) -> dict[str, Any] | None:
    """The document with the value there, an empty one unsetting; None if the path makes no sense.

    A whole extension is merged attribute by attribute, as a complex value is (RFC 7644 3.5.2.3).
    """
    located = _located(document, text)
    if located is None and isinstance(value, dict) and _URN.fullmatch(text):
        located = text, ()
    urn, names = located or _divided(text)
    if not _URN.fullmatch(urn):
        return None
    extension = dict(document.get(urn, {}))
    if names:
        _set(extension, names, value, text)
    elif is_empty(value):
        extension = {}
    elif isinstance(value, dict):
        if len(value) > MAX_ATTRIBUTES:
            raise invalid_value(f"{urn} has more than {MAX_ATTRIBUTES} attributes")
        for name, item in value.items():
            _set(extension, (name,), item, text)
    else:
        raise invalid_value(f"{text} is an extension and expects an object")
    if len(extension) > MAX_ATTRIBUTES:
        raise invalid_value(f"{urn} has more than {MAX_ATTRIBUTES} attributes")
    after = {**document, urn: extension}
    if not extension:
        del after[urn]
    if sum(map(is_foreign, after)) > MAX_EXTENSIONS:
        raise invalid_value(f"{urn}: expected at most {MAX_EXTENSIONS} extensions")
    return after


def _located(document: Mapping[str, Any], text: str) -> tuple[str, tuple[str, ...]] | None:
    """The document's own extension that the path leads into, and the names behind its URN."""
    held = [key for key in document if is_foreign(key) and fold(f"{text}:").startswith(fold(f"{key}:"))]
    if not held:
        return None
    urn = max(held, key=len)
    rest = text[len(urn) + 1 :]
    return urn, tuple(rest.split(".")) if rest else ()


def _divided(text: str) -> tuple[str, tuple[str, ...]]:
    """The path cut at its last colon; no URN if what follows can't be an attribute."""
    urn, _, rest = text.rpartition(":")
    return (urn, tuple(rest.split("."))) if _NAMES.fullmatch(rest) else ("", ())


def _set(holder: dict[str, Any], names: tuple[str, ...], value: Any, where: str) -> None:
    """Set or unset in a holder that is already a copy."""
    name = _spelled(holder, names[0])
    if len(names) > 1:
        inner = holder.get(name)
        value_within = dict(inner) if isinstance(inner, dict) else {}
        _set(value_within, names[1:], value, where)
        value = value_within
    if is_empty(value):
        holder.pop(name, None)
    else:
        holder[name] = copy_json(value, where)


def _spelled(holder: Mapping[str, Any], name: str) -> str:
    """The name as the holder already spells it."""
    return name if name in holder else next((key for key in holder if fold(key) == fold(name)), name)
