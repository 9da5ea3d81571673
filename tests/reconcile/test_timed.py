"""AccessGrants: beside what policies give, for active people, until a time and not a moment longer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import GRANTS, HOLDS, LOCKS
from tests.reconcile.plant import Plant, again, grant
from tests.reconcile.worlds import UNGUARDED, group, user

PLACE = Place("", "edit", "prod", "ClusterRole", "debug")


@pytest.fixture
def plant() -> Plant:
    """The usual two people, and a namespace that no policy reaches."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    made.put(NAMESPACES, "prod")
    made.api.watcher = hear
    return made


def holders(plant: Plant, place: Place = PLACE) -> set[str] | None:
    return plant.subjects(binding_name(place), place.namespace)


def ready(plant: Plant) -> tuple[str, str]:
    condition = plant.condition(GRANTS, "debug")
    return condition.get("status", ""), condition.get("reason", "")


async def test_isn_t_counted_where_only_so_many_may_come(plant: Plant) -> None:
    plant.put(DIRECTORIES, "entra", spec={"guard": {**UNGUARDED["guard"], "maxAdditions": 0}})
    async with plant.running():
        await plant.until(lambda: plant.status(HOLDS, "entra").get("additionsWaiting") == 2)
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})


async def test_given_at_once_and_ended_to_the_second(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: ready(plant) == ("True", "Active"))
        status = plant.status(GRANTS, "debug")
        assert (status["who"], status["people"], status["subjects"]) == ("person0", 1, ["person0"])
        assert status["since"] and "ended" not in status
        await plant.until(lambda: plant.status(USERS, "u0").get("grantsTotal") == 2)
        given = plant.status(USERS, "u0")["grants"][0]
        assert given.items() >= {"accessGrant": "debug", "clusterRole": "edit", "namespace": "prod"}.items()

        plant.now += timedelta(hours=2, seconds=-1)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: plant.subjects() == {"person1"})
        assert holders(plant) == {"person0"}, "no sync takes it"
        plant.now += timedelta(seconds=1)
        await plant.until(lambda: holders(plant) is None)
        await plant.until(lambda: ready(plant) == ("True", "Ended"))
        assert plant.status(GRANTS, "debug")["ended"]
        # A clock that is set back revives nothing.
        plant.now -= timedelta(hours=1)
        plant.put(USERS, "u0", spec={**user(0), "title": "changed"})
        await plant.until(lambda: plant.status(USERS, "u0").get("observedGeneration") == 2)
        assert holders(plant) is None


