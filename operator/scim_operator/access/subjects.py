"""How people and groups are named in a binding.

The string must equal, byte for byte, what the API server's authenticator makes of the person's token, so
nothing is normalised that the directory doesn't ask for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.api.directory import PLACEHOLDER, SubjectTemplate, attribute_of

_RESERVED = "system:"


@dataclass(frozen=True)
class Refused:
    """Why a person or group can't stand in a binding."""

    reason: str
    message: str


def user_subject(template: SubjectTemplate, document: Mapping[str, Any]) -> str | Refused:
    """The person's name in bindings, or why there is none."""
    return _subject("person", template.user, template.lowercase, document)


def group_subject(template: SubjectTemplate, document: Mapping[str, Any]) -> str | Refused:
    """The group's name in bindings under `subjects: Group`, or why there is none."""
    return _subject("group", template.group, template.lowercase, document)


def _subject(kind: str, template: str, lowercase: bool, document: Mapping[str, Any]) -> str | Refused:
    """The template filled in (rule 11: neither empty nor `system:`)."""
    attribute = attribute_of(template)
    value = _value(document, attribute)
    if not value.strip():
        return Refused("NoValue", f"the directory names every {kind} by {attribute}, and this one has none")
    name = PLACEHOLDER.sub(lambda _: value, template)
    if lowercase:
        name = name.lower()
    # The API server compares exactly, but a mapping in front of it may trim or fold.
    if name.strip().casefold().startswith(_RESERVED):
        return Refused("Reserved", f"the name {name!r} begins with {_RESERVED!r}, which Kubernetes reserves")
    if any(unicodedata.category(character) == "Cc" for character in name):
        return Refused("ControlCharacter", f"the name {name!r} holds control characters")
    return name


def _value(document: Mapping[str, Any], attribute: str) -> str:
    if attribute == "emails.work":
        emails = document.get("emails") or []
        return next((str(mail.get("value") or "") for mail in emails if _is_work(mail)), "")
    return str(document.get(attribute) or "")


def _is_work(mail: Mapping[str, Any]) -> bool:
    return str(mail.get("type") or "").casefold() == "work"
