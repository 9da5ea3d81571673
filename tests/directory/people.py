"""Users and groups as the API server holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scim_operator.directory.index import Index
from scim_operator.directory.records import Record

Object = dict[str, Any]
BORN = "2026-01-01T00:00:00.000Z"


def obj(
    kind: str, name: str, spec: Object, *, version: int = 1, uid: str = "", status: Object | None = None
) -> Object:
    """An object of a kind; its uid follows from its name."""
    return {
        "kind": kind,
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "generation": 1,
        },
        "spec": spec,
        **({"status": status} if status else {}),
    }


def listed(
    index: Index, resource_type: str, items: Iterable[Mapping[str, Any]], resource_version: str
) -> set[Record]:
    """Let an index take in a whole listing. -> those gone."""
    present = set()
    for item in items:
        index.put_listed(item)
        present.add(item["metadata"]["uid"])
    return index.complete(resource_type, present, resource_version)


def user(
    name: str = "ada",
    *,
    version: int = 1,
    uid: str = "",
    identifier: str = "",
    directory: str = "entra",
    born: str = BORN,
    **document: Any,
) -> Object:
    """A ScimUser. Its id is `id-<name>` and its userName the name, if nothing else is said."""
    spec = {
        "directory": directory,
        "id": identifier or f"id-{name}",
        "userName": name,
        "active": True,
        "meta": {"created": born, "lastModified": born, "version": 1},
    }
    return obj("ScimUser", name, spec | document, version=version, uid=uid)


def group(
    name: str = "team",
    members: Iterable[str] = (),
    *,
    version: int = 1,
    uid: str = "",
    identifier: str = "",
    directory: str = "entra",
    **document: Any,
) -> Object:
    """A ScimGroup with members by id."""
    spec = {
        "directory": directory,
        "id": identifier or f"id-{name}",
        "displayName": name,
        "members": list(members),
        "meta": {"created": BORN, "lastModified": BORN, "version": 1},
    }
    return obj("ScimGroup", name, spec | document, version=version, uid=uid)
