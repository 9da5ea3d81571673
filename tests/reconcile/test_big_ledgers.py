"""RemovalHolds that are larger than the API server takes, and decisions about very many people."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.guard import Ledger, Setting
from scim_operator.access.ledger import unpack
from scim_operator.access.places import Place
from scim_operator.api.directory import GuardSpec
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.decisions import AT_ONCE, decide_on
from scim_operator.reconcile.guarded import Guarded, Step
from scim_operator.reconcile.resources import HOLDS, POLICIES
from tests.reconcile.plant import Object, Plant, again
from tests.reconcile.test_guard import LOSSES, begun, guarded_plant, settle, waiting
from tests.reconcile.worlds import group, policy, user

NOON = "2026-01-01T12:00:00Z"
OTHERS = Place("others", "edit", "team-red")
# 24 bits are four characters of base64.
KEY_CHARACTERS = 64 / 24 * 4


@pytest.fixture
def plant() -> Plant:
    return guarded_plant()


def too_large_beyond(plant: Plant, most: int) -> None:
    """An API server that takes so many entries and no more."""
    patch = plant.api.merge_patch

    async def limited(resource: Resource, name: str, body: Any, **more: Any) -> Object:
        keys = (body.get("status") or {}).get("keys") or ""
        if resource is HOLDS and len(keys) > most * KEY_CHARACTERS + 4:
            raise ApiError(500, "", "etcdserver: request is too large")
        return await patch(resource, name, body, **more)

    plant.api.merge_patch = limited  # type: ignore[assignment,method-assign]


def let_go(plant: Plant) -> int:
    return sum(len(unpack(item["keys"])) for item in plant.status(HOLDS, "entra").get("released", ()))


def said(plant: Plant) -> str:
    return str(plant.condition(HOLDS, "entra", "GuardTripped").get("message", ""))


async def test_what_does_not_fit_is_held_and_those_on_the_list_can_be_approved(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        too_large_beyond(plant, 30)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
        await plant.until(lambda: "people fit into this object" in said(plant), 10)
        held = waiting(plant)
        assert 25 <= held <= 30
        await settle(plant)
        assert len(plant.subjects() or ()) == 35
        await plant.approve()
        # Those on the list go, and the others come to it.
        await plant.until(lambda: waiting(plant) == 35 - held, 10)
        await plant.until(lambda: len(plant.subjects() or ()) == 35 - held)
        assert "people fit" not in said(plant)
        await plant.approve()
        await plant.until(lambda: plant.subjects() is None, 10)


async def test_what_could_not_be_stored_is_no_longer_remembered(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        await settle(plant)
        stored = plant.status(HOLDS, "entra")
        plant.api.refuse["patch", "removalholds"] = ApiError(403, "Forbidden", "not yours")
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [39]))
        await asyncio.sleep(0.3)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", range(30, 40)))
        await asyncio.sleep(0.3)
        plant.api.refuse.clear()
        await asyncio.sleep(0.6)
        assert plant.status(HOLDS, "entra") == stored
        await plant.approve()
        await plant.until(lambda: len(plant.subjects() or ()) == 10)


async def test_new_directory_whose_ledger_can_not_be_stored_at_first_is_not_frozen(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.refuse["patch", "removalholds"] = ApiError(0, "Unreachable", "away")
        plant.put(DIRECTORIES, "okta", spec={"guard": {"maxRemovals": 1}})
        plant.put(USERS, "o1", spec={**user(1, directory="okta"), "id": "o-1"})
        plant.put(GROUPS, "og", spec=group("k8s-red-edit", ["o-1"], identifier="og", directory="okta"))
        plant.put(POLICIES, "others", spec=policy(directory="okta"))
        await plant.until(lambda: plant.subjects(binding_name(OTHERS)) == {"person1"})
        await asyncio.sleep(0.5)
        plant.api.refuse.clear()
        await plant.until(lambda: "round" in plant.status(HOLDS, "okta"), 10)
        await settle(plant)
        assert plant.condition(HOLDS, "okta", "Frozen") == {}


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_was_let_go_and_stands_there_still_counts_once(plant: Plant, restarted: bool) -> None:
    """A quarter of 40 people are 10, whether those who were let go are out of their binding or not."""
    plant.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": None, "maxPercent": 25}})
    async with plant.running():
        await begun(plant)
        for verb in ("replace", "patch"):
            plant.api.refuse[verb, "rolebindings"] = ApiError(500, "InternalError", "no")
        for number in range(9):
            plant.put(USERS, f"u{number}", spec=user(number, active=False))
            await asyncio.sleep(0.01)
        await plant.until(lambda: let_go(plant) == 9)
        if not restarted:
            await four_more(plant)
    if restarted:
        plant, refused = again(plant), plant.api.refuse
        plant.api.refuse = refused
        async with plant.running():
            await four_more(plant)


async def four_more(plant: Plant) -> None:
    for number in range(9, 13):
        plant.put(USERS, f"u{number}", spec=user(number, active=False))
    await plant.until(lambda: waiting(plant) == 3)
    assert let_go(plant) == 10
    assert len(plant.subjects() or ()) == 40


async def test_a_hundred_thousand_are_decided_while_all_else_goes_on() -> None:
    step, ledger, guarded = Step(), Ledger(), Guarded("entra", set())
    step.losses = {("User", f"person{number}"): 1 for number in range(50_000)}
    step.gains = {("User", f"newcomer{number}") for number in range(50_000)}
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    spec = GuardSpec.model_validate({"maxAdditions": 10})
    await decide_on(step, guarded, ledger, Setting(spec, 50_000, NOON))
    task.cancel()
    assert (len(step.kept), len(step.barred)) == (49_980, 49_990)
    assert turns >= 100_000 // AT_ONCE
