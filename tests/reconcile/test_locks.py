"""AccessLocks: out at once whatever else is so, in nowhere while it lasts, back when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS
from scim_operator.reconcile.resources import HOLDS, LOCKS, POLICIES
from tests.reconcile.plant import Plant
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import following, group, policy, user

EVERYBODY = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


def lock(plant: Plant, name: str = "laptop", **spec: str) -> None:
    plant.put(LOCKS, name, spec={"reason": "lost laptop", **spec})


def ready(plant: Plant, name: str = "laptop") -> tuple[str, str]:
    condition = plant.condition(LOCKS, name)
    return condition.get("status", ""), condition.get("reason", "")


async def test_out_at_once_and_back_when_it_is_deleted(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        lock(plant, subject="person0")
        await plant.until(lambda: plant.subjects() == {"person1"})
        await plant.until(lambda: ready(plant) == ("True", "Locked"))
        status = plant.status(LOCKS, "laptop")
        assert (status["subject"], status["removedTotal"]) == ("person0", 1)
        assert status["removed"] == [{"policy": "teams", "clusterRole": "edit", "namespace": "team-red"}]
        await plant.until(lambda: plant.condition(USERS, "u0", "Locked") != {})
        assert "kubectl delete accesslock laptop" in plant.condition(USERS, "u0")["message"]
        await plant.until(lambda: plant.condition(USERS, "u1").get("status") == "True")

        plant.api.drop(LOCKS, "laptop")
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: plant.condition(USERS, "u0", "Locked") == {})


async def test_two_locks_on_one_name_last_as_long_as_the_longer(plant: Plant) -> None:
    async with plant.running():
        lock(plant, subject="person0")
        lock(plant, "phone", directory="entra", userName="person0")
        await plant.until(lambda: plant.subjects() == {"person1"})
        plant.api.drop(LOCKS, "laptop")
        await plant.until(lambda: "phone" in plant.condition(USERS, "u0", "Locked").get("message", ""))
        assert plant.subjects() == {"person1"}
        plant.api.drop(LOCKS, "phone")
        await plant.until(lambda: plant.subjects() == EVERYBODY)


async def test_it_ends_by_itself(plant: Plant) -> None:
    until = (plant.now + timedelta(hours=1)).isoformat()
    async with plant.running():
        lock(plant, subject="person0", until=until)
        await plant.until(lambda: plant.subjects() == {"person1"})
        await plant.until(lambda: ready(plant) == ("True", "Locked"))
        plant.now += timedelta(hours=1)
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: ready(plant) == ("True", "Ended"))
        reasons = [event["reason"] for key, event in plant.api.objects.items() if key[0] == "events"]
        assert {"Locked", "Ended"} <= set(reasons)


async def test_a_new_name_is_locked_too_and_the_old_one_stays_so(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        lock(plant, directory="entra", userName="PERSON0")
        await plant.until(lambda: plant.status(LOCKS, "laptop").get("id") == "user-0")
        plant.put(USERS, "u0", spec=user(0, name="alias"))
        plant.put(USERS, "u2", spec=user(2, name="person0"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2, 3]))
        plant.put(USERS, "u3", spec=user(3))
        await plant.until(lambda: plant.subjects() == {"person1", "person3"})
        await plant.until(lambda: plant.condition(USERS, "u2", "Locked") != {})
        await plant.until(lambda: plant.condition(USERS, "u0", "Locked") != {})
        assert plant.status(LOCKS, "laptop")["subject"] == "person0"
        # To a person who is made again, under another id, it is the string that counts.
        plant.api.drop(USERS, "u0")
        plant.api.drop(USERS, "u2")
        plant.put(USERS, "u9", spec={**user(9), "userName": "person0"})
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1, 3, 9]))
        await plant.until(lambda: plant.condition(USERS, "u9", "Locked") != {})
        assert plant.subjects() == {"person1", "person3"}


async def test_whom_it_meant_outlives_a_restart(plant: Plant) -> None:
    async with plant.running():
        lock(plant, directory="entra", userName="person0")
        await plant.until(lambda: plant.status(LOCKS, "laptop").get("subject") == "person0")
        await plant.until(lambda: plant.subjects() == {"person1"})
    plant.put(USERS, "u0", spec=user(0, name="alias"))
    plant.put(USERS, "u5", spec=user(5))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 5]))
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    async with again.running():
        await again.until(lambda: again.subjects() == {"person1", "person5"})
        assert again.status(LOCKS, "laptop")["subject"] == "person0"


async def test_somebody_who_comes_later_never_gets_in() -> None:
    plant = Watched()
    plant.usual()
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        lock(plant, directory="entra", userName="person7")
        await plant.until(lambda: ready(plant) == ("False", "SubjectMissing"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2, 7]))
        plant.put(USERS, "u7", spec=user(7))
        plant.put(USERS, "u2", spec=user(2))
        await plant.until(lambda: plant.subjects() == EVERYBODY | {"person2"})
        await plant.until(lambda: ready(plant) == ("True", "Locked"))
        assert not any("person7" in {held[0] for held in moment} for moment in plant.moments)


async def test_nothing_else_changes_while_the_directory_is_missing(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.drop(DIRECTORIES, "entra")
        plant.put(USERS, "u1", spec=user(1, active=False))
        lock(plant, subject="person0")
        await plant.until(lambda: plant.subjects() == {"person1"})
        await plant.until(lambda: plant.status(LOCKS, "laptop").get("removedTotal") == 1)


async def test_who_moves_to_another_binding_does_not_get_there() -> None:
    plant = Watched()
    plant.usual()
    plant.put(POLICIES, "teams", spec=following(policy()))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(GROUPS, "g", spec=group("k8s-red-view", [0, 1]))
        lock(plant, subject="person0")
        await plant.until(lambda: set(plant.held()) == {("person1", "view", "team-red")})


async def test_no_namespace_is_made_for_somebody_locked(plant: Plant) -> None:
    lock(plant, subject="person2")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "blue", spec=group("k8s-blue-edit", [2], identifier="group-9"))
        await plant.until(lambda: "conditions" in plant.status(GROUPS, "blue"))
        assert ("namespaces", "", "team-blue") not in plant.api.objects
        plant.api.drop(LOCKS, "laptop")
        await plant.until(lambda: plant.subjects(namespace="team-blue") == {"person2"})


async def test_policies_that_bind_groups_are_named(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    lock(plant, subject="person0")
    async with plant.running():
        await plant.until(lambda: ready(plant) == ("False", "RevocationDelayed"))
        assert "teams (group 'k8s-red-edit')" in plant.condition(LOCKS, "laptop")["message"]
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: ready(plant) == ("True", "Locked"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]))
        await plant.until(lambda: ready(plant) == ("False", "RevocationDelayed"))
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: ready(plant) == ("True", "Locked"))


async def test_what_cannot_be_taken_out_yet_is_told_and_tried_again(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.refuse["replace", "rolebindings"] = ApiError(500, "InternalError", "etcd is slow")
        lock(plant, subject="person0")
        await plant.until(lambda: ready(plant) == ("False", "Stalled"), seconds=6)
        assert "team-red (edit)" in plant.condition(LOCKS, "laptop")["message"]
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == {"person1"}, seconds=6)
        await plant.until(lambda: ready(plant) == ("True", "Locked"))


async def test_after_downtime_they_are_out_before_the_operator_is_ready(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
    lock(plant, subject="person0")
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    again.api.refuse["replace", "rolebindings"] = ApiError(503, "Unavailable", "not now")
    assert again.reconciler.overdue is None
    async with again.running():
        await again.until(lambda: again.reconciler.overdue == 1)
        again.api.refuse.clear()
        await again.until(lambda: again.reconciler.overdue == 0)
        assert again.subjects() == {"person1"}


async def test_a_refusal_that_lasts_does_not_keep_the_operator_from_being_ready(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
    lock(plant, subject="person0")
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    again.api.refuse["replace", "rolebindings"] = ApiError(500, "InternalError", "broken for good")
    async with again.running():
        await again.until(lambda: again.reconciler.overdue == 0, seconds=10)
        assert again.subjects() == EVERYBODY


async def test_without_the_kind_of_locks_nobody_comes_anywhere(plant: Plant) -> None:
    plant.api.refuse["list", "accesslocks"] = ApiError(404, "NotFound", "page not found")
    plant.api.drop(CRDS, "accesslocks.scim-operator.io")
    async with plant.running():
        await plant.until(lambda: plant.condition(DIRECTORIES, "entra", "Frozen") != {})
        assert "accesslocks" in plant.condition(DIRECTORIES, "entra", "Frozen")["message"]
        assert plant.subjects() is None
        assert plant.reconciler._inputs.unlisted == {LOCKS}
        plant.api.refuse.clear()
        plant.put(CRDS, "accesslocks.scim-operator.io")
        # Nobody knows whether there were locks, which somebody is about to restore.
        await plant.until(lambda: "additionsHash" in plant.status(HOLDS, "entra"), 10)
        assert plant.subjects() is None
        status = plant.status(HOLDS, "entra")
        plant.put(HOLDS, "entra", spec={"approveAdditions": status["additionsHash"]}, status=status)
        await plant.until(lambda: plant.subjects() == EVERYBODY, 10)
        await plant.until(lambda: plant.condition(DIRECTORIES, "entra", "Frozen") == {}, 10)


async def test_a_lock_that_cannot_be_read_locks_on(plant: Plant) -> None:
    async with plant.running():
        lock(plant, subject="person0")
        await plant.until(lambda: plant.subjects() == {"person1"})
        lock(plant, subject="person0", severity="of a later version")
        await plant.until(lambda: ready(plant) == ("False", "Stalled"))
        assert plant.subjects() == {"person1"}
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    async with again.running():
        await again.until(lambda: again.reconciler.overdue == 0)
        assert again.subjects() == {"person1"}
