"""The cluster's state of one story, and what is wrong with it by the oracle."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.system import RBAC, System
from tests.sequences.oracle import Namespace, Verdict, Where

Object = dict[str, Any]
_QUOTAS = "/api/v1/resourcequotas?fieldSelector=metadata.name%3Dscim-template"
_MADE = "scim-operator.io/made"
_LABELS = {"app.kubernetes.io/managed-by", "scim-operator.io/policy", "scim-operator.io/directory"}


@dataclass
class Found:
    """`access`: who stands in all bindings of a place together, as `User:name` or `Group:name`."""

    namespaces: dict[str, Namespace]
    terminating: set[str]
    access: dict[Where, frozenset[str]]
    quotas: dict[str, Object]


def look(system: System, tag: str) -> Found:
    """What is there now under names with the tag."""
    found = Found({}, set(), {}, {})
    for item in system.list("/api/v1/namespaces"):
        metadata = item["metadata"]
        if metadata["name"].startswith(f"{tag}-"):
            ours = _MADE in (metadata.get("annotations") or {})
            found.namespaces[metadata["name"]] = Namespace(metadata.get("labels") or {}, ours)
            if "deletionTimestamp" in metadata:
                found.terminating.add(metadata["name"])
    for item in system.list(_QUOTAS):
        found.quotas[item["metadata"]["namespace"]] = item["spec"]["hard"]
    for item in bindings(system, tag):
        where = Where(
            item["metadata"]["labels"]["scim-operator.io/policy"],
            item["roleRef"]["name"],
            item["metadata"].get("namespace", ""),
        )
        subjects = {f"{subject['kind']}:{subject['name']}" for subject in item.get("subjects") or ()}
        found.access[where] = found.access.get(where, frozenset()) | subjects
    return found


def bindings(system: System, tag: str) -> list[Object]:
    """All bindings under the policies of a story."""
    names = ",".join(f"{tag}-p{number}" for number in range(3))
    selector = urllib.parse.quote(f"scim-operator.io/policy in ({names})")
    kinds = ("rolebindings", "clusterrolebindings")
    return [item for kind in kinds for item in system.list(f"{RBAC}/{kind}", selector)]


def wrongs(found: Found, verdict: Verdict, possible: frozenset[str], template: Object) -> list[str]:
    """What differs, in words; empty when all is as it should be.

    possible: namespaces that the operator may have made at some time.
    """
    return [
        *_wrong_access(found, verdict),
        *_wrong_namespaces(found, verdict, possible),
        *_unfurnished(found, verdict, template),
    ]


def _wrong_access(found: Found, verdict: Verdict) -> Iterator[str]:
    for where in sorted({*found.access, *verdict.exact}):
        has = found.access.get(where)
        if where in verdict.exact:
            if has != verdict.exact[where]:
                yield f"{where} has {has and sorted(has)} instead of {sorted(verdict.exact[where])}"
        elif has is not None and not (has and has <= verdict.at_most.get(where, frozenset())):
            yield f"{where} has {sorted(has)}, at most {sorted(verdict.at_most.get(where, ()))} may"


def _wrong_namespaces(found: Found, verdict: Verdict, possible: frozenset[str]) -> Iterator[str]:
    yield from (f"namespace {name} is missing" for name in verdict.made - found.namespaces.keys())
    yield from (f"namespace {name} is still being deleted" for name in found.terminating)
    for name, namespace in found.namespaces.items():
        if namespace.ours and name not in possible:
            yield f"namespace {name} was made though no policy and group ever named it"
        if namespace.ours and name in verdict.made and not namespace.labels.keys() >= _LABELS:
            yield f"namespace {name} lacks labels: {sorted(namespace.labels)}"


def _unfurnished(found: Found, verdict: Verdict, template: Object) -> Iterator[str]:
    for name in verdict.furnished & found.namespaces.keys():
        namespace = found.namespaces[name]
        if not namespace.ours:
            continue
        if not template["labels"].items() <= namespace.labels.items():
            yield f"namespace {name} has labels {namespace.labels}, the template {template['labels']}"
        if found.quotas.get(name) != template["resourceQuota"]["hard"]:
            yield f"namespace {name} has quota {found.quotas.get(name)}, not the template's"
