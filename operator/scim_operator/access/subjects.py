"""How people and groups are named in a binding.

The string must equal, byte for byte, what the API server's authenticator makes of the person's token, so
nothing is normalised that the directory doesn't ask for.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim_operator.access.problems import quoted
from scim_operator.api.directory import PLACEHOLDER, SubjectTemplate, attribute_of

_RESERVED = "system:"
# ASCII alone, as CEL's lowerAscii() in an API server's configuration: the Kelvin sign's lower case is a k,
# and a name with it is nobody else's for that.
_LOWER = {ord(upper): upper.lower() for upper in string.ascii_uppercase}
# Categories of Unicode -> why a name that holds one is refused: who reads a binding must see who is in it.
_UNSEEN = {
    "Cc": "ControlCharacter",
    **dict.fromkeys(("Cf", "Zl", "Zp"), "InvisibleCharacter"),
}


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
        name = name.translate(_LOWER)
    if _bare(name).startswith(_RESERVED):
        return Refused(
            "Reserved", f"the name {quoted(name)} begins with {_RESERVED!r}, which Kubernetes reserves"
        )
    unseen = next((character for character in name if unicodedata.category(character) in _UNSEEN), None)
    if unseen is not None:
        what = (
            "control characters" if unicodedata.category(unseen) == "Cc" else "characters that can't be seen"
        )
        return Refused(_UNSEEN[unicodedata.category(unseen)], f"the name {quoted(name)} holds {what}")
    return name


def _bare(name: str) -> str:
    """What a name could be taken for: the API server compares exactly, but something in front of it may trim,
    fold, or leave out what can't be seen."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if not _is_blank(character))


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _UNSEEN


def _value(document: Mapping[str, Any], attribute: str) -> str:
    if attribute == "emails.work":
        emails = document.get("emails") or []
        return next((str(mail.get("value") or "") for mail in emails if _is_work(mail)), "")
    return str(document.get(attribute) or "")


def _is_work(mail: Mapping[str, Any]) -> bool:
    return str(mail.get("type") or "").casefold() == "work"
