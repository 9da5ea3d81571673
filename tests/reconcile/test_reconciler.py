"""From an event to the binding: who is in, who is out, what is left alone, what is tried again.

The same against a real cluster is in tests/e2e; here are the moments that can't be arranged there.
"""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS, Resource
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import NAME, OURS, PLACE, ROLE_REFUSED, Plant
from tests.reconcile.worlds import UNGUARDED, group, policy, user

EVERYBODY = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


# --- the usual ---------------------------------------------------------------------------------------------


async def test_namespace_and_binding_are_made(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("status") == "True")
    namespace = plant.api.objects["namespaces", "", "team-red"]
    assert OURS.items() <= namespace["metadata"]["labels"].items()
    assert (
        plant.status(POLICIES, "teams").items()
        >= {
            "groups": 1,
            "people": 2,
            "bindings": 1,
            "namespaces": 1,
            "observedGeneration": 1,
        }.items()
    )


async def test_second_start_writes_nothing(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.condition(GROUPS, "g").get("status") == "True")
        await plant.until(lambda: "conditions" in plant.status(USERS, "u1"))
        await plant.until(lambda: "conditions" in plant.status(DIRECTORIES, "entra"))
        await asyncio.sleep(0.5)
    again = _over(plant)
    plant.api.writes.clear()
    async with again.running():
        await again.until(lambda: again.reconciler.missing == [])
        await asyncio.sleep(0.8)
    assert plant.api.writes == []


def _over(plant: Plant) -> Plant:
    """Another operator on the same cluster."""
    other = Plant()
    other.api.objects = plant.api.objects
    other.api.writes = plant.api.writes
    other.api._versions = plant.api._versions
    other.api._uids = plant.api._uids
    return other


async def test_leaver_is_taken_out_and_the_last_one_takes_the_binding_along(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() == {"person1"})
        plant.api.drop(USERS, "u1")
        await plant.until(lambda: plant.subjects() is None)
    assert ("namespaces", "", "team-red") in plant.api.objects, "namespaces are never deleted"


async def test_leaver_during_downtime_is_out_after_the_start(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
    plant.deaf = True
    plant.api.drop(USERS, "u0")
    other = _over(plant)
    async with other.running():
        await other.until(lambda: other.subjects() == {"person1"})


async def test_policy_deleted_during_downtime_takes_its_bindings_along(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
    plant.deaf = True
    plant.api.drop(POLICIES, "teams")
    other = _over(plant)
    async with other.running():
        await other.until(lambda: other.subjects() is None)


async def test_nothing_is_done_before_everything_was_listed(plant: Plant) -> None:
    plant.put(NAMESPACES, "team-red", labels=OURS)
    plant.put(
        ROLE_BINDINGS,
        NAME,
        "team-red",
        labels={**OURS, "scim-operator.io/policy": "teams", "scim-operator.io/directory": "entra"},
        annotations={"scim-operator.io/written": ""},
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        subjects=[{"kind": "User", "name": "person0"}],
    )
    plant.api.refuse["list", "clusterroles"] = ApiError(503, "", "")
    plant.api.writes.clear()
    async with plant.running():
        await asyncio.sleep(0.3)
        plant.put(USERS, "u1", spec=user(1, active=False))
        await asyncio.sleep(0.1)
        assert plant.api.writes == []
        assert plant.reconciler.missing
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == {"person0"} and bool(plant.api.writes))


# --- waiting -----------------------------------------------------------------------------------------------


async def test_missing_role_is_waited_for(plant: Plant) -> None:
    plant.api.drop(CLUSTER_ROLES, "edit")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "RoleMissing")
        plant.put(CLUSTER_ROLES, "edit")
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("status") == "True")


async def test_namespace_that_we_make_ourselves_wakes_who_waits_for_it(plant: Plant) -> None:
    waiting = {"clusterRole": "view", "namespaces": {"name": "team-{team}"}}
    plant.put(POLICIES, "also", spec=policy(waiting))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: plant.status(POLICIES, "also").get("bindings") == 1)


