"""What statuses say of policies over people, and of namespaces that a selector finds and loses."""

from __future__ import annotations

from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import NAMESPACES
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import over_people, policy, user


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
