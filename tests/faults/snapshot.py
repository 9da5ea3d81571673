"""What a run left in the cluster, in words that don't depend on the run: no ids, no times, no tag."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.faults.system import OURS, RBAC, System

Object = dict[str, Any]
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# Names end with a hash over the directory.
_HASH = re.compile(r"-[0-9a-f]{10}\b")


def snapshot(system: System, tag: str) -> Object:
    """Name -> content of everything that bears the tag, but for the directory."""
    of_directory = f"scim-operator.io/directory={tag}"
    users = system.list(f"{OURS}/scimusers", of_directory)
    names = {item["spec"]["id"]: item["spec"]["userName"] for item in users}
    found: Object = {}
    for user in users:
        found[f"user {user['spec']['userName']}"] = [user["spec"], user.get("status")]
    for group in system.list(f"{OURS}/scimgroups", of_directory):
        # An id without a person is the deleted one's, which goes with the group's next write.
        members = sorted(names[id_] for id_ in group["spec"].pop("members", ()) if id_ in names)
        found[f"group {group['spec']['displayName']}"] = [group["spec"], members, group.get("status")]
    for policy in ("teams", "staff"):
        found[f"policy {policy}"] = _status(system, f"accesspolicies/{tag}-{policy}")
    for kind in ("rolebindings", "clusterrolebindings"):
        for binding in system.list(f"{RBAC}/{kind}", of_directory):
            metadata = binding["metadata"]
            where = f"{kind} {metadata.get('namespace', '')} {metadata['name']}"
            found[where] = [binding["roleRef"], binding.get("subjects"), metadata["labels"]]
    for namespace in system.list("/api/v1/namespaces", of_directory):
        metadata = namespace["metadata"]
        found[f"namespace {metadata['name']}"] = [metadata["labels"], metadata.get("annotations")]
    return _anonymous(found, tag)


def directory_status(system: System, tag: str) -> Object:
    """What a directory says of itself; written every 10 s at most, and so not part of a snapshot."""
    return _anonymous(_status(system, f"scimdirectories/{tag}") or {}, tag)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Where two snapshots differ, for a reader."""
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return "\n".join(f"{name}:\n  found  {found.get(name)}\n  wanted {wanted.get(name)}" for name in names)


def _status(system: System, path: str) -> Object | None:
    status: Object | None = system.admin.request("GET", f"{OURS}/{path}").body.get("status")
    return status


def _without_requests(item: Object) -> Object:
    """Which request caused something is told as far as it is known: a kill forgets it."""
    return {key: value for key, value in item.items() if key != "request"}


def _anonymous(found: Object, tag: str) -> Object:
    text = json.dumps(found).replace(tag, "TAG")
    for pattern, word in ((_ID, "ID"), (_TIME, "TIME"), (_HASH, "-HASH")):
        text = pattern.sub(word, text)
    anonymous: Object = json.loads(text, object_hook=_without_requests)
    assert len(anonymous) == len(found), "two things of one name"
    return anonymous
