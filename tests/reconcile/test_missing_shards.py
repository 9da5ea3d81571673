"""While shards of a group are missing nobody knows who is in it: what is said, and what doesn't happen."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.members import Members, part_of
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS, shard_name
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.people import People
from scim_operator.reconcile.resources import HOLDS, POLICIES
from tests.reconcile.plant import NAME, Plant
from tests.reconcile.test_large_groups import GROUP_ID, PEOPLE, ids, named, put_large, put_shard
from tests.reconcile.worlds import UNGUARDED, group, policy, user

LOST = shard_name(GROUP_ID, 1, 0)


@pytest.fixture
def plant() -> Plant:
    """The usual group in two shards, and it is protected."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    made.put(DIRECTORIES, "entra", spec={**UNGUARDED, "protected": {"groups": ["k8s-red-edit"]}})
    target = {"name": "team-{team}", "create": {"whenUnused": "Delete", "after": "1h"}}
    made.put(POLICIES, "teams", spec=policy({"clusterRole": "{role}", "namespaces": target}))
    for number in (*PEOPLE, 9):
        made.put(USERS, f"u{number}", spec=user(number))
    put_large(made, PEOPLE)
    made.api.watcher = hear
    return made


def restarted(plant: Plant) -> Plant:
    """Another process on the same cluster."""
    again = Plant()
    again.api.objects, again.api._versions, again.api._uids = (
        plant.api.objects,
        plant.api._versions,
        plant.api._uids,
    )
    return again


async def test_a_loss_that_a_write_noticed_first_is_told(plant: Plant) -> None:
    """It met a 404 before the watch told."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        await plant.until(lambda: plant.condition(GROUPS, "g").get("status") == "True")
        uid = plant.api.objects[SHARDS.plural, "", LOST]["metadata"]["uid"]
        plant.world.index.evict_shard(LOST, uid)  # as Writer does
        plant.api.drop(SHARDS, LOST)
        await plant.until(lambda: plant.condition(GROUPS, "g", "Stalled").get("reason") == "ShardsMissing")


async def test_which_request_changed_a_shard(plant: Plant) -> None:
    (joining,) = ids([9])
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
        name = shard_name(GROUP_ID, 1, part_of(joining, 2))
        spec = plant.api.objects[SHARDS.plural, "", name]["spec"]
        meta = {"lastModified": "2026-01-02T00:00:00Z", "version": 1, "request": "request-7"}
        plant.put(SHARDS, name, spec={**spec, "members": [*spec["members"], joining], "meta": meta})
        await plant.until(lambda: bool(plant.status(USERS, "u9").get("grants")))
        assert plant.status(USERS, "u9")["grants"][0].get("request") == "request-7"
        assert plant.api.objects[ROLE_BINDINGS.plural, "team-red", NAME]["metadata"]["annotations"][
            "scim-operator.io/request"
        ] == ("request-7")


async def test_a_protected_groups_people_stay_when_its_policy_goes(plant: Plant) -> None:
    """All who stand where it gives access may be in it."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
    plant.api.drop(SHARDS, LOST)
    again = restarted(plant)
    async with again.running():
        await again.until(lambda: again.condition(GROUPS, "g", "Stalled").get("reason") == "ShardsMissing")
        again.api.drop(POLICIES, "teams")
        await again.until(
            lambda: (
                {item["subject"] for item in again.status(HOLDS, "entra").get("held", ())} == named(PEOPLE)
            )
        )
        assert {item["reason"] for item in again.status(HOLDS, "entra")["held"]} == {"Protected"}
        assert again.subjects() == named(PEOPLE)


async def test_a_namespace_isnt_unused_because_nobody_knows(plant: Plant) -> None:
    """Its role is missing, so nobody stands there; whose it is nobody knows."""
    async with plant.running():
        await plant.until(lambda: plant.subjects() == named(PEOPLE))
    lost = plant.api.drop(SHARDS, LOST)
    plant.api.drop(ROLE_BINDINGS, NAME, "team-red")
    plant.api.drop(CLUSTER_ROLES, "edit")
    again = restarted(plant)

    def unused() -> bool:
        metadata = again.api.objects[NAMESPACES.plural, "", "team-red"]["metadata"]
        return "scim-operator.io/unused-since" in (metadata.get("annotations") or {})

    async with again.running():
        await again.until(lambda: again.condition(GROUPS, "g", "Stalled").get("reason") == "ShardsMissing")
        for _ in range(10):
            await asyncio.sleep(0.05)
            assert not unused()
        put_shard(again, 1, [])
        put_shard(again, 0, [])
        assert lost["spec"]["members"]
        await again.until(unused)


async def test_nobody_walks_over_members_to_know_it(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 21: asked at each place while any group is broken, and a whole one may have 50,000 members."""
    inner, outer, okta = "g-inner", "g-outer", "g-okta"
    plant.put(GROUPS, "outer", spec={**group("outer", []), "id": outer, "members": [inner]})
    shards = {"shards": {"generation": 1, "count": 1}}
    plant.put(GROUPS, "inner", spec={**group("inner", []), "id": inner, "members": [], **shards})
    plant.put(GROUPS, "okta", spec={**group("okta", []), "id": okta, "directory": "okta", "members": []})
    index = plant.world.index
    for resource in (SHARDS, USERS, GROUPS):
        for obj in plant.api.all(resource):
            index.put_shard(obj) if resource is SHARDS else index.put(obj)

    def never(members: Members) -> None:
        raise AssertionError("walked over all members")

    monkeypatch.setattr(Members, "__iter__", never)
    people = People(index)
    asked = [("entra", GROUP_ID), ("entra", inner), ("entra", outer), ("okta", okta), ("entra", "")]
    assert [people.is_unknown(key) for key in asked] == [False, True, True, False, False]
