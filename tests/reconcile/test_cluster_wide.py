"""Bindings for the whole cluster."""

from __future__ import annotations

from scim_operator.access.bindings import binding_name, desired_binding
from scim_operator.access.places import Place
from scim_operator.directory.records import USERS
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.resources import BINDINGS, POLICIES
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import policy, user


async def test_cluster_wide_binding_comes_back_and_goes_with_its_policy(plant: Watched) -> None:
    name = binding_name(Place("admins", "edit", ""))
    plant.put(
        POLICIES, "admins", spec=policy({"clusterRole": "edit", "cluster": True}, pattern="K8S-red-EDIT")
    )
    async with plant.running():
        await plant.until(lambda: plant.subjects(name, "") == {"person0", "person1"})
        await plant.until(lambda: plant.status(POLICIES, "admins").get("bindings") == 1)
        assert plant.status(POLICIES, "admins")["namespaces"] == 0
        plant.api.drop(BINDINGS[1], name)
        await plant.until(lambda: plant.subjects(name, "") == {"person0", "person1"})
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.subjects(name, "") == {"person1"})
        plant.api.drop(POLICIES, "admins")
        await plant.until(lambda: plant.subjects(name, "") is None)


async def test_message_of_a_refused_cluster_wide_binding(plant: Watched) -> None:
    plant.api.refuse["create", "clusterrolebindings"] = ApiError(422, "Invalid", "denied by a webhook")
    plant.put(
        POLICIES, "teams", spec=policy({"clusterRole": "edit", "cluster": True}, pattern="k8s-red-edit")
    )
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Stalled") != {})
        message = plant.condition(POLICIES, "teams", "Stalled")["message"]
    assert "namespace ''" not in message


async def test_cluster_wide_orphan_goes_at_start(plant: Watched) -> None:
    place = Place("gone", "edit", "")
    made = desired_binding(place, "entra", [("User", "person0")])
    plant.api.watcher, hear = None, plant.api.watcher
    plant.api.put(BINDINGS[1], made)
    plant.api.watcher = hear
    async with plant.running():
        await plant.until(lambda: plant.subjects(binding_name(place), "") is None)
