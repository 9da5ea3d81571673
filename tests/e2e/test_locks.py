"""AccessLocks on the real control plane, by the people's own tokens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, bindings, conditions, hire, policy
from tests.entra import EntraClient, Person
from tests.eventually import becomes, eventually, stays
from tests.installation import Installation


def lock(cluster: Cluster, name: str, **spec: str) -> None:
    """Lock somebody, as an admin does."""
    body = {"apiVersion": "scim-operator.io/v1alpha1", "kind": "AccessLock", "metadata": {"name": name}}
    apply(cluster, {**body, "spec": {"reason": "lost laptop", **spec}})


def unlock(cluster: Cluster, name: str) -> None:
    """What the person's status says to type."""
    cluster.kubectl("delete", "accesslock", name, "--ignore-not-found")


def status(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    """An object's status."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "-o", "json")).get("status", {})
    return found


@pytest.fixture
def team(operator: Installation, entra: EntraClient, name: str) -> tuple[str, str]:
    """Two people with access to a namespace named after the test."""
    people = hire(entra, f"{name}-a"), hire(entra, f"{name}-b")
    apply(operator.cluster, policy(name, DIRECTORY, name, role="view", namespace=name))
    entra.provision_group(name, people)
    becomes(lambda: bindings(operator.cluster, name), {(name, "view"): sorted(people)})
    return people


def test_out_at_once_and_past_rename_and_return(
    operator: Installation, entra: EntraClient, name: str, team: tuple[str, str]
) -> None:
    cluster, (locked, other) = operator.cluster, team
    assert cluster.can_list_pods(locked, name) == 200
    lock(cluster, name, directory=DIRECTORY, userName=locked)
    becomes(lambda: cluster.can_list_pods(locked, name), 403)
    assert cluster.can_list_pods(other, name) == 200
    ready = eventually(lambda: conditions(cluster, "accesslock", name).get("Ready", {}), bool)
    assert (ready["status"], ready["reason"]) == ("True", "Locked")
    assert locked in ready["message"]
    told = status(cluster, "accesslock", name)
    assert told["subject"] == locked
    assert told["removed"] == [{"policy": name, "clusterRole": "view", "namespace": name}]

    # Under a new name, and the old one for whoever comes after.
    alias = f"{name}-alias@access.example.com"
    entra.update_user(locked, {"userName": alias})
    entra.provision_user(Person(locked, "Another", "One"))
    late = hire(entra, f"{name}-c")
    entra.add_members(name, [late, locked])
    becomes(lambda: cluster.can_list_pods(late, name), 200)
    becomes(lambda: status(cluster, "accesslock", name).get("laterSubjects"), [alias])
    assert [cluster.can_list_pods(person, name) for person in (locked, alias)] == [403, 403]

    unlock(cluster, name)
    becomes(lambda: cluster.can_list_pods(alias, name), 200)
    becomes(lambda: cluster.can_list_pods(locked, name), 200)


def test_ends_to_the_second(
    operator: Installation, entra: EntraClient, name: str, team: tuple[str, str]
) -> None:
    cluster, (locked, _) = operator.cluster, team
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
    lock(cluster, name, subject=locked, until=until.isoformat())
    becomes(lambda: cluster.can_list_pods(locked, name), 403)
    stays(lambda: cluster.can_list_pods(locked, name), 403, until)
    becomes(lambda: cluster.can_list_pods(locked, name), 200)
    becomes(lambda: conditions(cluster, "accesslock", name)["Ready"]["reason"], "Ended")
    unlock(cluster, name)


def test_locked_while_the_operator_is_down_and_with_the_directory_gone(
    operator: Installation, entra: EntraClient, name: str, team: tuple[str, str]
) -> None:
    cluster, (locked, other) = operator.cluster, team
    operator.process.terminate()
    lock(cluster, name, subject=locked)
    assert cluster.can_list_pods(locked, name) == 200
    operator.start()
    # Not eventually: the operator isn't ready before.
    assert cluster.can_list_pods(locked, name) == 403
    assert cluster.can_list_pods(other, name) == 200
    unlock(cluster, name)
    becomes(lambda: cluster.can_list_pods(locked, name), 200)
