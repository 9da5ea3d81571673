"""A policy in Preview: what it leaves alone, who goes all the same, and what its status tells."""

from __future__ import annotations

import asyncio
from typing import Any

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import LOCKS, POLICIES, TEMPLATES
from tests.reconcile.plant import NAME, PLACE, Plant
from tests.reconcile.worlds import group, policy, user

Object = dict[str, Any]
SPACE = NAMESPACES.plural, "", PLACE.namespace
BINDING = ROLE_BINDINGS.plural, PLACE.namespace, NAME
PREVIEW = {**policy(), "enforcement": "Preview"}


def preview(plant: Plant) -> Object:
    found: Object = plant.status(POLICIES, "teams").get("preview") or {}
    return found


def written(plant: Plant) -> list[tuple[str, str, str]]:
    """What was done to bindings and namespaces."""
    return [
        write for write in plant.api.writes if write[1] in ("rolebindings", "namespaces", "resourcequotas")
    ]


async def test_new_policy_makes_nothing_and_tells_what_it_would(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=PREVIEW)
    async with plant.running():
        await plant.until(lambda: preview(plant) != {})
        assert preview(plant) == {
            "bindings": {"create": 1, "change": 0, "delete": 0},
            "namespaces": {"create": 1, "adopt": 0, "change": 0, "delete": 0},
            "people": {"gain": 2, "lose": 0},
            "total": 3,
            "changes": [
                {"change": "CreateNamespace", "namespace": "team-red"},
                *(
                    {
                        "change": "Add",
                        "namespace": "team-red",
                        "role": "edit",
                        "roleKind": "ClusterRole",
                        "subject": name,
                        "subjectKind": "User",
                    }
                    for name in ("person0", "person1")
                ),
            ],
            "problems": [],
        }
        ready = plant.condition(POLICIES, "teams")
        assert (ready["status"], ready["reason"]) == ("True", "Preview")
        assert "people who would gain access: 2" in ready["message"]
        await plant.until(
            lambda: "AccessPolicy teams is in Preview" in plant.condition(GROUPS, "g")["message"]
        )
    assert written(plant) == []


async def test_status_follows_people_and_ends_with_the_preview(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=PREVIEW)
    async with plant.running():
        await plant.until(lambda: preview(plant).get("people") == {"gain": 2, "lose": 0})
        plant.put(USERS, "u1", spec=user(1, active=False))
        await plant.until(lambda: preview(plant)["people"] == {"gain": 1, "lose": 0})
        plant.api.drop(CLUSTER_ROLES, "edit")
        await plant.until(lambda: preview(plant)["total"] == 0)
        assert preview(plant)["problems"] == ["ClusterRole 'edit' doesn't exist; nothing is granted yet"]
        assert plant.condition(POLICIES, "teams", "RoleMissing") == {}
        plant.put(CLUSTER_ROLES, "edit")
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: plant.subjects() == {"person0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("reason") == "Reconciled")
        assert preview(plant) == {}


async def test_what_was_granted_stays_and_nobody_is_added(plant: Plant) -> None:
    plant.put(USERS, "u2", spec=user(2))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 2]))
        await plant.until(lambda: preview(plant).get("people") == {"gain": 1, "lose": 1})
        assert plant.subjects() == {"person0", "person1"}
        before = written(plant)
        # Nor is anything done to its namespace, whatever the template says or somebody stripped.
        spec = policy(
            {"clusterRole": "view", "namespaces": {"name": "other-{team}", "create": {"template": "small"}}}
        )
        plant.put(POLICIES, "teams", spec={**spec, "enforcement": "Preview"})
        plant.put(TEMPLATES, "small", spec={"labels": {"tier": "front"}})
        plant.put(
            NAMESPACES, "team-red", labels={"team": "red"}, annotations={"scim-operator.io/made": "true"}
        )
        await plant.until(lambda: preview(plant).get("bindings") == {"create": 1, "change": 0, "delete": 1})
        assert written(plant) == before
        # In force again: what it no longer opens goes as well.
        plant.put(POLICIES, "teams", spec=spec)
        await plant.until(lambda: BINDING not in plant.api.objects)


async def test_disabled_deleted_and_strangers_go(plant: Plant) -> None:
    plant.put(USERS, "u2", spec=user(2))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1", "person2"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects() == {"person1", "person2"})
        plant.api.drop(USERS, "u1")
        await plant.until(lambda: plant.subjects() == {"person2"})
        stranger = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}
        held = plant.api.objects[BINDING]
        _edit(plant, subjects=[*held["subjects"], stranger])
        await plant.until(lambda: plant.subjects() == {"person2"})


async def test_whoever_is_taken_out_by_hand_is_not_put_back(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        await plant.until(lambda: preview(plant) != {})
        _edit(plant, subjects=plant.api.objects[BINDING]["subjects"][:1])
        await plant.until(lambda: preview(plant)["people"] == {"gain": 1, "lose": 0})
        assert plant.subjects() == {"person0"}


async def test_a_stripped_mark_makes_nobody_a_stranger(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        await plant.until(lambda: preview(plant) != {})
        _edit(plant, annotations={})
        await plant.until(lambda: "scim-operator.io/written" in _annotations(plant))
        assert plant.subjects() == {"person0", "person1"}


async def test_another_directory_takes_nobody_out(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        before = written(plant)
        for directory in ("okta", "none"):
            plant.put(POLICIES, "teams", spec={**policy(directory=directory), "enforcement": "Preview"})
            await plant.until(lambda: preview(plant).get("people") == {"gain": 0, "lose": 2})
        await asyncio.sleep(0.1)
    assert written(plant) == before


def _annotations(plant: Plant) -> Object:
    found: Object = plant.api.objects[BINDING]["metadata"].get("annotations") or {}
    return found


def _edit(plant: Plant, **changed: Any) -> None:
    """Somebody edits the binding."""
    held = plant.api.objects[BINDING]
    metadata = held["metadata"]
    fields = {"roleRef": held["roleRef"], "subjects": held["subjects"], "labels": metadata["labels"]}
    fields["annotations"] = metadata.get("annotations") or {}
    plant.put(ROLE_BINDINGS, NAME, PLACE.namespace, **fields | changed)


async def test_missing_directory_takes_nobody_out_of_a_place_that_nobody_opens_any_more(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        plant.put(GROUPS, "g", spec=group("others", [0, 1]))
        await plant.until(lambda: preview(plant).get("people") == {"gain": 0, "lose": 2})
        plant.api.drop(DIRECTORIES, "entra")
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Stalled") != {})
        await asyncio.sleep(0.1)
        assert plant.subjects() == {"person0", "person1"}


async def test_locked_people_go(plant: Plant) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(POLICIES, "teams", spec=PREVIEW)
        plant.put(LOCKS, "out", spec={"subject": "person0", "reason": "stolen laptop"})
        await plant.until(lambda: plant.subjects() == {"person1"})
