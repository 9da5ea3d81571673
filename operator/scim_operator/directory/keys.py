"""What users and groups are looked up by, besides their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scim_operator.directory.records import Record
from scim_operator.scim.attributes import fold

# Attribute -> how its values compare. externalId is case-exact (RFC 7643 section 3.1), the others fold.
KEYS: Mapping[str, Callable[[str], str]] = {
    "userName": fold,
    "displayName": fold,
    "externalId": str,
    "emails.work": fold,
}

# (directory, resource type, attribute, folded value)
Key = tuple[str, str, str, str]


def indexed(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(attribute, value) of each value the index knows."""
    for attribute in ("userName", "displayName", "externalId"):
        if value := document.get(attribute):
            yield attribute, str(value)
    for mail in document.get("emails") or ():
        if fold(str(mail.get("type") or "")) == "work" and mail.get("value"):
            yield "emails.work", str(mail["value"])


def folded(attribute: str, value: str) -> str:
    """A value in the form in which the attribute compares."""
    return KEYS[attribute](value)


def keys_of(record: Record) -> Iterator[Key]:
    """All that lead to a record."""
    for attribute, value in indexed(record.document):
        yield record.directory, record.type, attribute, folded(attribute, value)
