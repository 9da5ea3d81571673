"""`scim-operator directory purge`, while the operator runs: refused, told, done, and done again."""

from __future__ import annotations

import json
import subprocess

from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, hire, policy
from tests.eventually import becomes
from tests.installation import NAMESPACE, Installation


def purge(operator: Installation, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`scim-operator directory purge …` as the admin."""
    return operator.command("directory", "purge", name, "-n", NAMESPACE, *arguments)


def identities(cluster: Cluster, directory: str) -> int:
    """How many ScimUsers and ScimGroups are left."""
    items = json.loads(cluster.kubectl("get", "scimusers,scimgroups", "-o", "json"))["items"]
    return sum(item["spec"]["directory"] == directory for item in items)


def test_directory_is_purged(operator: Installation, directory: str, name: str) -> None:
    cluster = operator.cluster
    entra = operator.client(directory)
    anna = hire(entra, "purge-anna")
    entra.provision_group("purge-red-edit", [anna])
    apply(cluster, policy(name, directory, "purge-{team}-{role}", namespace="purge-{team}"))
    given = {("purge-red", "edit"): [anna]}
    becomes(lambda: bindings(cluster, name), given)

    refused = purge(operator, directory, "--yes")
    assert refused.returncode == 1
    assert "exists, nothing was done. Purging takes their access from 1 people" in refused.stderr

    cluster.kubectl("delete", "scimdirectory", directory)
    asked = purge(operator, directory)
    assert asked.returncode == 3, asked.stderr
    assert "1 people would lose all access" in asked.stdout
    assert bindings(cluster, name) == given

    # Whoever isn't among the identityEditors takes the access away, and is told who may do the rest.
    half = purge(operator, directory, "--yes")
    assert half.returncode == 1, half.stdout
    assert "identityEditors" in half.stderr
    assert bindings(cluster, name) == {}
    assert identities(cluster, directory) == 2
    kept = purge(operator, directory, "--yes", "--keep-identities", "-o", "json")
    assert kept.returncode == 0, kept.stderr
    left = json.loads(purge(operator, directory, "-o", "json").stdout)
    assert (left["people"], left["counts"]["removalholds"], left["counts"]["secrets"]) == (0, 0, 0)
    assert bindings(cluster, name) == {}

    editor = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    operator.upgrade(f"identityEditors[0]={editor}")
    try:
        # The API server takes a moment to know of a changed admission policy.
        becomes(lambda: purge(operator, directory, "--yes").returncode, 0)
    finally:
        operator.upgrade()
    assert identities(cluster, directory) == 0
    assert purge(operator, directory).stdout == f"Nothing is left of directory {directory}.\n"
    assert cluster.kubectl("get", "namespace", "purge-red", "-o", "name") == "namespace/purge-red\n"
