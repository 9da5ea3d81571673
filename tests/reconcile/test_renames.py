"""The name that a group's access goes by: written before its first binding, moved when that gives no more."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.store import Store
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import EVENTS, NAMESPACES
from scim_operator.reconcile.resources import POLICIES
from scim_operator.scim.schemas import GROUP
from tests.reconcile.plant import Plant
from tests.reconcile.worlds import by_id, following, granted_as, group, policy, user

VIEW = binding_name(Place("teams", "view", "team-red"))
BOTH = {"person0", "person1"}
# A second policy over the same names.
FRONT = {"clusterRole": "edit", "namespaces": {"selector": {"matchLabels": {"tier": "front"}}}}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


def goes_by(plant: Plant) -> str | None:
    """The name that the group's access goes by."""
    found: str | None = plant.api.objects["scimgroups", "", "g"]["metadata"]["annotations"].get(
        GRANTED_AS_ANNOTATION
    )
    return found


def rename(plant: Plant, name: str, *members: int) -> None:
    """As SCIM does: the annotation stays."""
    plant.put(GROUPS, "g", spec=group(name, members or (0, 1)))


def is_held(plant: Plant) -> bool:
    return plant.condition(GROUPS, "g", "RenameHeld").get("status") == "True"


async def begun(plant: Plant) -> None:
    await plant.until(lambda: plant.subjects() == BOTH)
    await plant.until(lambda: plant.condition(GROUPS, "g").get("message") == "access is in place")


async def test_what_gives_more_waits_and_says_so(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    async with plant.running():
        await begun(plant)
        plant.put(USERS, "u2", spec=user(2))
        rename(plant, "k8s-red-view", 0, 1, 2)
        await plant.until(lambda: is_held(plant))
        await plant.until(lambda: plant.subjects() == BOTH | {"person2"})  # whoever joins, joins what it is
        message = plant.condition(GROUPS, "g", "RenameHeld")["message"]
        for said in ("'k8s-red-view'", "'k8s-red-edit'", "ClusterRole 'view' in namespace 'team-red'"):
            assert said in message
        assert plant.condition(GROUPS, "g")["reason"] == "RenameHeld"
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RenameHeld").get("message") == message)
        assert plant.condition(POLICIES, "teams")["status"] == "True", "whoever names groups turns it red"
        await plant.until(
            lambda: (
                {"ScimGroup", "AccessPolicy"}
                <= {
                    item["regarding"]["kind"]
                    for item in plant.api.all(EVENTS)
                    if (item["reason"], item["note"]) == ("RenameHeld", message)
                }
            )
        )
        (record,) = (item for item in caplog.records if "waits for approval" in item.message)
        assert (record.old_name, record.new_name) == ("k8s-red-edit", "k8s-red-view")  # type: ignore[attr-defined]
        assert plant.subjects(VIEW) is None
        assert goes_by(plant) == "k8s-red-edit"

        rename(plant, "k8s-red-edit")
        await plant.until(lambda: not is_held(plant))
        await plant.until(lambda: not plant.condition(POLICIES, "teams", "RenameHeld"))
        assert plant.subjects(VIEW) is None


async def test_it_waits_after_a_restart_too(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: is_held(plant))
    other = Plant()
    other.api.objects, other.api._versions = plant.api.objects, plant.api._versions
    async with other.running():
        await other.until(lambda: other.reconciler.missing == [])
        await asyncio.sleep(0.5)
        assert (is_held(other), other.subjects(), other.subjects(VIEW)) == (True, BOTH, None)
    assert [write for write in other.api.writes if "bindings" in write[1]] == []


@pytest.mark.parametrize("name", ["K8S-red-EDIT", "nothing", "sre-red-edit"])
async def test_what_gives_nothing_new_moves_at_once(plant: Plant, name: str) -> None:
    sre = Place("sre", "edit", "team-red")
    plant.put(POLICIES, "sre", spec=policy(pattern="sre-{team}-{role}"))
    async with plant.running():
        await begun(plant)
        rename(plant, name)
        await plant.until(lambda: goes_by(plant) == name)
        await plant.until(lambda: plant.subjects() == (BOTH if name == "K8S-red-EDIT" else None))
        if name == "sre-red-edit":
            await plant.until(lambda: plant.subjects(binding_name(sre)) == BOTH)
        assert not is_held(plant)


async def test_who_joins_with_the_new_name_gets_nothing_by_the_old_one(plant: Plant) -> None:
    plant.put(USERS, "u2", spec=user(2))
    async with plant.running():
        await begun(plant)
        plant.api.before = lambda verb, plural: asyncio.sleep(0.1) if plural == "scimgroups" else None
        seen: set[str] = set()
        hear = plant.api.watcher

        def watch(resource: Any, event: str, obj: dict[str, Any]) -> None:
            if resource.plural == "rolebindings":
                seen.update(subject["name"] for subject in obj.get("subjects") or ())
            assert hear is not None
            hear(resource, event, obj)

        plant.api.watcher = watch
        rename(plant, "nothing", 0, 1, 2)
        await plant.until(lambda: plant.subjects() is None)
        assert "person2" not in seen


async def test_what_was_given_up_waits_as_well(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        rename(plant, "nothing")
        await plant.until(lambda: plant.subjects() is None)
        rename(plant, "k8s-red-edit")
        await plant.until(lambda: is_held(plant))
        assert plant.subjects() is None


async def test_follow_and_ids_don_t_wait(plant: Plant) -> None:
    everywhere = {"clusterRole": "view", "cluster": True}
    plant.put(POLICIES, "ids", spec=by_id(everywhere, ids=["oid-group-0"]))
    plant.put(POLICIES, "follows", spec=following(policy()))
    place = Place("follows", "view", "team-red")
    by_ids = binding_name(Place("ids", "view", ""))
    async with plant.running():
        await begun(plant)
        await plant.until(lambda: plant.subjects(by_ids, "") == BOTH)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: plant.subjects(binding_name(place)) == BOTH)
        await plant.until(lambda: is_held(plant))
        assert plant.subjects() == plant.subjects(by_ids, "") == BOTH
        assert plant.subjects(VIEW) is None


async def test_policies_and_namespaces_decide_again(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.put(NAMESPACES, "shop", labels={"tier": "front"})
        plant.put(POLICIES, "front", spec=policy(FRONT, pattern="front"))
        rename(plant, "front")
        await plant.until(lambda: is_held(plant))
        assert "'shop'" in plant.condition(GROUPS, "g", "RenameHeld")["message"]
        plant.put(NAMESPACES, "shop", labels={})
        await asyncio.sleep(0.3)
        assert goes_by(plant) == "k8s-red-edit", "what has the label tomorrow is the new name's as well"
        plant.put(POLICIES, "both", spec=policy(FRONT, pattern="k8s-red-edit"))
        plant.put(NAMESPACES, "shop", labels={"tier": "front"})
        await plant.until(lambda: goes_by(plant) == "front")
        await plant.until(lambda: not is_held(plant))

        rename(plant, "k8s-red-edit")
        await plant.until(lambda: is_held(plant))
        plant.put(POLICIES, "teams", spec=following(policy()))
        await plant.until(lambda: plant.subjects() == BOTH)
        await plant.until(lambda: goes_by(plant) == "k8s-red-edit")


async def test_first_name_is_written_before_the_first_binding(plant: Plant) -> None:
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]), annotations={})
    async with plant.running():
        await begun(plant)
    assert goes_by(plant) == "k8s-red-edit"
    writes = [write for write in plant.api.writes if write[1] in ("scimgroups", "rolebindings", "namespaces")]
    assert writes[0] == ("patch", "scimgroups", "g")


