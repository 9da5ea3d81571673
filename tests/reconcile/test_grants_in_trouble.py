"""AccessGrants that were replaced, tampered with, or can't be read: nobody has their role for longer."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS, NAMESPACES
from scim_operator.reconcile.resources import GRANTS, HOLDS
from tests.reconcile.plant import Plant, again, grant
from tests.reconcile.test_timed import PLACE, holders, plant, ready
from tests.reconcile.worlds import UNGUARDED, group

__all__ = ["plant"]
UID = "scim-operator.io/grant-uid"
NOBODY_GOES = {"guard": {"maxRemovals": 0}}


async def test_it_is_for_whom_its_author_named(plant: Plant) -> None:
    """Whoever may write its status was never asked for `bind`."""
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: plant.status(GRANTS, "debug").get("id") == "user-0")
        known = plant.api.objects["accessgrants", "", "debug"]
        plant.api.put(GRANTS, {**known, "status": {**known["status"], "id": "user-1"}})
        await asyncio.sleep(0.3)
        assert holders(plant) == {"person0"}


async def test_a_deleted_one_that_a_finalizer_holds_ends(plant: Plant) -> None:
    """Whoever may edit the object keeps it from going; its spec is unchanged, so admission asks nothing."""
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        grant(
            plant, metadata={"deletionTimestamp": plant.now.isoformat(), "finalizers": ["example.com/mine"]}
        )
        await plant.until(lambda: holders(plant) is None)
        await plant.until(lambda: ready(plant) == ("True", "Ended"))


@pytest.mark.parametrize("then", ["stays", "deleted"])
async def test_one_that_cannot_be_read_gives_nothing(plant: Plant, then: str) -> None:
    """Nobody knows what it says, not even when it would end."""
    plant.put(DIRECTORIES, "entra", spec=NOBODY_GOES)
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: plant.status(GRANTS, "debug").get("id") == "user-0")
        grant(plant, unknown="a field of a newer release")
        if then == "deleted":
            plant.api.drop(GRANTS, "debug")
        await plant.until(lambda: holders(plant) is None)
        if then == "stays":
            await plant.until(lambda: ready(plant) == ("False", "Stalled"))
            assert plant.status(GRANTS, "debug")["id"] == "user-0", "the CRD lets nobody remove it"
    assert not plant.status(HOLDS, "entra").get("held")


async def test_one_that_is_too_long_gives_nothing(plant: Plant) -> None:
    """maxGrantDuration was lowered by an upgrade."""
    plant.put(DIRECTORIES, "entra", spec=NOBODY_GOES)
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
    other = again(plant)
    other.world.grants.longest = 3600.0
    async with other.running():
        await other.until(lambda: other.reconciler.overdue == 0)
        assert holders(other) is None
        await other.until(lambda: "nothing is granted" in other.condition(GRANTS, "debug").get("message", ""))


async def test_the_place_of_a_former_one_of_that_name_is_over(plant: Plant) -> None:
    plant.put(DIRECTORIES, "entra", spec=NOBODY_GOES)
    plant.put(NAMESPACES, "staging")
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        plant.api.drop(GRANTS, "debug")
        grant(plant, namespace="staging")
        await plant.until(lambda: holders(plant, PLACE._replace(namespace="staging")) == {"person0"})
        await plant.until(lambda: holders(plant) is None)


def replace(plant: Plant) -> None:
    """For another person under the same name, as `kubectl replace --force` does it, with a guard that keeps
    everybody and a reason to."""
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
    plant.api.drop(GRANTS, "debug")
    grant(plant, userName="person1")


FROZEN = {"reason": "LedgerLost", "message": "it was wiped", "since": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("up", [True, False])
async def test_a_replaced_one_gives_nothing_to_whom_the_former_meant(
    plant: Plant, up: bool, frozen: bool
) -> None:
    plant.put(DIRECTORIES, "entra", spec=NOBODY_GOES)
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        if frozen:
            status = {**plant.status(HOLDS, "entra"), "frozen": FROZEN}
            plant.put(HOLDS, "entra", spec={}, status=status)
        if up:
            replace(plant)
            await plant.until(lambda: holders(plant) == {"person1"})
            return
    replace(plant)
    other = again(plant)
    async with other.running():
        await other.until(lambda: other.reconciler.overdue == 0)
        assert holders(other) != {"person0"}
        await other.until(lambda: holders(other) == {"person1"})
        await other.until(lambda: other.status(HOLDS, "entra").get("waiting") == 1)
        assert other.subjects() == {"person0", "person1"}, "that is the guard's"


async def test_a_binding_that_tells_no_grant_is_the_living_ones(plant: Plant) -> None:
    """An older release wrote it: nobody is put out by the upgrade, and it tells afterwards."""
    async with plant.running():
        grant(plant)
        await plant.until(lambda: holders(plant) == {"person0"})
    name = binding_name(PLACE)
    binding = plant.api.objects["rolebindings", "prod", name]
    assert (
        binding["metadata"]["labels"].pop(UID)
        == plant.api.objects["accessgrants", "", "debug"]["metadata"]["uid"]
    )
    plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "access": "Hold"})
    other = again(plant)
    async with other.running():
        await other.until(
            lambda: UID in other.api.objects["rolebindings", "prod", name]["metadata"]["labels"]
        )
        assert holders(other) == {"person0"}
    assert ("delete", "rolebindings", name) not in other.api.writes


async def test_one_that_gives_nothing_on_hold_says_so(plant: Plant) -> None:
    plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "access": "Hold"})
    grant(plant)
    async with plant.running():
        await plant.until(lambda: ready(plant) == ("False", "AccessOnHold"))
        assert holders(plant) is None


async def test_one_that_gives_nothing_to_somebody_held_says_so(plant: Plant) -> None:
    """Who is to lose something comes nowhere else until that is approved."""
    plant.put(DIRECTORIES, "entra", spec=NOBODY_GOES)
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [1]))
        await plant.until(lambda: plant.status(HOLDS, "entra").get("waiting") == 1)
        grant(plant)
        await plant.until(lambda: ready(plant) == ("False", "GuardTripped"))
        message = plant.condition(GRANTS, "debug")["message"]
        assert "not given yet to 'person0'" in message and "kubectl describe removalhold entra" in message
        assert holders(plant) is None
        await plant.approve()
        await plant.until(lambda: holders(plant) == {"person0"})
        await plant.until(lambda: ready(plant) == ("True", "Active"))


async def test_one_that_gives_nothing_without_the_kind_of_locks_says_so(plant: Plant) -> None:
    plant.api.drop(CRDS, "accesslocks.scim-operator.io")
    plant.api.refuse["list", "accesslocks"] = ApiError(404, "NotFound", "page not found")
    grant(plant)
    async with plant.running():
        await plant.until(lambda: ready(plant) == ("False", "Frozen"))
        assert "scim-operator crds apply" in plant.condition(GRANTS, "debug")["message"]
        assert holders(plant) is None