async def test_namespace_of_others_opens_with_its_label(plant: Plant) -> None:
    plant.put(NAMESPACES, "team-red")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "Conflict")
        assert plant.subjects() is None
        plant.put(NAMESPACES, "team-red", labels={"scim-operator.io/allow-policy": "teams"})
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(NAMESPACES, "team-red")
        await plant.until(lambda: plant.subjects() is None)


async def test_missing_directory_changes_nothing(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.drop(DIRECTORIES, "entra")
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "Stalled")
        plant.api.drop(USERS, "u0")
        await asyncio.sleep(0.2)
        assert plant.subjects() == EVERYBODY
        plant.put(DIRECTORIES, "entra", spec=UNGUARDED)
        await asyncio.sleep(0.2)
        assert plant.subjects() == EVERYBODY, (
            "frozen: who is missing now may only be missing as the directory was"
        )
        await plant.approve()
        await plant.until(lambda: plant.subjects() == {"person1"})


async def test_directory_that_names_people_otherwise(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"user": "entra:{externalId}"}})
        await plant.approve()
        await plant.until(lambda: plant.subjects() == {"entra:oid-0", "entra:oid-1"})


# --- others at work ----------------------------------------------------------------------------------------


async def test_what_was_done_to_a_binding_is_put_right(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        binding = copy.deepcopy(plant.api.objects["rolebindings", "team-red", NAME])
        binding["subjects"].append({"kind": "User", "name": "stranger"})
        plant.api.put(ROLE_BINDINGS, binding, "team-red")
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.drop(ROLE_BINDINGS, NAME, "team-red")
        await plant.until(lambda: plant.subjects() == EVERYBODY)


async def test_stripped_labels_are_put_back(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        binding = copy.deepcopy(plant.api.objects["rolebindings", "team-red", NAME])
        labels = binding["metadata"].pop("labels")
        plant.api.put(ROLE_BINDINGS, binding, "team-red")
        # a watch by label shows it as a deletion, with the labels it had
        shown = copy.deepcopy(plant.api.objects["rolebindings", "team-red", NAME])
        shown["metadata"]["labels"] = labels
        plant.reconciler.observe(ROLE_BINDINGS, "DELETED", shown)
        await plant.until(
            lambda: (
                OURS.items()
                <= plant.api.objects["rolebindings", "team-red", NAME]["metadata"].get("labels", {}).items()
            )
        )


async def test_binding_of_somebody_else_is_left_alone(plant: Plant) -> None:
    plant.put(NAMESPACES, "team-red", labels=OURS)
    foreign = {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "name": "theirs"}],
    }
    plant.put(ROLE_BINDINGS, NAME, "team-red", **foreign)
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "Conflict")
        plant.api.drop(GROUPS, "g")
        await asyncio.sleep(0.2)
    assert plant.subjects() == {"theirs"}


async def test_conflict_is_planned_again_on_fresh_data(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.deaf = True
        binding = copy.deepcopy(plant.api.objects["rolebindings", "team-red", NAME])
        binding["subjects"].append({"kind": "User", "name": "stranger"})
        plant.api.put(ROLE_BINDINGS, binding, "team-red")
        plant.deaf = False
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() == {"person1"})


async def test_change_during_a_write_is_not_lost(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        changed = [False]

        def meanwhile(verb: str, plural: str) -> None:
            if (verb, plural) == ("replace", "rolebindings") and not changed[0]:
                changed[0] = True
                obj = plant.put(USERS, "u1", spec=user(1, active=False))
                plant.reconciler.observe(USERS, "MODIFIED", obj)

        plant.api.before = meanwhile
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: plant.subjects() is None)


# --- refusals ----------------------------------------------------------------------------------------------


