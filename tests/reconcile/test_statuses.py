"""What every status says: counts, conditions, and nothing at all when it says so already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scim_operator.access.places import Place
from scim_operator.access.problems import Problem
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.tokens import Tokens
from scim_operator.kube.resources import CLUSTER_ROLES, Resource
from scim_operator.reconcile.outcomes import Outcome
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.statuses import Statuses, Subject
from tests.directory.token_secrets import HASH, secret
from tests.reconcile.worlds import Observer, Universe, group, policy, user

Object = dict[str, Any]
RED = Place("teams", "edit", "team-red")


class Scene:
    """Two people in one group under one policy, and the statuses of all of them."""

    def __init__(self) -> None:
        self.universe, self.observer = Universe(), Observer()
        self.moment = "T1"
        self.urls: dict[str, str] = {"entra": "https://h/scim/v2/entra"}
        self.tokens = Tokens(lambda: datetime(2026, 6, 1, 12, tzinfo=UTC))
        self.statuses = Statuses(
            self.observer.world, now=lambda: self.moment, url=self.urls.get, tokens=self.tokens
        )
        self.put(DIRECTORIES, "entra", spec={})
        self.put(CLUSTER_ROLES, "edit")
        self.put(POLICIES, "teams", spec=policy())
        for number in range(2):
            self.put(USERS, f"u{number}", spec=user(number))
        self.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]))

    def put(self, resource: Resource, name: str, **fields: Any) -> None:
        self.observer.see(self.universe.put(resource, name, **fields))

    def wanted(self, resource: Resource, name: str) -> Object | None:
        wanted = self.statuses.wanted(Subject(resource, name))
        return wanted.status if wanted else None

    def status(self, resource: Resource, name: str) -> Object:
        status = self.wanted(resource, name)
        assert status is not None
        return status

    def ready(self, resource: Resource, name: str) -> tuple[str, str, str]:
        conditions = self.status(resource, name)["conditions"]
        (ready,) = [item for item in conditions if item["type"] == "Ready"]
        return ready["status"], ready["reason"], ready["message"]

    def counts(self, resource: Resource, name: str) -> Object:
        return {key: value for key, value in self.status(resource, name).items() if isinstance(value, int)}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_user(scene: Scene) -> None:
    assert scene.status(USERS, "u0") == {
        "groups": 1,
        "subject": "person0",
        "grantsTotal": 0,
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Reconciled",
                "message": "access follows the groups",
                "lastTransitionTime": "T1",
                "observedGeneration": 1,
            }
        ],
    }


def test_disabled_user(scene: Scene) -> None:
    scene.put(USERS, "u0", spec=user(0, active=False))
    assert scene.ready(USERS, "u0")[2] == "disabled by the provider: no access"
    assert scene.status(USERS, "u0")["groups"] == 1, "memberships survive"


def test_user_who_cannot_be_named(scene: Scene) -> None:
    scene.put(USERS, "u0", spec=user(0, name="system:masters"))
    assert "subject" not in scene.status(USERS, "u0")
    assert scene.ready(USERS, "u0")[:2] == ("False", "SubjectRefused")


def test_user_without_directory(scene: Scene) -> None:
    scene.observer.see(scene.universe.drop(DIRECTORIES, "entra"))
    status, _, message = scene.ready(USERS, "u0")
    assert status == "False"
    assert "'entra' doesn't exist" in message


def test_counts(scene: Scene) -> None:
    scene.statuses.outcomes.set(RED, Outcome(1, frozenset({("User", "person0"), ("User", "person1")})))
    assert scene.counts(GROUPS, "g") == {
        "members": 2,
        "bindings": 1,
        "namespaces": 1,
        "observedGeneration": 1,
    }
    assert scene.counts(POLICIES, "teams") == {
        "groups": 1,
        "people": 2,
        "bindings": 1,
        "namespaces": 1,
        "observedGeneration": 1,
    }
    assert scene.counts(DIRECTORIES, "entra") == {"users": 2, "groups": 1, "observedGeneration": 1}


def test_people_count_once_and_places_each(scene: Scene) -> None:
    scene.put(GROUPS, "g2", spec=group("k8s-blue-edit", [0], identifier="group-2"))
    for namespace in ("team-red", "team-blue"):
        place = RED._replace(namespace=namespace)
        scene.statuses.outcomes.set(place, Outcome(1, frozenset({("User", "person0")})))
    counts = scene.counts(POLICIES, "teams")
    assert (counts["groups"], counts["people"], counts["bindings"], counts["namespaces"]) == (2, 1, 2, 2)


def test_place_that_is_not_bound_does_not_count(scene: Scene) -> None:
    assert scene.counts(POLICIES, "teams")["bindings"] == 0
    missing = Problem("RoleMissing", "NotFound", "no edit")
    scene.statuses.outcomes.set(RED, Outcome(problems=(missing,)))
    assert scene.counts(GROUPS, "g")["bindings"] == 0
    for resource, name in ((POLICIES, "teams"), (GROUPS, "g")):
        assert scene.ready(resource, name) == ("False", "RoleMissing", "no edit")


def test_group_that_no_policy_means(scene: Scene) -> None:
    scene.put(GROUPS, "g", spec=group("Marketing"))
    assert scene.ready(GROUPS, "g") == ("True", "Reconciled", "no policy matches this group")


def test_bad_name_is_the_groups_fault_and_not_the_policys(scene: Scene) -> None:
    scene.put(
        POLICIES,
        "odd",
        spec=policy({"clusterRole": "edit", "namespaces": {"name": "{ns}"}}, pattern="x-{ns}"),
    )
    scene.put(GROUPS, "g", spec=group("x-kube-system"))
    assert scene.ready(GROUPS, "g")[:2] == ("False", "Conflict")
    assert scene.ready(POLICIES, "odd")[0] == "True"
    assert "kube-system" in str(scene.status(POLICIES, "odd")["conditions"])


def test_invalid_policy_says_what_is_wrong(scene: Scene) -> None:
    scene.put(
        POLICIES, "odd", spec=policy({"clusterRole": "{who}", "namespaces": {"name": "a"}}, pattern="x")
    )
    assert scene.ready(POLICIES, "odd")[:2] == ("False", "Stalled")
    assert "{who}" in scene.ready(POLICIES, "odd")[2]
    scene.put(POLICIES, "odd", spec=policy({"clusterRole": "edit", "namespaces": {"name": "a"}}, pattern="x"))
    assert scene.ready(POLICIES, "odd")[0] == "True"


def test_directory_knows_its_url_and_its_last_request(scene: Scene) -> None:
    assert scene.status(DIRECTORIES, "entra")["url"] == "https://h/scim/v2/entra"
    assert "lastRequestTime" not in scene.status(DIRECTORIES, "entra")
    scene.observer.world.directories.seen("entra", "2026-06-01T00:00:00Z")
    assert scene.status(DIRECTORIES, "entra")["lastRequestTime"] == "2026-06-01T00:00:00Z"
    scene.urls.clear()
    assert "url" not in scene.status(DIRECTORIES, "entra")


def test_last_request_survives_a_restart(scene: Scene) -> None:
    scene.put(DIRECTORIES, "entra", spec={}, status={"lastRequestTime": "2026-06-01T00:00:00Z"})
    assert scene.status(DIRECTORIES, "entra")["lastRequestTime"] == "2026-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("resource", "name"), [(USERS, "u0"), (GROUPS, "g"), (POLICIES, "teams"), (DIRECTORIES, "entra")]
)
def test_status_that_is_there_already_is_not_wanted(scene: Scene, resource: Resource, name: str) -> None:
    status = scene.status(resource, name)
    scene.moment = "T2"
    scene.put(resource, name, spec=scene.universe.spec(resource, name), status=status)
    assert scene.wanted(resource, name) is None


def test_time_stays_while_the_condition_does(scene: Scene) -> None:
    status = scene.status(USERS, "u0")
    scene.moment = "T2"
    scene.put(USERS, "u0", spec=user(0, active=False), status=status)
    (ready,) = scene.status(USERS, "u0")["conditions"]
    assert (ready["lastTransitionTime"], ready["observedGeneration"]) == ("T1", 2)
    scene.put(USERS, "u0", spec=user(0, name="system:x"), status=status)
    times = {item["type"]: item["lastTransitionTime"] for item in scene.status(USERS, "u0")["conditions"]}
    assert times == {"Ready": "T2", "SubjectRefused": "T2"}


@pytest.mark.parametrize("resource", [USERS, GROUPS, POLICIES, DIRECTORIES])
def test_nothing_is_wanted_for_what_is_gone(scene: Scene, resource: Resource) -> None:
    assert scene.wanted(resource, "nobody") is None


def test_token_that_ends_soon_is_said_without_alarm(scene: Scene) -> None:
    scene.tokens.replace([secret("soon", sha256=HASH, expires="2026-06-10T00:00:00Z")])
    conditions = {item["type"]: item for item in scene.status(DIRECTORIES, "entra")["conditions"]}
    assert conditions["Ready"]["status"] == "True"
    assert "token soon expires at 2026-06-10T00:00:00Z" in conditions["TokenExpiring"]["message"]
    assert "scim-operator token create entra -n operators" in conditions["TokenExpiring"]["message"]


def test_directory_that_cannot_be_read_says_so(scene: Scene) -> None:
    scene.put(DIRECTORIES, "entra", spec={"subjects": {"user": "{nothing}"}})
    conditions = {item["type"]: item for item in scene.status(DIRECTORIES, "entra")["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert conditions["Stalled"]["status"] == "True"
