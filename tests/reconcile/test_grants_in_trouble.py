"""AccessGrants that were replaced, tampered with, or can't be read: nobody has their role for longer."""

from __future__ import annotations

import asyncio

from scim_operator.reconcile.resources import GRANTS
from tests.reconcile.plant import Plant
from tests.reconcile.test_timed import grant, holders, plant, ready

__all__ = ["plant"]


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