async def test_name_that_can_t_be_written_adds_nobody_and_removes_nobody(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.refuse["patch", "scimgroups"] = ApiError(403, "Forbidden", "no patch")
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]), annotations={})
        plant.put(USERS, "u1", spec=user(1, active=False))
        await plant.until(lambda: plant.subjects() == {"person0"})
        await asyncio.sleep(0.5)
        assert plant.subjects() == {"person0"}
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == {"person0", "person2"}, 5)


async def test_what_an_editor_writes_counts(plant: Plant) -> None:
    """As a restore does; nothing else of the object moves."""
    async with plant.running():
        await begun(plant)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]), annotations=granted_as("k8s-red-view"))
        await plant.until(lambda: plant.subjects(VIEW) == BOTH)
        await plant.until(lambda: plant.subjects() is None)
        await plant.until(lambda: is_held(plant))


async def test_the_next_scim_write_doesn_t_conflict(plant: Plant) -> None:
    store = Store(
        cast(KubeClient, plant.api),
        plant.world.index,
        plant.world.directories,
        now=lambda: "2026-01-01T00:00:01Z",
        new_id=lambda: "unused",
        audit=plant.heard.audit,
    )

    async def patch(*operations: dict[str, Any]) -> None:
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "Replace", **operation} for operation in operations],
        }
        await store.patch("entra", GROUP, "group-0", body, "request")

    async with plant.running():
        await begun(plant)
        calls: list[str] = []
        plant.api.before = lambda verb, plural: calls.append(verb) if plural == "scimgroups" else None
        plant.deaf = True  # the event of the operator's own write may be long in coming
        plant.reconciler.observe(
            GROUPS, "MODIFIED", plant.put(GROUPS, "g", spec=group("K8S-red-edit", [0, 1]))
        )
        await plant.until(lambda: goes_by(plant) == "K8S-red-edit")
        await patch({"path": "displayName", "value": "k8s-RED-edit"})
        assert "get" not in calls, "which follows a conflict"
    assert goes_by(plant) == "K8S-red-edit", "SCIM's own write keeps it"


async def test_write_over_an_older_view_is_tried_again(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        raced = False

        def race(verb: str, plural: str) -> None:
            nonlocal raced
            if (verb, plural) == ("patch", "scimgroups") and not raced:
                raced = True
                rename(plant, "nothing", 0)

        rename(plant, "K8S-red-edit")
        plant.api.before = race
        await plant.until(lambda: goes_by(plant) == "nothing")
        await plant.until(lambda: plant.subjects() is None)


async def test_group_that_goes_while_it_waits(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: bool(plant.condition(POLICIES, "teams", "RenameHeld")))
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: plant.subjects() is None)
        await plant.until(lambda: not plant.condition(POLICIES, "teams", "RenameHeld"))
