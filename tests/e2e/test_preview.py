"""Before a policy is in force: its status, and the command's answer, say what Enforce then does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, bindings, hire, policy
from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.installation import NAMESPACE, Installation, scim_operator

Object = dict[str, Any]


def preview(operator: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`scim-operator preview …` as the admin."""
    return operator.command("preview", "-n", NAMESPACE, *arguments)


def told(operator: Installation, *arguments: str) -> Object:
    """What it answers as JSON; nobody loses anything."""
    done = preview(operator, *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: Object = json.loads(done.stdout)
    return found


def status(cluster: Cluster, name: str) -> Object:
    """The status of a policy."""
    found: Object = json.loads(cluster.kubectl("get", "acp", name, "-o", "json")).get("status", {})
    return found


def test_preview_is_what_enforce_does(
    operator: Installation, entra: EntraClient, name: str, tmp_path: Path
) -> None:
    cluster = operator.cluster
    anna, ben = hire(entra, "pv-anna"), hire(entra, "pv-ben")
    entra.provision_group("pv-red-edit", [anna, ben])
    entra.provision_group("pv-blue-view", [ben])
    obj = policy(name, DIRECTORY, "pv-{team}-{role}", namespace="pv-{team}")
    file = tmp_path / "policy.yaml"
    file.write_text(json.dumps(obj))

    foretold = eventually(lambda: told(operator, "-f", str(file)), lambda seen: seen["people"]["gain"] == 2)
    assert foretold["notes"] == []
    apply(cluster, {**obj, "spec": {**obj["spec"], "enforcement": "Preview"}})
    seen = eventually(lambda: status(cluster, name), lambda seen: "preview" in seen)["preview"]
    assert {key: foretold[key] for key in seen} == seen
    assert seen["namespaces"] == {"create": 2, "adopt": 0, "change": 0, "delete": 0}
    assert cluster.kubectl("get", "acp", name, "--no-headers").split()[-3:-1] == ["True", "Preview"]
    assert told(operator, "-f", str(file)) == foretold
    assert bindings(cluster, name) == {}

    apply(cluster, obj)
    given = {("pv-red", "edit"): sorted([anna, ben]), ("pv-blue", "view"): [ben]}
    becomes(lambda: bindings(cluster, name), given)
    added = [
        (change["namespace"], change["role"], change["subject"])
        for change in foretold["changes"]
        if change["change"] == "Add"
    ]
    assert sorted(added) == sorted((*place, who) for place, names in given.items() for who in names)
    assert told(operator, "-f", str(file))["total"] == 0

    # Taking access away is told by the exit code, for a changed policy as for one that goes.
    obj["spec"]["groups"]["where"] = {"role": ["view"]}
    file.write_text(json.dumps(obj))
    narrower = preview(operator, "-f", str(file))
    assert narrower.returncode == 3, narrower.stderr
    assert f"pv-red      -        edit   {anna}" in narrower.stdout
    gone = preview(operator, "--delete", name, "-o", "json")
    assert gone.returncode == 3, gone.stderr
    assert json.loads(gone.stdout)["people"] == {"gain": 0, "lose": 2}
    assert bindings(cluster, name) == given


def test_what_is_no_policy_is_told_by_field(operator: Installation, tmp_path: Path) -> None:
    obj = policy("pv-wrong", DIRECTORY, "pv-{team}")
    for changed, message in (
        ({"kind": "Role"}, "kind is 'Role', expected 'AccessPolicy'"),
        ({"spec": {**obj["spec"], "grant": []}}, "spec.grant is no field of an AccessPolicy"),
        (
            {"spec": {**obj["spec"], "grants": [{"clusterRole": "view", "namespaces": {"name": "{x}"}}]}},
            "{x}",
        ),
        ({"metadata": {"name": "No_Name"}}, "metadata.name is 'No_Name'"),
    ):
        file = tmp_path / "wrong.yaml"
        file.write_text(json.dumps({**obj, **changed}))
        done = preview(operator, "-f", str(file))
        assert done.returncode == 2, done.stdout
        assert message in done.stderr


def test_the_right_that_is_missing_is_named(operator: Installation, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    nobodys = policy("pv-nobody", DIRECTORY, "pv-nobody", role="view", namespace="pv-nobody")
    file.write_text(json.dumps(nobodys))
    nobody = operator.cluster.kubeconfig_for(operator.cluster.person_token("nobody@example.com"))
    done = scim_operator(operator.cluster, "preview", "-n", NAMESPACE, "-f", str(file), kubeconfig=nobody)
    assert done.returncode == 1, done.stdout
    assert 'cannot list resource "scimusers"' in done.stderr
    assert "it takes the verb list on all kinds of scim-operator.io" in done.stderr


def _grant(namespace: str) -> Object:
    return {"clusterRole": "view", "namespaces": {"name": namespace}}