async def test_ends_with_its_object_and_when_it_is_shortened(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        plant.api.drop(GRANTS, "debug")
        await plant.until(lambda: holders(plant) is None)
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        grant(plant, hours=0)
        await plant.until(lambda: holders(plant) is None)


@pytest.mark.parametrize("way", ["ended", "deleted"])
async def test_what_ended_during_downtime_is_gone_before_the_operator_is_ready(
    plant: Plant, way: str
) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
    if way == "ended":
        plant.now += timedelta(hours=2)
    else:
        plant.api.drop(GRANTS, "debug")
    # And with everything else frozen.
    plant.api.drop(DIRECTORIES, "entra")
    other = again(plant)
    other.api.refuse["delete", "rolebindings"] = ApiError(503, "Unavailable", "not now")
    async with other.running():
        await other.until(lambda: other.reconciler.overdue == 1)
        other.api.refuse.clear()
        await other.until(lambda: other.reconciler.overdue == 0)
        assert holders(other) is None
        assert other.subjects() == {"person0", "person1"}


async def test_unknown_kind_ends_nothing(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
    other = again(plant)
    other.api.refuse["list", "accessgrants"] = ApiError(404, "NotFound", "page not found")
    async with other.running():
        await other.until(lambda: other.reconciler.overdue == 0)
        assert GRANTS in other.reconciler._inputs.unlisted
        assert not other.world.at_once(PLACE, ("User", "person0"))


async def test_members_of_a_group_through_groups_and_under_names_of_their_own(plant: Plant) -> None:
    async with plant.running():
        plant.put(GROUPS, "ops", spec=group("ops", [0, "inner"], identifier="outer"))
        plant.put(GROUPS, "night", spec=group("night", [1], identifier="inner"))
        grant(plant, group={"displayName": "ops"})
        await plant.until(lambda: holders(plant) == {"person0", "person1"})
        await plant.until(lambda: plant.status(GRANTS, "debug").get("who") == "group 'ops'")
        # It is that group, whatever it and others are called later.
        plant.put(GROUPS, "ops", spec=group("was-ops", [0, "inner"], identifier="outer"))
        plant.put(USERS, "u5", spec=user(5))
        plant.put(GROUPS, "new", spec=group("ops", [5], identifier="other"))
        plant.put(GROUPS, "night", spec=group("night", [], identifier="inner"))
        await plant.until(lambda: holders(plant) == {"person0"})
        plant.put(GROUPS, "night", spec=group("night", [1], identifier="inner"))
        await plant.until(lambda: holders(plant) == {"person0", "person1"})


async def test_the_person_is_followed_and_has_to_be_active(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        plant.put(USERS, "u0", spec=user(0, name="alias"))
        await plant.until(lambda: holders(plant) == {"alias"})
        plant.put(USERS, "u7", spec=user(7, name="person0"))
        plant.put(USERS, "u0", spec=user(0, name="alias", active=False))
        await plant.until(lambda: holders(plant) is None)
        await plant.until(lambda: ready(plant) == ("False", "NobodyActive"))
        plant.put(USERS, "u0", spec=user(0, name="alias"))
        await plant.until(lambda: holders(plant) == {"alias"})
        await plant.until(lambda: ready(plant) == ("True", "Active"))


async def test_somebody_who_is_not_there_yet(plant: Plant) -> None:
    async with plant.running():
        grant(plant, userName="person7")
        await plant.until(lambda: ready(plant) == ("False", "SubjectMissing"))
        plant.put(USERS, "u7", spec=user(7))
        await plant.until(lambda: holders(plant) == {"person7"})
        await plant.until(lambda: ready(plant) == ("True", "Active"))


async def test_two_groups_of_one_name_get_nothing(plant: Plant) -> None:
    for name in ("a", "b"):
        plant.put(GROUPS, name, spec=group("ops", [0], identifier=name))
    grant(plant, group={"displayName": "ops"})
    async with plant.running():
        await plant.until(lambda: ready(plant) == ("False", "Ambiguous"))
        assert holders(plant) is None


async def test_a_lock_wins(plant: Plant) -> None:
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        plant.put(LOCKS, "laptop", spec={"subject": "person0", "reason": "lost laptop"})
        await plant.until(lambda: holders(plant) is None)
        await plant.until(lambda: ready(plant) == ("False", "NobodyActive"))
        removed = {"accessGrant": "debug", "clusterRole": "edit", "namespace": "prod"}
        await plant.until(lambda: removed in plant.status(LOCKS, "laptop").get("removed", []))
        plant.api.drop(LOCKS, "laptop")
        await plant.until(lambda: holders(plant) == {"person0"})


@pytest.mark.parametrize(
    ("spec", "condition"),
    [
        ({"clusterRole": "none"}, "RoleMissing"),
        ({"namespace": "nowhere"}, "NamespaceMissing"),
        ({"namespace": "kube-system"}, "Conflict"),
        ({"hours": 7 * 24 + 1}, "Stalled"),
        ({"directory": "okta"}, "Stalled"),
    ],
)
async def test_what_keeps_it_from_giving_is_told(plant: Plant, spec: dict[str, Any], condition: str) -> None:
    plant.put(NAMESPACES, "kube-system")
    grant(plant, **spec)
    async with plant.running():
        await plant.until(lambda: ready(plant) == ("False", condition))
        assert not [item for item in plant.api.all(ROLE_BINDINGS) if "grant" in item["metadata"]["name"]]


async def test_a_role_or_namespace_that_comes_later(plant: Plant) -> None:
    grant(plant, clusterRole="late", namespace="late")
    place = PLACE._replace(role="late", namespace="late")
    async with plant.running():
        await plant.until(lambda: ready(plant)[0] == "False")
        plant.put(CLUSTER_ROLES, "late")
        plant.put(NAMESPACES, "late")
        await plant.until(lambda: holders(plant, place) == {"person0"})


async def test_cluster_wide_and_drift(plant: Plant) -> None:
    place = PLACE._replace(namespace="")
    spec: dict[str, Any] = {"namespace": None, "cluster": True}
    async with plant.running():
        grant(plant, **spec)
        await plant.until(lambda: holders(plant, place) == {"person0"})
        found = plant.api.objects["clusterrolebindings", "", binding_name(place)]
        plant.api.drop(CLUSTER_ROLE_BINDINGS, found["metadata"]["name"])
        await plant.until(lambda: holders(plant, place) == {"person0"})


async def test_a_policy_and_a_grant_of_one_role_do_not_touch_each_other(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        place = PLACE._replace(namespace="team-red")
        grant(plant, namespace="team-red")
        await plant.until(lambda: holders(plant, place) == {"person0"})
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: plant.subjects() == {"person1"})
        assert holders(plant, place) == {"person0"}
        plant.api.drop(GRANTS, "debug")
        await plant.until(lambda: holders(plant, place) is None)
        assert plant.subjects() == {"person1"}
