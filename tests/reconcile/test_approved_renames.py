"""A group's new name that gives it more waits in the RemovalHold, and is let in by its hash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.api.kinds import GRANTED_AS_ANNOTATION
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.resources import HOLDS
from tests.reconcile.plant import Object, Plant, again
from tests.reconcile.worlds import group, user

VIEW = binding_name(Place("teams", "view", "team-red"))
BOTH = {"person0", "person1"}


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


def rename(plant: Plant, name: str) -> None:
    """As SCIM does: the annotation stays."""
    plant.put(GROUPS, "g", spec=group(name, (0, 1)))


def hold(plant: Plant) -> Object:
    return plant.status(HOLDS, "entra")


def names(plant: Plant) -> list[str]:
    """The new names that wait."""
    return [item["subject"] for item in hold(plant).get("additions", ())]


def answer(plant: Plant, text: str) -> None:
    """As an approver does."""
    plant.put(HOLDS, "entra", spec={"approveAdditions": text}, status=hold(plant))


def goes_by(plant: Plant, name: str = "g") -> object:
    metadata = plant.api.objects["scimgroups", "", name]["metadata"]
    return metadata["annotations"].get(GRANTED_AS_ANNOTATION)


async def held(plant: Plant) -> None:
    """k8s-red-edit became k8s-red-view, which waits."""
    await plant.until(lambda: plant.subjects() == BOTH)
    rename(plant, "k8s-red-view")
    await plant.until(lambda: names(plant) == ["k8s-red-view"])


async def test_it_is_listed_with_what_to_type_and_moves_when_approved(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        (item,) = hold(plant)["additions"]
        assert (item["kind"], item["reason"], hold(plant)["additionsWaiting"]) == ("Rename", "Renamed", 1)
        assert "ClusterRole 'view' in namespace 'team-red'" in item["message"]
        wanted = hold(plant)["additionsHash"]
        told = plant.condition(HOLDS, "entra", "RenameHeld")["message"]
        assert told == (
            "1 new name of a group waits until somebody approves: 'k8s-red-view'; to give it: kubectl"
            f' patch removalhold entra --type=merge -p \'{{"spec":{{"approveAdditions":"{wanted}"}}}}\''
        )
        await plant.until(lambda: plant.condition(GROUPS, "g", "RenameHeld") != {})
        assert "kubectl describe removalhold entra" in plant.condition(GROUPS, "g", "RenameHeld")["message"]

        plant.api.writes.clear()
        answer(plant, wanted)
        await plant.until(lambda: plant.subjects(VIEW) == BOTH)
        await plant.until(lambda: plant.subjects() is None)
        assert goes_by(plant) == "k8s-red-view"
        await plant.until(lambda: names(plant) == [] and not plant.condition(HOLDS, "entra", "RenameHeld"))
        await plant.until(lambda: not plant.condition(GROUPS, "g", "RenameHeld"))
        assert not plant.condition(HOLDS, "entra", "Stalled")
        plurals = [plural for _, plural, _ in plant.api.writes if plural in ("removalholds", "scimgroups")]
        assert plurals.index("removalholds") < plurals.index("scimgroups"), "kept before it is acted on"


async def test_another_hash_approves_nothing_and_says_so(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        answer(plant, "1-0123456789abcdef")
        await plant.until(lambda: plant.condition(HOLDS, "entra", "Stalled") != {})
        said = plant.condition(HOLDS, "entra", "Stalled")
        assert said["reason"] == "ApprovalUnknown"
        assert "spec.approveAdditions" in said["message"]
        assert hold(plant)["additionsHash"] in said["message"]
        await asyncio.sleep(0.4)
        assert (goes_by(plant), plant.subjects(VIEW)) == ("k8s-red-edit", None)


async def test_a_name_that_came_later_isn_t_covered(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        read = hold(plant)["additionsHash"]
        plant.put(USERS, "u2", spec=user(2))
        plant.put(GROUPS, "g2", spec=group("nothing", [2], identifier="group-2"))
        plant.put(GROUPS, "g2", spec=group("k8s-blue-view", [2], identifier="group-2"))
        await plant.until(lambda: len(names(plant)) == 2)
        answer(plant, read)
        await plant.until(lambda: plant.subjects(VIEW) == BOTH)
        await plant.until(lambda: names(plant) == ["k8s-blue-view"])
        assert goes_by(plant, "g2") == "nothing"
        assert not plant.condition(HOLDS, "entra", "Stalled"), "it was what was approved"


async def test_a_third_name_is_another_question(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        read = hold(plant)["additionsHash"]
        rename(plant, "k8s-blue-edit")
        await plant.until(lambda: names(plant) == ["k8s-blue-edit"])
        assert hold(plant)["additionsHash"] != read
        answer(plant, read)
        await asyncio.sleep(0.6)
        assert (names(plant), goes_by(plant)) == (["k8s-blue-edit"], "k8s-red-edit")
        answer(plant, hold(plant)["additionsHash"])
        await plant.until(lambda: goes_by(plant) == "k8s-blue-edit")


@pytest.mark.parametrize("change", ["back", "gone"])
@pytest.mark.parametrize("running", [True, False])
async def test_who_was_renamed_back_or_is_gone_waits_no_longer(
    plant: Plant, change: str, running: bool
) -> None:
    changes: dict[str, Callable[[Plant], object]] = {
        "back": lambda p: rename(p, "k8s-red-edit"),
        "gone": lambda p: p.api.drop(GROUPS, "g"),
    }
    async with plant.running():
        await held(plant)
        if running:
            changes[change](plant)
            await plant.until(lambda: names(plant) == [])
    if running:
        return
    plant.deaf = True
    changes[change](plant)
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: names(restarted) == [])
        assert not restarted.condition(HOLDS, "entra", "RenameHeld")


async def test_a_restart_asks_nothing_anew(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        await plant.until(lambda: plant.condition(HOLDS, "entra", "RenameHeld") != {})
        before = hold(plant)
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: restarted.condition(GROUPS, "g", "RenameHeld") != {})
        await asyncio.sleep(0.5)
        assert hold(restarted) == before
        answer(restarted, before["additionsHash"])
        await restarted.until(lambda: restarted.subjects(VIEW) == BOTH)


async def test_what_was_approved_moves_after_a_restart(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        plant.api.refuse["patch", "scimgroups"] = ApiError(500, "InternalError", "as if it were killed")
        answer(plant, hold(plant)["additionsHash"])
        await plant.until(lambda: hold(plant).get("approvedAdditions") is not None)
        assert goes_by(plant) == "k8s-red-edit"
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: restarted.subjects(VIEW) == BOTH)
        assert goes_by(restarted) == "k8s-red-view"
        await restarted.until(lambda: names(restarted) == [])


async def test_nothing_moves_while_the_approval_can_t_be_kept(plant: Plant) -> None:
    async with plant.running():
        await held(plant)
        plant.api.refuse["patch", "removalholds"] = ApiError(403, "Forbidden", "no patch")
        answer(plant, hold(plant)["additionsHash"])
        await asyncio.sleep(0.5)
        assert (goes_by(plant), plant.subjects(VIEW)) == ("k8s-red-edit", None)
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects(VIEW) == BOTH, 5)
