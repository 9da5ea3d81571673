"""People and groups for tests of large groups."""

from __future__ import annotations

from scim_operator.directory.records import Record
from tests.directory.people import user
from tests.directory.provider import Provider


def people(provider: Provider, count: int, start: int = 0) -> list[str]:
    """The ids of so many users, which lie in the index alone: the groups are what is looked at."""
    names = [f"p{number}" for number in range(start, start + count)]
    for name in names:
        # Made after whatever was listed.
        provider.index.put(user(name, version=1_000_000))
    return [f"id-{name}" for name in names]


def now(provider: Provider, group: Record) -> Record:
    record = provider.index.get("entra", "Group", group.id)
    assert record is not None
    return record
