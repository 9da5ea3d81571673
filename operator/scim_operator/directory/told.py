"""What the audit stream tells of a change of a user or group: what access depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

from scim_operator.api.audit import MOST_NAMED, Identity, IdentityChange, Members
from scim_operator.directory.audit import CALLER, Key, Proof
from scim_operator.directory.layout import Delta
from scim_operator.directory.records import KINDS, Meta, Record
from scim_operator.scim.schemas import GROUP, USER

# With values; of all else only the names are told.
_TOLD = {USER.name: ("userName", "externalId", "active"), GROUP.name: ("displayName", "externalId")}
_MOST_OTHER = 50

Document = Mapping[str, Any]
_NOTHING: Document = {}


def key(identifier: str) -> Key:
    """By which a change of a user or group is found again."""
    return "identity", "", identifier


def creation(
    kind: str, directory: str, identifier: str, document: Document, members: Mapping[str, None], meta: Meta
) -> IdentityChange:
    """Of somebody new."""
    joining = Delta(joining=tuple(members))
    return _change("Created", kind, directory, identifier, meta.request).model_copy(
        update={
            "version": str(meta.version),
            "after": _identity(kind, document, _NOTHING),
            "members": _members(0, joining) if kind == GROUP.name else None,
        }
    )


def change(record: Record, document: Document, delta: Delta, meta: Meta) -> IdentityChange:
    """Of somebody known."""
    return _change("Changed", record.type, record.directory, record.id, meta.request).model_copy(
        update={
            "object": record.name,
            "version": str(meta.version),
            "before": _identity(record.type, record.document, document),
            "after": _identity(record.type, document, record.document),
            "members": _members(len(record.members), delta) if delta else None,
            "other": tuple(islice(_others(record.type, record.document, document), _MOST_OTHER)),
        }
    )


def outcome(line: IdentityChange, written: Record) -> dict[str, Any]:
    """What is known of a change when it is written: who was deleted meanwhile has left the group as well."""
    after = {"after": len(written.members)}
    members = line.members and line.members.model_copy(update=after)
    return {"version": written.version, "members": members}


def deletion(record: Record) -> IdentityChange:
    """Of somebody who goes."""
    caller = CALLER.get()
    return _change(
        "Deleted", record.type, record.directory, record.id, caller.request if caller else None
    ).model_copy(
        update={
            "object": record.name,
            "before": _identity(record.type, record.document, _NOTHING),
            "members": (
                Members(before=len(record.members), after=0, unnamed=len(record.members))
                if record.members
                else None
            ),
        }
    )


def written_by(meta: Meta, *, large: bool = False) -> Proof:
    """That this is what a request wrote. A large group's versions and its shards' count apart; the shards of
    a set that isn't in force yet have none.
    """

    def shows(event: str | None, obj: Document) -> bool:
        found = (obj.get("spec") or {}).get("meta") or {}
        version = found.get("version", 0)
        same = bool(meta.request) and found.get("request") == meta.request
        return event != "DELETED" and same and (version == meta.version or (large and version > 0))

    return shows


def is_gone(event: str | None, obj: Document) -> bool:
    """That it was deleted."""
    return event == "DELETED"


def _change(
    action: Literal["Created", "Changed", "Deleted"],
    kind: str,
    directory: str,
    identifier: str,
    request: str | None,
) -> IdentityChange:
    caller = CALLER.get()
    return IdentityChange(
        action=action,
        directory=directory,
        # Another replica's write may be brought to a group beside a request's own.
        token=caller.token if caller and caller.request == request else None,
        request=request,
        kind="ScimUser" if KINDS[kind].kind == "ScimUser" else "ScimGroup",
        id=identifier,
    )


def _identity(kind: str, document: Document, other: Document) -> Identity:
    differ = {name: document.get(name) for name in _TOLD[kind] if document.get(name) != other.get(name)}
    return Identity.model_validate(differ)


def _members(before: int, delta: Delta) -> Members:
    joining, leaving = delta.joining[:MOST_NAMED], delta.leaving[:MOST_NAMED]
    return Members(
        before=before,
        after=before + len(delta.joining) - len(delta.leaving),
        added=joining,
        removed=leaving,
        unnamed=len(delta.joining) + len(delta.leaving) - len(joining) - len(leaving),
    )


def _others(kind: str, before: Document, after: Document) -> Iterator[str]:
    for name in sorted((before.keys() | after.keys()) - set(_TOLD[kind])):
        one, two = before.get(name), after.get(name)
        if one == two:
            continue
        if name.casefold().startswith("urn:"):
            one, two = one or {}, two or {}
            yield from (
                f"{name}:{key}" for key in sorted(one.keys() | two.keys()) if one.get(key) != two.get(key)
            )
        else:
            yield name
