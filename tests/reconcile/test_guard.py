"""The guard at work: what waits in a RemovalHold stays in the bindings, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from scim_operator.access.places import Place
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import CRDS, ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS, LOCKS, POLICIES
from tests.reconcile.plant import NAME, Plant, again
from tests.reconcile.worlds import UNGUARDED, by_id, group, policy, user

PEOPLE = range(40)
LIMIT = 5


def named(numbers: range) -> set[str]:
    return {f"person{number}" for number in numbers}


EVERYBODY = named(PEOPLE)


def guarded_plant() -> Plant:
    """40 people in one group, of whom five may leave at once."""
    made = Plant.usual_one()
    made.api.watcher, hear = None, made.api.watcher
    made.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": LIMIT}})
    for number in PEOPLE:
        made.put(USERS, f"u{number}", spec=user(number))
    made.put(GROUPS, "g", spec=group("k8s-red-edit", PEOPLE))
    made.api.watcher = hear
    return made


@pytest.fixture
def plant() -> Plant:
    return guarded_plant()


def waiting(plant: Plant) -> int:
    return int(plant.status(HOLDS, "entra").get("waiting", 0))


async def settle(plant: Plant) -> None:
    """Until nothing is due any more."""
    await asyncio.sleep(0.4)
    await plant.until(lambda: not any(len(plant.reconciler.queues[name]) for name in ("places", "ledger")))


async def begun(plant: Plant) -> None:
    await plant.until(lambda: plant.subjects() == EVERYBODY)
    await settle(plant)


LOSSES: dict[str, Callable[[Plant], object]] = {
    "disabled": lambda p: [p.put(USERS, f"u{n}", spec=user(n, active=False)) for n in range(30)],
    "deleted": lambda p: [p.api.drop(USERS, f"u{n}") for n in range(30)],
    "members": lambda p: p.put(GROUPS, "g", spec=group("k8s-red-edit", range(30, 40))),
    "group deleted": lambda p: p.api.drop(GROUPS, "g"),
    "policy deleted": lambda p: p.api.drop(POLICIES, "teams"),
    "policy means others": lambda p: p.put(POLICIES, "teams", spec=policy(pattern="other-{team}-{role}")),
    "protected namespace": lambda p: p.put(
        POLICIES,
        "teams",
        spec=policy({"clusterRole": "edit", "namespaces": {"name": "kube-system"}}, pattern="k8s-red-edit"),
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_so_many_go_and_the_others_wait(plant: Plant, loss: str) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES[loss](plant)
        leaving = named(range(30)) if loss in ("disabled", "deleted", "members") else EVERYBODY
        await plant.until(lambda: waiting(plant) == len(leaving) - LIMIT)
        await settle(plant)
        left = plant.subjects() or set()
        assert len(EVERYBODY - left) == LIMIT
        assert EVERYBODY - left <= leaving
        message = plant.condition(HOLDS, "entra", "GuardTripped")["message"]
        assert f"{len(leaving) - LIMIT} removals are held" in message
        assert plant.status(HOLDS, "entra")["hash"] in message
        assert message.count("'person") == 5
        await plant.approve()
        await plant.until(lambda: (plant.subjects() or set()) == EVERYBODY - leaving)
    restarted = again(plant)
    async with restarted.running():
        await settle(restarted)
        assert (restarted.subjects() or set()) == EVERYBODY - leaving
        assert waiting(restarted) == 0


async def test_a_restart_counts_nobody_anew_and_keeps_who_waits(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        await settle(plant)
        before, status = plant.subjects(), plant.status(HOLDS, "entra")
    restarted = again(plant)
    async with restarted.running():
        await settle(restarted)
        assert restarted.subjects() == before
        assert restarted.status(HOLDS, "entra") == status


async def test_the_directory_says_it_too(plant: Plant) -> None:
    """Its status is written a while later, coalesced."""
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: plant.condition(DIRECTORIES, "entra", "GuardTripped") != {}, 15)


async def test_wanted_again_waits_no_longer_and_nobody_notices(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", PEOPLE))
        await plant.until(lambda: waiting(plant) == 0 and plant.subjects() == EVERYBODY)
        assert plant.condition(HOLDS, "entra")["status"] == "True"


async def test_who_is_held_comes_nowhere(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        # All of them from one team to another.
        plant.put(GROUPS, "g2", spec=group("k8s-blue-edit", PEOPLE, identifier="group-2"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
        await plant.until(lambda: waiting(plant) == 35)
        await settle(plant)
        red, blue = plant.subjects() or set(), plant.subjects(namespace="team-blue") or set()
        # Whoever came to the new team while they weren't held yet may be in both.
        assert len(EVERYBODY - red) == LIMIT
        await plant.approve()
        await plant.until(lambda: plant.subjects(namespace="team-blue") == EVERYBODY)
        await plant.until(lambda: plant.subjects() is None)
        assert blue


async def test_other_role_gives_it_to_those_who_may_give_up_the_old_one(plant: Plant) -> None:
    view = {"clusterRole": "view", "namespaces": {"name": "team-red", "create": {}}}
    place = Place("teams", "view", "team-red")
    async with plant.running():
        await begun(plant)
        plant.put(POLICIES, "teams", spec=policy(view, pattern="k8s-red-edit"))
        await plant.until(lambda: waiting(plant) == 35)
        await settle(plant)
        new = {name for kind, name in plant.world.standing(place)}
        assert len(new) == LIMIT
        assert plant.subjects() == EVERYBODY - new, "everybody has one of the two, nobody both"
        await plant.approve()
        await plant.until(lambda: {name for _, name in plant.world.standing(place)} == EVERYBODY)
        await plant.until(lambda: plant.subjects() is None)


async def test_same_role_by_another_policy_is_no_loss(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        edit = {"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}
        plant.put(POLICIES, "others", spec=by_id(edit, ids=["oid-group-0"]))
        await plant.until(
            lambda: len(plant.world.standing(Place("others", "edit", "team-red"))) == len(PEOPLE)
        )
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: plant.subjects() is None)
        assert waiting(plant) == 0


async def test_strangers_go_at_once_and_do_not_count(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        binding = plant.api.objects["rolebindings", "team-red", NAME]
        strangers = [{"kind": "User", "name": f"stranger{number}"} for number in range(25)]
        changed = {**binding, "subjects": [*binding["subjects"], *strangers]}
        plant.api.put(ROLE_BINDINGS, changed, "team-red")
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        assert waiting(plant) == 0
        assert "released" not in plant.status(HOLDS, "entra")


async def test_a_lock_goes_past_everything(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        held = plant.status(HOLDS, "entra")["held"][0]["subject"]
        plant.put(LOCKS, "now", spec={"subject": held, "reason": "lost laptop"})
        await plant.until(lambda: held not in (plant.subjects() or set()))
        await plant.until(lambda: waiting(plant) == 24)


async def test_protected_one_waits_for_approval_even_when_deleted(plant: Plant) -> None:
    subjects = {"user": "{externalId}"}
    plant.put(DIRECTORIES, "entra", spec={"subjects": subjects})
    async with plant.running():
        await plant.until(lambda: "oid-7" in (plant.subjects() or set()))
        plant.put(DIRECTORIES, "entra", spec={"subjects": subjects, "protected": {"users": ["Person7"]}})
        await settle(plant)
        plant.api.drop(USERS, "u7")
        await plant.until(lambda: waiting(plant) == 1)
        assert plant.condition(HOLDS, "entra", "GuardTripped")["reason"] == "Protected"
        assert "oid-7" in (plant.subjects() or set())
        await plant.approve()
        await plant.until(lambda: "oid-7" not in (plant.subjects() or set()))


async def test_access_hold_changes_nothing_but_what_others_did(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.put(DIRECTORIES, "entra", spec={"access": "Hold"})
        plant.put(USERS, "u0", spec=user(0, active=False))
        plant.put(USERS, "u40", spec=user(40))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", range(1, 41)))
        plant.put(GROUPS, "new", spec=group("k8s-new-edit", [1], identifier="new"))
        binding = plant.api.objects["rolebindings", "team-red", NAME]
        tampered = [item for item in binding["subjects"] if item["name"] != "person3"]
        stranger = {"kind": "User", "name": "stranger"}
        plant.api.put(ROLE_BINDINGS, {**binding, "subjects": [*tampered, stranger]}, "team-red")
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        await settle(plant)
        assert plant.subjects() == EVERYBODY
        told = plant.condition(POLICIES, "teams", "AccessOnHold")["message"]
        assert "nobody gains or loses access" in told
        assert "kubectl patch scimdirectory entra" in told
        assert plant.condition(POLICIES, "teams")["reason"] == "AccessOnHold"
        assert plant.condition(GROUPS, "new")["reason"] == "AccessOnHold"
        await plant.until(lambda: plant.condition(DIRECTORIES, "entra", "AccessOnHold") != {})
        plant.put(LOCKS, "now", spec={"subject": "person5", "reason": "lost laptop"})
        await plant.until(lambda: plant.subjects() == EVERYBODY - {"person5"})
        plant.put(DIRECTORIES, "entra", spec={})
        after = named(range(1, 41)) - {"person5"}
        await plant.until(lambda: plant.subjects() == after)
        await plant.until(lambda: not plant.condition(POLICIES, "teams", "AccessOnHold"))


async def test_unwritable_ledger_lets_nobody_go_and_lets_others_come(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.refuse["patch", "removalholds"] = ApiError(403, "Forbidden", "not yours")
        plant.put(USERS, "u40", spec=user(40))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", range(1, 41)))
        await plant.until(lambda: plant.subjects() == named(range(41)))
        plant.api.refuse.clear()
        await plant.until(lambda: plant.subjects() == named(range(1, 41)), 10)


VANISHED: dict[str, Callable[[Plant], object]] = {
    "directory": lambda p: p.api.drop(DIRECTORIES, "entra"),
    "users' kind": lambda p: (
        p.api.drop(CRDS, "scimusers.scim-operator.io"),
        [p.api.drop(USERS, f"u{number}") for number in PEOPLE],
    ),
    "groups' kind": lambda p: (
        p.put(CRDS, "scimgroups.scim-operator.io", annotations={}),
        p.api.objects["customresourcedefinitions", "", "scimgroups.scim-operator.io"]["metadata"].update(
            deletionTimestamp="2026-01-01T00:00:00Z"
        ),
        p.api.drop(GROUPS, "g"),
    ),
    "all users": lambda p: [p.api.drop(USERS, f"u{number}") for number in reversed(PEOPLE)],
}


@pytest.mark.parametrize("vanished", ["directory", "users' kind", "groups' kind"])
async def test_missing_inputs_freeze_and_their_return_thaws_without_a_write(
    plant: Plant, vanished: str
) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.writes.clear()
        VANISHED[vanished](plant)
        await plant.until(lambda: plant.condition(HOLDS, "entra", "Frozen") != {})
        await settle(plant)
        assert plant.subjects() == EVERYBODY
        assert "released" not in plant.status(HOLDS, "entra")
    restarted = plant if vanished == "groups' kind" else again(plant)
    async with restarted.running():
        await asyncio.sleep(0.3)
        assert restarted.subjects() == EVERYBODY
        for kind in (USERS, GROUPS):
            restarted.api.objects.pop(("customresourcedefinitions", "", f"{kind.plural}.{kind.group}"), None)
            restarted.put(CRDS, f"{kind.plural}.{kind.group}")
        restarted.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": LIMIT}})
        for number in PEOPLE:
            restarted.put(USERS, f"u{number}", spec=user(number))
        restarted.put(GROUPS, "g", spec=group("k8s-red-edit", PEOPLE))
        await restarted.until(lambda: restarted.condition(HOLDS, "entra", "Frozen") == {}, 15)
        assert restarted.subjects() == EVERYBODY
        assert not [write for write in restarted.api.writes if write[1] == "rolebindings"]


async def test_empty_listing_freezes(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
    for number in PEOPLE:
        del plant.api.objects["scimusers", "", f"u{number}"]
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: restarted.condition(HOLDS, "entra", "Frozen") != {})
        assert restarted.condition(HOLDS, "entra", "Frozen")["reason"] == "NoUsers"
        await settle(restarted)
        assert restarted.subjects() == EVERYBODY
        for number in PEOPLE:
            restarted.put(USERS, f"u{number}", spec=user(number))
        await restarted.until(lambda: restarted.condition(HOLDS, "entra", "Frozen") == {})
        assert restarted.subjects() == EVERYBODY


@pytest.mark.parametrize("running", [True, False])
async def test_wiped_ledger_freezes(plant: Plant, running: bool) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        await settle(plant)
        before = plant.subjects()
        if running:
            plant.api.drop(HOLDS, "entra")
            await plant.until(lambda: plant.condition(HOLDS, "entra", "Frozen").get("reason") == "LedgerLost")
            await plant.until(lambda: waiting(plant) == 25)
            assert plant.subjects() == before
    if not running:
        plant.api.objects["removalholds", "", "entra"].pop("status")
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: waiting(restarted) == 25)
        assert restarted.condition(HOLDS, "entra", "Frozen")["reason"] == "LedgerLost"
        await settle(restarted)
        assert restarted.subjects() == before
        await restarted.approve()
        await restarted.until(lambda: restarted.subjects() == named(range(30, 40)))
        await restarted.until(lambda: restarted.condition(HOLDS, "entra", "Frozen") == {})


async def test_last_user_whom_the_provider_deletes_leaves(plant: Plant) -> None:
    plant.put(DIRECTORIES, "entra", spec=UNGUARDED)
    async with plant.running():
        await begun(plant)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"person0"})
        for number in PEOPLE[1:]:
            plant.api.drop(USERS, f"u{number}")
        await settle(plant)
        record = plant.world.index.get("entra", "User", "user-0")
        assert record is not None
        plant.world.index.leaves_by_request(record)
        plant.api.drop(USERS, "u0")
        await plant.until(lambda: plant.subjects() is None)
        assert plant.condition(HOLDS, "entra", "Frozen") == {}
