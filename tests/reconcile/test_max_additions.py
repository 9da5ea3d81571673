"""`guard.maxAdditions`: so many people gain rights in a window, the others wait until somebody approves."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS, POLICIES
from tests.reconcile.plant import NAME, Object, Plant, again
from tests.reconcile.worlds import UNGUARDED, group, policy, user

BOTH = {"person0", "person1"}
FIRST = BOTH | {"person2", "person3"}
SIX = FIRST | {"person4", "person5"}
BLUE = "team-blue"


def limit(plant: Plant, most: int | None) -> None:
    plant.put(DIRECTORIES, "entra", spec={"guard": {**UNGUARDED["guard"], "maxAdditions": most}})


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, six in the directory, of whom two may gain rights in a window."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    for number in range(2, 6):
        made.put(USERS, f"u{number}", spec=user(number))
    made.api.watcher = hear
    return made


async def begun(plant: Plant) -> None:
    """The two stand there, and nobody of the next ones was counted yet."""
    await plant.until(lambda: plant.subjects() == BOTH)
    limit(plant, 2)
    await asyncio.sleep(0.1)


def members(plant: Plant, count: int) -> None:
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", range(count)))


def hold(plant: Plant) -> Object:
    return plant.status(HOLDS, "entra")


def waiting(plant: Plant) -> list[str]:
    return [item["subject"] for item in hold(plant).get("additions", ())]


def approve(plant: Plant) -> None:
    plant.put(HOLDS, "entra", spec={"approveAdditions": hold(plant)["additionsHash"]}, status=hold(plant))


async def four_of_six(plant: Plant) -> None:
    """Four more are in the group: two of them came, two wait."""
    await begun(plant)
    members(plant, 6)
    await plant.until(lambda: waiting(plant) == ["person4", "person5"])
    await plant.until(lambda: plant.subjects() == FIRST)


async def test_so_many_come_and_the_rest_is_let_in_by_its_hash(plant: Plant) -> None:
    async with plant.running():
        await four_of_six(plant)
        told = plant.condition(HOLDS, "entra", "GuardTripped")
        assert told["reason"] == "AdditionsLimit"
        assert "2 additions are held until somebody approves: 'person4', 'person5'" in told["message"]
        assert f'{{"approveAdditions":"{hold(plant)["additionsHash"]}"}}' in told["message"]
        await asyncio.sleep(0.5)
        assert plant.subjects() == FIRST
        plant.api.writes.clear()
        approve(plant)
        await plant.until(lambda: plant.subjects() == SIX)
        await plant.until(lambda: waiting(plant) == [])
        await plant.until(lambda: plant.condition(HOLDS, "entra", "GuardTripped") == {})
        plurals = [plural for _, plural, _ in plant.api.writes if plural in ("removalholds", "rolebindings")]
        assert plurals.index("removalholds") < plurals.index("rolebindings"), "kept before it is acted on"


async def test_a_restart_counts_nobody_anew_and_keeps_who_waits(plant: Plant) -> None:
    async with plant.running():
        await four_of_six(plant)
        before = hold(plant)
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: restarted.reconciler.missing == [])
        await asyncio.sleep(0.6)
        assert (restarted.subjects(), hold(restarted)) == (FIRST, before)
        approve(restarted)
        await restarted.until(lambda: restarted.subjects() == SIX)


@pytest.mark.parametrize("change", ["left", "disabled", "group gone", "no limit"])
async def test_who_isn_t_to_come_any_more_waits_no_longer(plant: Plant, change: str) -> None:
    async with plant.running():
        await four_of_six(plant)
        if change == "left":
            members(plant, 4)
        elif change == "disabled":
            for number in (4, 5):
                plant.put(USERS, f"u{number}", spec=user(number, active=False))
        elif change == "group gone":
            plant.api.drop(GROUPS, "g")
        else:
            limit(plant, None)
        await plant.until(lambda: waiting(plant) == [])
        wanted = {"no limit": SIX, "group gone": None}.get(change, FIRST)
        await plant.until(lambda: plant.subjects() == wanted)


async def test_who_comes_to_several_places_counts_once(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.put(GROUPS, "g2", spec=group("k8s-blue-edit", [2, 3], identifier="group-2"))
        members(plant, 4)
        await plant.until(lambda: plant.subjects() == FIRST)
        await plant.until(lambda: plant.subjects(namespace=BLUE) == {"person2", "person3"})
        assert waiting(plant) == []


async def test_who_waits_comes_nowhere_and_everywhere_when_approved(plant: Plant) -> None:
    async with plant.running():
        await four_of_six(plant)
        plant.put(GROUPS, "g2", spec=group("k8s-blue-edit", [3, 4, 5], identifier="group-2"))
        await plant.until(lambda: plant.subjects(namespace=BLUE) == {"person3"})
        approve(plant)
        await plant.until(lambda: plant.subjects() == SIX)
        await plant.until(lambda: plant.subjects(namespace=BLUE) == {"person3", "person4", "person5"})


async def test_the_same_right_by_another_policy_is_none(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        limit(plant, 0)
        plant.put(POLICIES, "second", spec=policy())
        second = binding_name(Place("second", "edit", "team-red"))
        await plant.until(lambda: plant.subjects(second) == BOTH)
        assert waiting(plant) == []


async def test_what_somebody_took_by_hand_is_put_back(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        limit(plant, 0)
        await asyncio.sleep(0.1)
        plant.api.drop(ROLE_BINDINGS, NAME, "team-red")
        await plant.until(lambda: plant.subjects() == BOTH)
        assert waiting(plant) == []


async def test_an_approval_that_can_t_be_kept_at_first_lets_them_in_later(plant: Plant) -> None:
    async with plant.running():
        await four_of_six(plant)
        plant.api.refuse["patch", "removalholds"] = ApiError(403, "Forbidden", "no patch")
        approve(plant)
        await asyncio.sleep(0.5)
        assert plant.subjects() == FIRST
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == SIX, 5)


async def test_nobody_comes_while_the_ledger_can_t_be_written(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.refuse["patch", "removalholds"] = ApiError(403, "Forbidden", "no patch")
        members(plant, 4)
        plant.put(USERS, "u1", spec=user(1, active=False))
        await asyncio.sleep(0.5)
        assert plant.subjects() == BOTH
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == FIRST - {"person1"}, 5)


async def test_who_is_renamed_is_nobody_new_where_they_stand(plant: Plant) -> None:
    out: set[str] = set()
    async with plant.running():
        await begun(plant)
        limit(plant, 0)
        await asyncio.sleep(0.1)
        plant.api.before = lambda verb, plural: out.update(
            {"person0", "renamed"} if {"person0", "renamed"}.isdisjoint(plant.subjects() or ()) else ()
        )
        plant.put(USERS, "u0", spec=user(0, name="renamed"))
        members(plant, 3)  # others who come then are
        await plant.until(lambda: plant.subjects() == {"renamed", "person1"})
        await plant.until(lambda: waiting(plant) == ["person2"])
        assert not out, "for no moment without access"


async def test_who_was_renamed_while_nobody_was_looking_is_nobody_new(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        limit(plant, 0)
        await plant.until(lambda: plant.status(USERS, "u0").get("subject") == "person0", 5)
    plant.api.watcher = None
    plant.put(USERS, "u0", spec=user(0, name="renamed"), status=plant.status(USERS, "u0"))
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: restarted.subjects() == {"renamed", "person1"}, 5)
        assert waiting(restarted) == []


async def test_who_is_renamed_and_comes_elsewhere_is_new_there(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        limit(plant, 0)
        await asyncio.sleep(0.1)
        plant.put(USERS, "u0", spec=user(0, name="renamed"))
        plant.put(GROUPS, "g2", spec=group("k8s-blue-edit", [0], identifier="group-2"))
        await plant.until(lambda: plant.subjects() == {"renamed", "person1"})
        await plant.until(lambda: waiting(plant) == ["renamed"])
        assert not plant.subjects(namespace=BLUE)
