"""What statuses say of policies over people, and of namespaces that a selector finds and loses."""

from __future__ import annotations

from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import NAMESPACES
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import following, group, over_people, policy, user


async def test_policy_over_people_says_whether_it_grants(plant: Watched) -> None:
    grant = {"clusterRole": "edit", "namespaces": {"name": "data", "create": {}}}
    plant.put(POLICIES, "people", spec=over_people(grant, text='userName sw "data"'))
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "people") != {})
        assert (
            plant.condition(POLICIES, "people")["message"]
            == "the filter finds nobody active: nothing to grant"
        )
        plant.put(USERS, "u0", spec=user(0, name="data-ada"))
        await plant.until(lambda: plant.status(POLICIES, "people").get("people") == 1)
        assert plant.condition(POLICIES, "people")["message"] == "access is in place"


async def test_group_counts_follow_the_namespaces_of_a_selector(plant: Watched) -> None:
    selector = {"matchLabels": {"tier": "front"}}
    plant.put(POLICIES, "teams", spec=policy({"clusterRole": "edit", "namespaces": {"selector": selector}}))
    plant.put(NAMESPACES, "web", labels={"tier": "front"})
    async with plant.running():
        await plant.until(lambda: plant.status(GROUPS, "g").get("namespaces") == 1)
        plant.put(NAMESPACES, "web", labels={"tier": "back"})
        await plant.until(lambda: plant.status(GROUPS, "g").get("namespaces") == 0)
        await plant.until(lambda: plant.status(POLICIES, "teams").get("namespaces") == 0)
        plant.put(NAMESPACES, "web", labels={"tier": "front"})
        await plant.until(lambda: plant.status(GROUPS, "g").get("namespaces") == 1)


async def test_group_near_a_policy_says_why_it_is_not_meant_as_long_as_it_is_near(plant: Watched) -> None:
    nobody = "no policy matches this group"
    plant.put(GROUPS, "g", spec=group("k8s-red-owner", [0, 1]))
    async with plant.running():
        near = f"{nobody}; policy teams would, but {{role}} would be 'owner', which groups.where doesn't list"
        await plant.until(lambda: plant.condition(GROUPS, "g").get("message") == near)
        assert plant.condition(GROUPS, "g")["status"] == "True"
        assert plant.subjects() is None

        # A policy that changes, and one that goes, are news for a group that they don't mean.
        plant.put(POLICIES, "teams", spec=policy(pattern="other-{team}-{role}"))
        await plant.until(lambda: plant.condition(GROUPS, "g").get("message") == nobody)
        plant.put(POLICIES, "teams", spec=following(policy()))
        await plant.until(lambda: plant.condition(GROUPS, "g").get("message") == near)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]))
        await plant.until(lambda: plant.condition(GROUPS, "g").get("message") == "access is in place")
