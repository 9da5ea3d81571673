"""What a person's status says of their access: where, by which policy, since when, by which request."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.access.bindings import Who
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.reconcile.outcomes import NOTHING, Outcome
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.statuses import Subject
from tests.reconcile.plant import Plant
from tests.reconcile.test_statuses import RED, Scene
from tests.reconcile.worlds import UNGUARDED, by_id, group, over_people, policy, user

VIEW = {"clusterRole": "view", "namespaces": {"name": "shared"}}
Object = dict[str, Any]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def standing(scene: Scene, place: Place, *names: str, request: str | None = None, kind: str = "User") -> None:
    who: frozenset[Who] = frozenset(("Group" if kind == "Group" else "User", name) for name in names)
    scene.statuses.outcomes.set(place, Outcome(1, who))
    if request:
        scene.statuses.outcomes.note_cause([("entra", f"user-{name[-1]}") for name in names], request)


def grants(scene: Scene, name: str = "u0") -> list[Object]:
    status = scene.status(USERS, name)
    found: list[Object] = status.get("grants", [])
    assert status["grantsTotal"] == len(found)
    return found


def written(scene: Scene, name: str = "u0") -> None:
    """The status as it is to be is what the API server has from now on."""
    scene.put(USERS, name, spec=scene.universe.spec(USERS, name), status=scene.status(USERS, name))
    scene.statuses.told(Subject(USERS, name))


def test_grant_in_force(scene: Scene) -> None:
    assert grants(scene) == []
    standing(scene, RED, "person0", request="req-1")
    entry = {
        "policy": "teams",
        "clusterRole": "edit",
        "namespace": "team-red",
        "since": "T1",
        "request": "req-1",
    }
    assert grants(scene) == [entry]
    assert grants(scene) == [entry], "a write that failed is made again, with its cause"
    assert grants(scene, "u1") == [], "wanted there, and not there yet"


def test_what_is_written_keeps_its_time_and_request(scene: Scene) -> None:
    standing(scene, RED, "person0", request="req-1")
    written(scene)
    scene.moment = "T2"
    standing(scene, RED, "person0", "person1", request="req-2")
    assert scene.wanted(USERS, "u0") is None
    (entry,) = grants(scene, "u1")
    assert (entry["since"], entry["request"]) == ("T2", "req-2")


def test_access_that_ended_and_came_back_is_a_new_grant(scene: Scene) -> None:
    standing(scene, RED, "person0", request="req-1")
    written(scene)
    scene.moment = "T2"
    scene.statuses.outcomes.set(RED, NOTHING)
    assert grants(scene) == []
    written(scene)
    standing(scene, RED, "person0")
    assert grants(scene) == [
        {"policy": "teams", "clusterRole": "edit", "namespace": "team-red", "since": "T2"}
    ], "no request led to it"


def test_all_ways_to_a_grant(scene: Scene) -> None:
    whole = {"clusterRole": "view", "cluster": True}
    role = {"role": "deployer", "namespaces": {"name": "shared"}}
    scene.put(POLICIES, "ids", spec=by_id(whole, role, ids=["oid-group-0"]))
    scene.put(POLICIES, "people", spec=over_people(VIEW, text='userName sw "person"'))
    standing(scene, Place("ids", "view", ""), "person0")
    standing(scene, Place("ids", "deployer", "shared", "Role"), "person0")
    standing(scene, Place("people", "view", "shared"), "person0")
    assert [{k: v for k, v in entry.items() if k != "since"} for entry in grants(scene)] == [
        {"policy": "ids", "clusterRole": "view"},
        {"policy": "ids", "role": "deployer", "namespace": "shared"},
        {"policy": "people", "clusterRole": "view", "namespace": "shared"},
    ]
    written(scene)
    scene.moment = "T2"
    assert scene.wanted(USERS, "u0") is None, "each is known again"


def test_group_in_a_binding_is_its_active_members_grant(scene: Scene) -> None:
    scene.put(POLICIES, "teams", spec=policy(subjects="Group"))
    standing(scene, RED, "oid-group-0", kind="Group")
    assert [entry["policy"] for entry in grants(scene)] == ["teams"]
    scene.put(USERS, "u0", spec=user(0, active=False))
    assert grants(scene) == []
    scene.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
    assert grants(scene, "u1") == []


def test_two_hundred_are_shown_and_all_counted(scene: Scene) -> None:
    names = [f"ns-{number:03}" for number in range(203)]
    grant = [
        {"clusterRole": "view", "namespaces": {"names": names[start : start + 100]}}
        for start in (0, 100, 200)
    ]
    scene.put(POLICIES, "many", spec={**by_id(*grant, ids=["oid-group-0"]), "maxNamespaces": 1000})
    for name in names:
        standing(scene, Place("many", "view", name), "person0")
    status = scene.status(USERS, "u0")
    assert status["grantsTotal"] == 203
    assert [entry["namespace"] for entry in status["grants"]] == names[:200]


def shared(scene: Scene, name: str) -> str | None:
    conditions = scene.status(USERS, name)["conditions"]
    ready = next(item["status"] for item in conditions if item["type"] == "Ready")
    assert ready == "True"
    return next((item["message"] for item in conditions if item["type"] == "SubjectShared"), None)


def test_people_of_one_name_are_told_on_each(scene: Scene) -> None:
    assert shared(scene, "u0") is None
    scene.put(DIRECTORIES, "okta", spec=UNGUARDED)
    scene.put(USERS, "o", spec=user(7, directory="okta", name="person0"))
    assert "ScimUser o (okta) is named 'person0'" in str(shared(scene, "u0"))
    assert "ScimUser u0 (entra)" in str(shared(scene, "o"))
    scene.put(USERS, "o", spec=user(7, directory="okta", name="person0", active=False))
    assert shared(scene, "o") is not None, "their name opens things all the same"
    scene.put(USERS, "o", spec=user(7, directory="okta", name="else"))
    assert shared(scene, "u0") is None


@pytest.mark.parametrize("ends", ["renamed", "deleted", "template"])
async def test_status_follows_who_shares_the_name(plant: Plant, ends: str) -> None:
    plant.put(DIRECTORIES, "okta", spec=UNGUARDED)
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 1)
        plant.put(USERS, "o", spec=user(7, directory="okta", name="person0"))
        await plant.until(lambda: bool(plant.condition(USERS, "u0", "SubjectShared")))
        await plant.until(lambda: bool(plant.condition(USERS, "o", "SubjectShared")))
        if ends == "renamed":
            plant.put(USERS, "o", spec=user(7, directory="okta", name="else"))
        elif ends == "deleted":
            plant.api.drop(USERS, "o")
        else:
            plant.put(DIRECTORIES, "okta", spec={**UNGUARDED, "subjects": {"user": "okta:{userName}"}})
        await plant.until(lambda: not plant.condition(USERS, "u0", "SubjectShared"))


async def test_status_follows_the_binding(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.status(USERS, "u1").get("grantsTotal") == 1)
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: plant.status(USERS, "u1").get("grantsTotal") == 0)
        assert "grants" not in plant.status(USERS, "u1")
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: plant.status(USERS, "u1").get("grantsTotal") == 1)
        plant.put(USERS, "u1", spec=user(1, active=False))
        await plant.until(lambda: plant.status(USERS, "u1").get("grantsTotal") == 0)
