"""A new name gives nothing unasked, whatever becomes of policies, namespaces and grants meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CRDS, NAMESPACES
from scim_operator.reconcile.resources import GRANTS, HOLDS, POLICIES
from tests.reconcile.plant import Plant, grant
from tests.reconcile.worlds import UNGUARDED, group, policy, user

VIEW = binding_name(Place("teams", "view", "team-red"))
PROD = binding_name(Place("", "edit", "prod", "ClusterRole", "debug"))
BOTH = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


def rename(plant: Plant, name: str) -> None:
    plant.put(GROUPS, "g", spec=group(name, (0, 1)))


def second(plant: Plant, name: str) -> None:
    """Another group, of person2."""
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "g2", spec=group(name, [2], identifier="group-2"))


def waiting(plant: Plant) -> list[str]:
    return [item["subject"] for item in plant.status(HOLDS, "entra").get("additions", ())]


def goes_by(plant: Plant, name: str = "g") -> object:
    return plant.api.objects["scimgroups", "", name]["metadata"]["annotations"].get(GRANTED_AS_ANNOTATION)


def approve(plant: Plant) -> None:
    status = plant.status(HOLDS, "entra")
    plant.put(HOLDS, "entra", spec={"approveAdditions": status["additionsHash"]}, status=status)


def naming(role: str, namespace: str, pattern: str, **fields: Any) -> dict[str, Any]:
    """A policy that names a namespace literally."""
    return policy({"clusterRole": role, "namespaces": {"names": [namespace]}}, pattern=pattern, **fields)


# --- policies that are away for a moment -------------------------------------------------------------------

CRD = f"{POLICIES.plural}.{POLICIES.group}"
AWAY: dict[str, Callable[[Plant], object]] = {
    "it only looks on": lambda plant: plant.put(
        POLICIES, "teams", spec={**policy(), "enforcement": "Preview"}
    ),
    "it is deleted": lambda plant: plant.api.drop(POLICIES, "teams"),
    "its kind is deleted": lambda plant: (
        plant.api.drop(CRDS, CRD),
        plant.api.drop(POLICIES, "teams"),
    ),
    "it is invalid": lambda plant: plant.put(POLICIES, "teams", spec={**policy(), "surplus": 1}),
    "it is mistyped": lambda plant: plant.put(POLICIES, "teams", spec=policy(pattern="k8z-{team}-{role}")),
}


@pytest.mark.parametrize("way", AWAY)
async def test_a_policy_that_is_away_for_a_moment_approves_nothing(plant: Plant, way: str) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: waiting(plant) == ["k8s-red-view"])
        listed = plant.status(HOLDS, "entra")["additions"]
        AWAY[way](plant)
        await asyncio.sleep(0.5)
        plant.put(CRDS, CRD)
        plant.put(POLICIES, "teams", spec=policy())
        await asyncio.sleep(0.6)
        assert (plant.subjects(VIEW), goes_by(plant)) == (None, "k8s-red-edit")
        assert plant.status(HOLDS, "entra")["additions"] == listed, "it is the same question"
        approve(plant)
        await plant.until(lambda: goes_by(plant) == "k8s-red-view", 6)  # a missing kind is looked for seldom


async def test_nor_over_a_restart(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: waiting(plant) == ["k8s-red-view"])
    plant.api.drop(POLICIES, "teams")
    other = Plant()
    other.api.objects, other.api._versions = plant.api.objects, plant.api._versions
    other.api._uids = plant.api._uids
    async with other.running():
        await other.until(lambda: "was waiting already" in other.condition(GROUPS, "g").get("message", ""))
        other.put(POLICIES, "teams", spec=policy())
        await other.until(lambda: "would give" in other.condition(GROUPS, "g").get("message", ""))
        await other.until(lambda: waiting(other) == ["k8s-red-view"])
        assert (other.subjects(VIEW), goes_by(other)) == (None, "k8s-red-edit")


async def test_a_name_that_comes_while_its_policies_only_look_on_waits(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(POLICIES, "teams", spec={**policy(), "enforcement": "Preview"})
        rename(plant, "k8s-red-view")
        await plant.until(lambda: waiting(plant) == ["k8s-red-view"])


async def test_while_a_kind_is_missing_no_name_moves(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.api.drop(CRDS, CRD)
        plant.api.drop(POLICIES, "teams")
        rename(plant, "k8s-red-view")
        await asyncio.sleep(0.5)
        assert goes_by(plant) == "k8s-red-edit"


# --- what the old name never gave --------------------------------------------------------------------------


async def test_what_the_old_name_only_names_is_no_right(plant: Plant) -> None:
    """k8s-blue-edit names team-blue, somebody else's, so it has nothing there. By the name 'ops' it would."""
    plant.put(NAMESPACES, "team-blue")
    plant.put(POLICIES, "ops", spec=naming("edit", "team-blue", "ops"))
    second(plant, "k8s-blue-edit")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") != {})
        second(plant, "ops")
        await plant.until(lambda: waiting(plant) == ["ops"])
        assert plant.subjects(binding_name(Place("ops", "edit", "team-blue")), "team-blue") is None
        assert goes_by(plant, "g2") == "k8s-blue-edit"
        # Whoever lets the old name in has given the new one nothing that the group doesn't have.
        plant.put(NAMESPACES, "team-blue", labels={"scim-operator.io/allow-policy": "teams"})
        await plant.until(lambda: goes_by(plant, "g2") == "ops")


async def test_nor_beyond_max_namespaces(plant: Plant) -> None:
    plant.put(NAMESPACES, "team-zzz")
    plant.put(POLICIES, "teams", spec={**policy(), "maxNamespaces": 1})
    plant.put(POLICIES, "ops", spec=naming("edit", "team-zzz", "ops"))
    second(plant, "k8s-zzz-edit")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Stalled") != {})
        second(plant, "ops")
        await plant.until(lambda: waiting(plant) == ["ops"])
        assert plant.subjects(binding_name(Place("ops", "edit", "team-zzz")), "team-zzz") is None


