"""Permissions used equal permissions granted: the API servers' audit logs, against the rules of the chart.

A run of all tests (`make test`) fails when the chart grants what no test made the operator use, and any run
when the operator asked for what the chart doesn't grant. To see it of some tests:

    AUDIT_LOGS=/tmp/audit .venv/bin/pytest tests/e2e && .venv/bin/python -m tests.permissions /tmp/audit
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.cluster.audit import events
from tests.cluster.build import build
from tests.cluster.client import Client
from tests.installation import CHART, NAMESPACE

Object = Mapping[str, Any]

# All that values can make the chart grant, templateKinds aside, which go as the built-in kinds do.
# Roles have names of their tests' making: one stands for all.
OPTIONS = (
    *("namespaceDeletion=true", "grantableRoles={a-role}"),
    # With those of tests/sequences.
    "grantableClusterRoles={view,edit,admin,seq-reader,seq-writer}",
)
_RBAC = "rbac.authorization.k8s.io"
_ROLES = {"Role": "roles", "ClusterRole": "clusterroles"}
_USER = f"system:serviceaccount:{NAMESPACE}:{NAMESPACE}"
# The operator's own requests; a thief's (tests/e2e/test_stolen_account.py) are kubectl's and Python's.
_AGENTS = ("scim-operator", "kopf/")


class Right(NamedTuple):
    """One verb on one kind, or on one object of it. Empty: any name, any namespace."""

    group: str
    resource: str
    verb: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """As in `kubectl auth can-i`."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        name = f"/{self.name}" if self.name else ""
        return f"{self.verb} {resource}{name}" + (f" -n {self.namespace}" if self.namespace else "")

    def covers(self, asked: Right) -> bool:
        """Whether a rule with this right lets the request through."""
        return self[:3] == asked[:3] and all(
            mine in ("", theirs) for mine, theirs in zip(self[3:], asked[3:], strict=True)
        )


def rendered(*values: str) -> list[Object]:
    """What the chart installs with these values."""
    options = [part for value in values for part in ("--set", value)]
    with tempfile.TemporaryDirectory() as folder:
        helm = Client(Path(folder), "", dict(build().paths))
        text = helm.helm("template", NAMESPACE, str(CHART), "-n", NAMESPACE, *options)
    return [found for found in yaml.safe_load_all(text) if found]


def granted(objects: Iterable[Object]) -> set[Right]:
    """What the bindings among a chart's objects give to the operator's account."""
    objects = list(objects)
    roles = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    account = {"kind": "ServiceAccount", "name": NAMESPACE, "namespace": NAMESPACE}
    return {
        right
        for binding in objects
        if binding["kind"] in ("ClusterRoleBinding", "RoleBinding") and account in binding["subjects"]
        for rule in roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]["rules"]
        for right in rights(rule, binding["metadata"].get("namespace", ""))
    }


def rights(rule: Object, namespace: str = "") -> Iterator[Right]:
    """The rights of one rule, each by itself."""
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or [""]:
                    yield Right(group, resource, verb, name, namespace)


def asked(event: Object) -> Iterator[Right]:
    """What the operator needed for a request; nothing for what every account may, such as discovery."""
    by_operator = event["user"].get("username") == _USER and event.get("userAgent", "").startswith(_AGENTS)
    if "objectRef" not in event or not by_operator:
        return
    what = event["objectRef"]
    group, resource = what.get("apiGroup", ""), what["resource"]
    if "subresource" in what:
        resource = f"{resource}/{what['subresource']}"
    # A name in the request's body is none for RBAC.
    name = "" if event["verb"] == "create" else what.get("name", "")
    if (group, resource) == (_RBAC, "roles"):
        name = "a-role"
    yield Right(group, resource, event["verb"], name, what.get("namespace", ""))
    made = event.get("responseStatus", {}).get("code") == 201
    # An apply that made the object was asked for this as well, without an event of its own.
    if made and event["verb"] == "patch":
        yield Right(group, resource, "create", "", what.get("namespace", ""))
    # So is `bind`, where a binding was made.
    if made and event["verb"] == "create" and group == _RBAC:
        role = event["requestObject"]["roleRef"]
        name = "a-role" if role["kind"] == "Role" else role["name"]
        yield Right(_RBAC, _ROLES[role["kind"]], "bind", name, what.get("namespace", ""))


def compared(folder: Path, have: Iterable[Right]) -> tuple[list[str], list[str]]:
    """(granted and never used, asked for and not granted), in words."""
    unused, missing = set(have), set()
    rules: dict[tuple[str, ...], list[Right]] = {}
    for right in unused:
        rules.setdefault(right[:3], []).append(right)
    for event in events(folder):
        for right in asked(event):
            covering = [each for each in rules.get(right[:3], ()) if each.covers(right)]
            if not covering:
                missing.add(right)
            elif event.get("annotations", {}).get("authorization.k8s.io/decision") == "allow":
                unused.difference_update(covering)
    return sorted(map(str, unused)), sorted(map(str, missing))


def main() -> int:
    """Compare the logs of a folder with the chart."""
    unused, missing = compared(Path(sys.argv[1]), granted(rendered(*OPTIONS)))
    sys.stdout.write(json.dumps({"unused": unused, "missing": missing}, indent=1) + "\n")
    return 1 if unused or missing else 0


if __name__ == "__main__":
    sys.exit(main())
