"""Namespaces are made apart from the places that wait for them."""

from __future__ import annotations

import asyncio

from scim_operator.directory.records import GROUPS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CLUSTER_ROLES, NAMESPACES
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import PLACE
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import policy

SPACE = NAMESPACES.plural, "", PLACE.namespace


async def test_one_namespace_for_all_who_wait_for_it(plant: Watched) -> None:
    target = {"name": "team-{team}", "create": {}}
    roles = [{"clusterRole": role, "namespaces": target} for role in ("edit", "view")]
    plant.put(POLICIES, "teams", spec=policy(*roles))
    async with plant.running():
        await plant.until(lambda: {role for _, role, _ in plant.held()} == {"edit", "view"})
    assert plant.api.writes.count(("create", "namespaces", PLACE.namespace)) == 1


async def test_no_problem_is_told_while_it_is_being_made(plant: Watched) -> None:
    plant.api.before = lambda verb, plural: (
        asyncio.sleep(0.5) if (verb, plural) == ("create", "namespaces") else None
    )
    told = []
    async with plant.running():
        while plant.subjects() is None:
            told.append(plant.condition(POLICIES, "teams").get("status"))
            await asyncio.sleep(0.05)
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("status") == "True")
    assert "False" not in told


async def test_refused_namespace_is_told_and_tried_again(plant: Watched) -> None:
    plant.api.refuse["create", "namespaces"] = ApiError(403, "Forbidden", "denied by a webhook")
    async with plant.running():
        for resource, name in ((POLICIES, "teams"), (GROUPS, "g")):
            await plant.until(lambda r=resource, n=name: plant.condition(r, n, "Stalled") != {})  # type: ignore[misc]
            message = plant.condition(resource, name, "Stalled")["message"]
            assert message == "namespace 'team-red': 403 Forbidden: denied by a webhook"
        plant.api.refuse.clear()
        plant.put(
            GROUPS, "g", spec={**plant.api.objects[GROUPS.plural, "", "g"]["spec"], "members": ["user-0"]}
        )
        await plant.until(lambda: plant.subjects() == {"person0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Stalled") == {})
        await plant.until(lambda: plant.condition(GROUPS, "g", "Stalled") == {})


async def test_namespace_that_somebody_makes_at_the_same_moment_stays_theirs(plant: Watched) -> None:
    def faster(verb: str, plural: str) -> None:
        if (verb, plural) == ("create", "namespaces"):
            plant.api.before = None
            plant.deaf = True  # nor does its event come
            plant.put(NAMESPACES, PLACE.namespace, labels={"team": "somebody-else"})

    plant.api.before = faster
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") != {})
    assert plant.condition(POLICIES, "teams", "Conflict")["reason"] == "ForeignNamespace"
    assert plant.api.objects[SPACE]["metadata"]["labels"] == {"team": "somebody-else"}
    assert plant.subjects() is None


async def test_namespace_is_made_before_the_role_that_can_only_follow(plant: Watched) -> None:
    plant.api.drop(CLUSTER_ROLES, "edit")
    grant = {"role": "deployer", "namespaces": {"name": "team-{team}", "create": {}}}
    plant.put(POLICIES, "teams", spec=policy(grant, pattern="k8s-{team}-edit"))
    async with plant.running():
        await plant.until(lambda: SPACE in plant.api.objects)
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RoleMissing") != {})


async def test_missing_cluster_role_makes_no_namespace(plant: Watched) -> None:
    plant.api.drop(CLUSTER_ROLES, "edit")
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RoleMissing") != {})
        await asyncio.sleep(0.1)
    assert SPACE not in plant.api.objects


async def test_a_protected_namespace_is_not_made_for_whoever_names_it(plant: Watched) -> None:
    grants = [
        {"clusterRole": "edit", "namespaces": {"name": name, "create": {}}} for name in ("kube-x", "web")
    ]
    plant.put(POLICIES, "teams", spec=policy(*grants))
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") != {})
        await plant.until(lambda: plant.subjects(namespace="web") is not None)
    assert plant.condition(POLICIES, "teams", "Conflict")["reason"] == "ProtectedNamespace"
    assert (NAMESPACES.plural, "", "kube-x") not in plant.api.objects
