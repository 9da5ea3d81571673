"""What stands in bindings under `subjects: Group`, and what statuses say of it."""

from __future__ import annotations

import asyncio

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import NAMESPACES
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import ROLE_REFUSED
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import UNGUARDED, group, policy, user


async def test_group_itself_is_bound_and_its_policy_says_what_that_means(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RevocationDelayed") != {})
        assert plant.condition(POLICIES, "teams")["status"] == "True"
        assert plant.status(POLICIES, "teams")["people"] == 2
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"group": "oidc:{displayName}"}})
        await plant.approve()
        await plant.until(lambda: plant.subjects() == {"oidc:k8s-red-edit"})
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "RevocationDelayed") == {})


async def test_group_without_a_name_for_bindings_is_told(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    unnamed = group("k8s-red-edit", [0])
    del unnamed["externalId"]
    plant.put(GROUPS, "g", spec=unnamed)
    async with plant.running():
        await plant.until(lambda: plant.condition(GROUPS, "g").get("reason") == "SubjectRefused")
        assert "externalId" in plant.condition(GROUPS, "g")["message"]
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") != {})
        assert plant.condition(POLICIES, "teams")["status"] == "True", (
            "whoever names groups turns no policy red"
        )
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") == {})


async def test_people_count_of_group_mode_follows_members(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.status(POLICIES, "teams").get("people") == 2)
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1, 2]))
        await plant.until(lambda: plant.status(POLICIES, "teams").get("people") == 3)


async def test_people_count_of_group_mode_follows_leavers(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.status(POLICIES, "teams").get("people") == 2)
        plant.put(USERS, "u0", spec=user(0, active=False))
        await plant.until(lambda: plant.status(POLICIES, "teams").get("people") == 1)


async def test_people_of_a_refused_group_dont_count(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    unnamed = group("k8s-RED-edit", [1], identifier="h")
    del unnamed["externalId"]
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
    plant.put(GROUPS, "h", spec=unnamed)
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await plant.until(lambda: plant.status(POLICIES, "teams").get("bindings") == 1)
        await asyncio.sleep(0.5)
        assert plant.status(POLICIES, "teams")["people"] == 1, "person1's group stands in no binding"


async def test_refused_group_remark_goes_with_a_put_of_name_and_members(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    unnamed = group("k8s-red-edit", [0])
    del unnamed["externalId"]
    plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
    plant.put(GROUPS, "g", spec=unnamed)
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") != {})
        plant.api.refuse.clear()
        plant.put(NAMESPACES, "team-red", labels={})  # foreign: nothing is bound either way
        await asyncio.sleep(0.5)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0, 1]))
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") == {})


async def test_refused_remark_comes_with_a_put_of_name_and_members(plant: Watched) -> None:
    """A second group in the same place loses its externalId and gains a member in one PUT."""
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    first = group("k8s-red-edit", [0])
    twin = group("k8s-RED-edit", [1], identifier="h")
    twin["externalId"] = first["externalId"]  # since a restore
    plant.put(GROUPS, "g", spec=first)
    plant.put(GROUPS, "h", spec=twin)
    async with plant.running():
        await plant.until(lambda: plant.status(POLICIES, "teams").get("bindings") == 1)
        await asyncio.sleep(0.5)
        unnamed = group("k8s-RED-edit", [0, 1], identifier="h")
        del unnamed["externalId"]
        plant.put(GROUPS, "h", spec=unnamed)
        await plant.until(lambda: plant.condition(GROUPS, "h").get("reason") == "SubjectRefused")
        await plant.until(lambda: plant.condition(POLICIES, "teams", "SubjectRefused") != {})


async def test_policy_in_group_mode_deleted_takes_its_binding(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: plant.subjects() is None)


async def test_empty_groups(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
    async with plant.running():
        await asyncio.sleep(0.3)
        assert plant.subjects() is None
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
        await asyncio.sleep(0.2)
        assert plant.subjects() == {"oid-group-0"}


async def test_users_to_groups_is_one_write(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        await asyncio.sleep(0.2)
        plant.moments.clear()
        plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
    assert len(plant.moments) == 1


async def test_handed_between_policies_of_two_kinds(plant: Watched) -> None:
    plant.put(POLICIES, "sre", spec=policy(pattern="sre-{team}-{role}", subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(GROUPS, "g", spec=group("sre-red-edit", [0, 1]))
        await plant.until(
            lambda: (
                plant.subjects() is None
                and plant.subjects(binding_name(Place("sre", "edit", "team-red"))) == {"oid-group-0"}
            )
        )


async def test_two_policies_of_two_kinds_in_one_namespace(plant: Watched) -> None:
    """A group is called like a person."""
    g = group("sre-red-edit", [1], identifier="s")
    g["externalId"] = "person0"
    plant.put(POLICIES, "sre", spec=policy(pattern="sre-{team}-{role}", subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(GROUPS, "s", spec=g)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: plant.subjects() == {"person1"})
        await plant.until(
            lambda: plant.subjects(binding_name(Place("sre", "edit", "team-red"))) == {"person0"}
        )
