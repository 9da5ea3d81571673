"""A directory with `guard.maxAdditions`: two of five newcomers come, the others wait for approval."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import DIRECTORY, apply, conditions, hire, policy
from tests.entra import EntraClient
from tests.eventually import becomes
from tests.installation import Installation


def _limit(cluster: Cluster, most: int | None) -> None:
    patch = json.dumps({"spec": {"guard": {"maxAdditions": most}}})
    cluster.kubectl("patch", "scimdirectory", DIRECTORY, "--type=merge", "-p", patch)


@pytest.fixture
def limited(operator: Installation) -> Iterator[Cluster]:
    """The directory is that of other tests too: without the limit again afterwards."""
    yield operator.cluster
    _limit(operator.cluster, None)


def test_two_come_and_three_wait(limited: Cluster, entra: EntraClient, name: str) -> None:
    cluster = limited
    _limit(cluster, 2)  # early: the operator is to know of it by the time they come
    people = [hire(entra, f"{name}-{number}") for number in range(5)]
    apply(cluster, policy(name, DIRECTORY, "mx-{team}-{role}", namespace="mx-{team}"))
    entra.provision_group("mx-red-view", [])

    def allowed() -> list[int]:
        return [cluster.can_list_pods(person, "mx-red") for person in people]

    entra.add_members("mx-red-view", people)
    becomes(lambda: "GuardTripped" in conditions(cluster, "removalhold", DIRECTORY), True)
    becomes(allowed, [200, 200, 403, 403, 403])
    told = conditions(cluster, "removalhold", DIRECTORY)["GuardTripped"]
    assert told["reason"] == "AdditionsLimit"
    assert f"3 additions are held until somebody approves: '{people[2]}'" in told["message"]
    _, _, typed = told["message"].partition("kubectl ")  # what it says is what works
    cluster.kubectl(*shlex.split(typed))
    becomes(allowed, [200] * 5)
    becomes(lambda: "GuardTripped" in conditions(cluster, "removalhold", DIRECTORY), False)
