"""The comparison of permissions finds what is unused and what is missing: else it would always be content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.permissions import Right, compared, granted

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
RULES = [
    {"apiGroups": ["scim-operator.io"], "resources": ["scimusers"], "verbs": ["get", "delete"]},
    {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": ["create"]},
    {
        "apiGroups": [RBAC],
        "resources": ["clusterroles"],
        "verbs": ["bind"],
        "resourceNames": ["view", "edit"],
    },
]
LEASE = {
    "apiGroups": ["coordination.k8s.io"],
    "resources": ["leases"],
    "verbs": ["get"],
    "resourceNames": ["a"],
}


def role(
    kind: str, name: str, rules: Iterable[Mapping[str, Any]], account: str = "scim-operator"
) -> list[Object]:
    """A role and its binding."""
    where = {"namespace": "scim-operator"} if kind == "Role" else {}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "scim-operator"}
    ref = {"apiGroup": RBAC, "kind": kind, "name": name}
    bound = {"metadata": {"name": name, **where}, "roleRef": ref, "subjects": [subject]}
    return [
        {"kind": kind, "metadata": {"name": name, **where}, "rules": list(rules)},
        {"kind": f"{kind}Binding", **bound},
    ]


HAVE = granted(
    [
        *role("ClusterRole", "wide", RULES),
        *role("Role", "own", [LEASE]),
        *role("ClusterRole", "of-others", [{**LEASE, "verbs": ["delete"]}], account="hook"),
    ]
)


def event(verb: str, group: str, resource: str, name: str = "", namespace: str = "", **more: Any) -> Object:
    """As the API server writes one."""
    what = {"apiGroup": group, "resource": resource, "name": name, "namespace": namespace}
    return {
        "verb": verb,
        "user": {"username": "system:serviceaccount:scim-operator:scim-operator"},
        "userAgent": "scim-operator",
        "objectRef": {key: value for key, value in what.items() if value},
        "responseStatus": {"code": 200},
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **more,
    }


def bound(role: str, code: int = 201) -> Object:
    made = {"roleRef": {"kind": "ClusterRole", "name": role}}
    more = {"requestObject": made, "responseStatus": {"code": code}}
    return event("create", RBAC, "rolebindings", "scim-a", "team-red", **more)


_DENIED = {"authorization.k8s.io/decision": "forbid"}
FORBIDDEN: Object = {"annotations": _DENIED, "responseStatus": {"code": 403}}
EVERYTHING = [
    event("get", "scim-operator.io", "scimusers", "ada"),
    event("delete", "scim-operator.io", "scimusers", "ada"),
    bound("view"),
    bound("edit"),
    event("get", "coordination.k8s.io", "leases", "a", "scim-operator"),
    {**event("get", "", ""), "objectRef": None} | {"requestURI": "/apis"},
]


def found(folder: Path, events: Iterable[Object]) -> tuple[list[str], list[str]]:
    lines = [json.dumps({key: value for key, value in each.items() if value}) for each in events]
    # The last line of a log may be cut off.
    (folder / "cluster-1.log").write_text("\n".join([*lines, '{"verb": "get", "objec']))
    return compared(folder, HAVE)


def test_all_is_used_and_nothing_is_missing(tmp_path: Path) -> None:
    assert found(tmp_path, EVERYTHING) == ([], [])


@pytest.mark.parametrize(
    ("left_out", "unused"),
    [
        (1, "delete scimusers.scim-operator.io"),
        (3, f"bind clusterroles.{RBAC}/edit"),
        (4, "get leases.coordination.k8s.io/a -n scim-operator"),
    ],
)
def test_unused(tmp_path: Path, left_out: int, unused: str) -> None:
    events = [each for number, each in enumerate(EVERYTHING) if number != left_out]
    assert found(tmp_path, events) == ([unused], [])


@pytest.mark.parametrize(
    "instead",
    [
        event("delete", "scim-operator.io", "scimusers", "ada", userAgent="kubectl/v1.36.0"),
        event("delete", "scim-operator.io", "scimusers", "ada", user={"username": "hook"}),
        event("delete", "scim-operator.io", "scimusers", "ada", **FORBIDDEN),
    ],
    ids=["by somebody else with its token", "by another account", "refused"],
)
def test_what_is_no_use(tmp_path: Path, instead: Object) -> None:
    assert found(tmp_path, [*EVERYTHING[:1], instead, *EVERYTHING[2:]])[0] == [
        "delete scimusers.scim-operator.io"
    ]


def test_an_apply_that_makes_the_object_takes_create(tmp_path: Path) -> None:
    made = event("patch", "", "limitranges", "a", "team-red", responseStatus={"code": 201})
    again = event("patch", "", "limitranges", "a", "team-red")
    assert found(tmp_path, [*EVERYTHING, again])[1] == ["patch limitranges/a -n team-red"]
    both = ["create limitranges -n team-red", "patch limitranges/a -n team-red"]
    assert found(tmp_path, [*EVERYTHING, made])[1] == both


def test_a_binding_that_was_refused_binds_nothing(tmp_path: Path) -> None:
    unused, missing = found(tmp_path, [*EVERYTHING[:3], bound("edit", 403), *EVERYTHING[4:]])
    assert (unused, missing) == ([f"bind clusterroles.{RBAC}/edit"], [])


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        (event("patch", "scim-operator.io", "scimusers", "ada"), "patch scimusers.scim-operator.io/ada"),
        (
            event("get", "scim-operator.io", "scimusers", "ada") | {"verb": "list"},
            "list scimusers.scim-operator.io/ada",
        ),
        (event("get", "", "secrets", "a", "b", **FORBIDDEN), "get secrets/a -n b"),
        (
            event("get", "coordination.k8s.io", "leases", "b", "scim-operator"),
            "get leases.coordination.k8s.io/b",
        ),
        (
            event("get", "coordination.k8s.io", "leases", "a", "other"),
            "get leases.coordination.k8s.io/a -n other",
        ),
        (bound("cluster-admin"), f"bind clusterroles.{RBAC}/cluster-admin -n team-red"),
    ],
)
def test_missing(tmp_path: Path, asked: Object, missing: str) -> None:
    unused, seen = found(tmp_path, [*EVERYTHING, asked])
    assert unused == []
    assert len(seen) == 1
    assert seen[0].startswith(missing)


def test_rights_of_other_accounts_are_not_the_operators() -> None:
    assert Right("coordination.k8s.io", "leases", "delete", "a", "scim-operator") not in HAVE
    assert len(HAVE) == 6