async def test_nor_for_members_what_a_refused_group_never_had(plant: Plant) -> None:
    plant.put(NAMESPACES, "prod")
    plant.put(POLICIES, "g-mode", spec=naming("edit", "prod", "by-group", subjects="Group"))
    plant.put(POLICIES, "u-mode", spec=naming("edit", "prod", "by-users"))
    plant.put(USERS, "u2", spec=user(2))
    bare = group("by-group", [2], identifier="group-2")
    del bare["externalId"]  # which it would be bound by
    plant.put(GROUPS, "g2", spec=bare)
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(GROUPS, "g2", spec={**bare, "displayName": "by-users"})
        await plant.until(lambda: waiting(plant) == ["by-users"])
        assert plant.subjects(binding_name(Place("u-mode", "edit", "prod")), "prod") is None


async def test_nor_for_members_what_their_group_has(plant: Plant) -> None:
    """Whether they have it by that is what their tokens say."""
    plant.put(NAMESPACES, "prod")
    plant.put(POLICIES, "g-mode", spec=naming("edit", "prod", "by-group", subjects="Group"))
    plant.put(POLICIES, "u-mode", spec=naming("edit", "prod", "by-users"))
    by_group = binding_name(Place("g-mode", "edit", "prod"))
    second(plant, "by-group")
    async with plant.running():
        await plant.until(lambda: plant.subjects(by_group, "prod") == {"oid-group-2"})
        second(plant, "by-users")
        await plant.until(lambda: waiting(plant) == ["by-users"])
        assert plant.subjects(binding_name(Place("u-mode", "edit", "prod")), "prod") is None


async def test_what_is_selected_later_is_gained_as_well(plant: Plant) -> None:
    selecting = {"clusterRole": "edit", "namespaces": {"selector": {"matchLabels": {"env": "prod"}}}}
    plant.put(POLICIES, "prod", spec=policy(selecting, pattern="prod-{team}"))
    plant.put(NAMESPACES, "payments")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        rename(plant, "prod-x")
        await plant.until(lambda: plant.condition(GROUPS, "g", "RenameHeld") != {})
        message = plant.condition(GROUPS, "g", "RenameHeld")["message"]
        assert "ClusterRole 'edit' in every namespace with env=prod" in message
        plant.put(NAMESPACES, "payments", labels={"env": "prod"})
        await asyncio.sleep(0.4)
        assert plant.subjects(binding_name(Place("prod", "edit", "payments")), "payments") is None


@pytest.mark.parametrize("name", ["K8S-red-EDIT", "ops"])
async def test_a_group_without_people_moves_at_once_to_what_gives_nothing_new(
    plant: Plant, name: str
) -> None:
    """Nobody stands anywhere by it; it would have the same by the one name as by the other."""
    plant.put(POLICIES, "ops", spec=naming("edit", "team-red", "ops"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", ()))
        await plant.until(lambda: plant.subjects() is None)
        plant.put(GROUPS, "g", spec=group(name, ()))
        await plant.until(lambda: goes_by(plant) == name)


async def test_what_is_refused_under_both_names_alike_keeps_no_name_waiting(plant: Plant) -> None:
    plant.put(NAMESPACES, "team-blue")
    second(plant, "k8s-blue-edit")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") != {})
        second(plant, "K8S-Blue-edit")
        await plant.until(lambda: goes_by(plant, "g2") == "K8S-Blue-edit")


# --- AccessGrants ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protected", [False, True])
async def test_a_grant_that_waits_for_a_group_isn_t_gained_by_a_rename(plant: Plant, protected: bool) -> None:
    plant.put(NAMESPACES, "prod")
    names = ["oncall"] if protected else []
    plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "protected": {"groups": names}})
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        grant(plant, group={"displayName": "oncall"})
        await plant.until(lambda: plant.condition(GRANTS, "debug", "SubjectMissing") != {})
        rename(plant, "oncall")
        await plant.until(lambda: waiting(plant) == ["oncall"])
        if not protected:
            assert "AccessGrant 'debug'" in plant.status(HOLDS, "entra")["additions"][0]["message"]
        await asyncio.sleep(0.3)
        assert plant.subjects(PROD, "prod") is None
        approve(plant)
        await plant.until(lambda: plant.subjects(PROD, "prod") == BOTH)


async def test_a_name_that_waits_is_none_that_a_grant_can_mean(plant: Plant) -> None:
    plant.put(NAMESPACES, "prod")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        rename(plant, "k8s-red-view")
        await plant.until(lambda: waiting(plant) == ["k8s-red-view"])
        before = plant.status(HOLDS, "entra")["additionsHash"]
        grant(plant, group={"displayName": "k8s-red-view"})
        await plant.until(lambda: plant.condition(GRANTS, "debug", "SubjectMissing") != {})
        assert "kubectl describe removalhold entra" in plant.condition(GRANTS, "debug")["message"]
        # Whoever approves is told of the grant as well.
        await plant.until(lambda: plant.status(HOLDS, "entra")["additionsHash"] != before)
        assert plant.subjects(PROD, "prod") is None


async def test_a_grant_finds_the_group_that_is_made_under_its_name(plant: Plant) -> None:
    plant.put(NAMESPACES, "prod")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == BOTH)
        grant(plant, group={"displayName": "oncall"})
        await plant.until(lambda: plant.condition(GRANTS, "debug", "SubjectMissing") != {})
        second(plant, "oncall")
        await plant.until(lambda: plant.subjects(PROD, "prod") == {"person2"})
