"""AccessGrants on the real control plane, by the people's own tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, conditions, hire
from tests.e2e.test_locks import status
from tests.entra import EntraClient
from tests.eventually import becomes, eventually, stays
from tests.installation import Installation


@pytest.fixture
def space(operator: Installation, name: str) -> Iterator[str]:
    """A namespace that no policy reaches; the grant of its name goes afterwards."""
    operator.cluster.kubectl("create", "namespace", name)
    yield name
    operator.cluster.kubectl("delete", "accessgrant", name, "--ignore-not-found")


def grant(cluster: Cluster, name: str, seconds: float, **spec: Any) -> datetime:
    """`view` in the namespace of that name, made by the admin. -> when it ends"""
    me = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    body = {
        "directory": DIRECTORY,
        "clusterRole": "view",
        "namespace": name,
        "until": until.isoformat(),
        "reason": "INC-4711",
        "requestedBy": me,
        **spec,
    }
    kind = {"apiVersion": "scim-operator.io/v1alpha1", "kind": "AccessGrant", "metadata": {"name": name}}
    apply(cluster, {**kind, "spec": body})
    return until


def _ends(cluster: Cluster, person: str, space: str, until: datetime) -> None:
    """They have it until then, and not from just after."""
    becomes(lambda: cluster.can_list_pods(person, space), 200)
    stays(lambda: cluster.can_list_pods(person, space), 200, until)
    becomes(lambda: cluster.can_list_pods(person, space), 403)


def test_ends_at_its_second_and_for_good(operator: Installation, entra: EntraClient, space: str) -> None:
    cluster, person = operator.cluster, hire(entra, space)
    assert cluster.can_list_pods(person, space) == 403
    until = grant(cluster, space, 12, userName=person)
    # Nobody else says for whom it is; `id` the CRD would keep besides.
    lie = json.dumps({"status": {"who": "somebody else"}})
    patch = ("patch", "accessgrant", space, "--subresource=status", "--type=merge", "-p", lie)
    assert "may not write the status of AccessGrant" in cluster.kubectl(*patch, check=False)
    _ends(cluster, person, space, until)
    ended = eventually(
        lambda: conditions(cluster, "accessgrant", space)["Ready"], lambda seen: seen["reason"] == "Ended"
    )
    assert ended["status"] == "True"
    told = status(cluster, "accessgrant", space)
    assert (told["who"], told["people"]) == (person, 0)
    assert told["since"] < told["ended"]
    late = json.dumps({"spec": {"until": (until + timedelta(hours=1)).isoformat()}})
    said = cluster.kubectl("patch", "accessgrant", space, "--type=merge", "-p", late, check=False)
    assert "until can only come sooner" in said
    assert cluster.can_list_pods(person, space) == 403


@pytest.mark.long
def test_sixty_seconds_are_sixty_seconds(operator: Installation, entra: EntraClient, space: str) -> None:
    cluster, person = operator.cluster, hire(entra, space)
    _ends(cluster, person, space, grant(cluster, space, 60, userName=person))


def test_group_leaver_and_deletion(operator: Installation, entra: EntraClient, space: str) -> None:
    cluster, people = operator.cluster, (hire(entra, f"{space}-a"), hire(entra, f"{space}-b"))
    entra.provision_group(space, people)
    grant(cluster, space, 3600, group={"displayName": space})

    def seen() -> list[int]:
        return [cluster.can_list_pods(person, space) for person in people]

    becomes(seen, [200, 200])
    entra.set_active(people[0], False)
    becomes(seen, [403, 200])
    entra.set_active(people[0], True)
    becomes(seen, [200, 200])
    entra.remove_members(space, people[:1])
    becomes(seen, [403, 200])
    cluster.kubectl("delete", "accessgrant", space)
    becomes(seen, [403, 403])


def test_ended_during_downtime_is_gone_before_the_operator_is_ready(
    operator: Installation, entra: EntraClient, space: str
) -> None:
    cluster, person = operator.cluster, hire(entra, space)
    until = grant(cluster, space, 10, userName=person)
    becomes(lambda: cluster.can_list_pods(person, space), 200)
    operator.process.terminate()
    eventually(lambda: datetime.now(UTC), lambda now: now > until, 20)
    assert cluster.can_list_pods(person, space) == 200
    operator.start()
    # Not eventually: the operator isn't ready before.
    assert cluster.can_list_pods(person, space) == 403