async def test_role_that_may_not_be_granted_names_the_value_to_change(plant: Plant) -> None:
    plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "RoleNotAllowed")
        assert "`grantableClusterRoles`" in plant.condition(POLICIES, "teams")["message"]
        assert plant.status(POLICIES, "teams")["bindings"] == 0


async def test_leaver_who_cannot_be_taken_out_takes_the_binding_along(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() is None)
        await plant.until(lambda: any(kind == "events" for kind, _, _ in plant.api.objects))
    (event,) = [obj for key, obj in plant.api.objects.items() if key[0] == "events"]
    assert event["regarding"]["name"] == "teams"
    assert "whole binding was deleted" in event["note"]


async def test_stranger_of_another_kind_takes_the_binding_along_too(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        binding = copy.deepcopy(plant.api.objects["rolebindings", "team-red", NAME])
        binding["subjects"].append({"kind": "Group", "name": "person0"})
        plant.api.put(ROLE_BINDINGS, binding, "team-red")
        await plant.until(lambda: plant.subjects() is None)


async def test_joiner_who_cannot_be_added_leaves_the_others_alone(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]))
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "RoleNotAllowed")
        assert plant.subjects() == EVERYBODY
        assert plant.status(POLICIES, "teams")["bindings"] == 1, "it is there, and gives access"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(403, "Forbidden", "because it is being terminated"), "NamespaceMissing"),
        (ApiError(422, "Invalid", "subjects: odd"), "Stalled"),
        (ApiError(404, "NotFound", 'namespaces "team-red" not found'), "NamespaceMissing"),
        (ApiError(404, "NotFound", 'clusterrole.rbac.authorization.k8s.io "edit" not found'), "RoleMissing"),
    ],
)
async def test_refusal_says_what_it_is(plant: Plant, error: ApiError, reason: str) -> None:
    plant.api.refuse["create", "rolebindings"] = error
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("status") == "False")
        await asyncio.sleep(0.1)
        assert plant.condition(POLICIES, "teams")["reason"] == reason


async def test_one_place_that_fails_does_not_hold_up_the_others(plant: Plant) -> None:
    plant.put(USERS, "u7", spec=user(7))
    plant.put(GROUPS, "g2", spec=group("k8s-blue-edit", [7], identifier="group-2"))

    def fail(verb: str, plural: str) -> None:
        if (verb, plural) == ("create", "rolebindings") and plant.subjects(namespace="team-blue") is None:
            raise failing.pop() if failing else ApiError(503, "", "away")

    failing: list[Exception] = [KeyError("odd")]
    plant.api.before = fail
    async with plant.running():
        await asyncio.sleep(0.3)
        plant.api.before = None
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await plant.until(lambda: plant.subjects(namespace="team-blue") == {"person7"})


@pytest.mark.parametrize("resource", [USERS, GROUPS, POLICIES, DIRECTORIES])
async def test_status_that_cannot_be_written_is_tried_again(plant: Plant, resource: Resource) -> None:
    plant.api.refuse["patch", resource.plural] = ApiError(503, "", "away")
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await asyncio.sleep(0.5)
        plant.api.refuse.clear()
        name = {"scimusers": "u0", "scimgroups": "g", "accesspolicies": "teams", "scimdirectories": "entra"}
        await plant.until(lambda: "conditions" in plant.status(resource, name[resource.plural]))


async def test_failure_of_one_status_does_not_end_the_others(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = type(plant.reconciler._statuses).wanted

    def odd(self: Any, subject: Any) -> Any:
        if subject.name == "u0":
            raise KeyError("odd")
        return original(self, subject)

    monkeypatch.setattr(type(plant.reconciler._statuses), "wanted", odd)
    async with plant.running():
        await plant.until(lambda: "conditions" in plant.status(USERS, "u1"))
        await plant.until(lambda: "conditions" in plant.status(POLICIES, "teams"))


async def test_outcomes_of_places_that_are_gone_are_not_kept(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
        await plant.until(lambda: plant.subjects() is None)
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: PLACE not in plant.reconciler._statuses.outcomes)
