"""Where the guard was got round, or held somebody for nothing: what a review found."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.places import Place
from scim_operator.api.kinds import WRITTEN_ANNOTATION
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CRDS, ROLE_BINDINGS
from scim_operator.reconcile.resources import GRANTS, HOLDS, LOCKS, POLICIES
from tests.reconcile.plant import NAME, ROLE_REFUSED, Plant, again
from tests.reconcile.test_guard import (
    EVERYBODY,
    LIMIT,
    LOSSES,
    PEOPLE,
    begun,
    guarded_plant,
    named,
    settle,
    waiting,
)
from tests.reconcile.worlds import UNGUARDED, by_id, group, policy, user

EDIT = {"clusterRole": "edit", "namespaces": {"name": "team-red", "create": {}}}


@pytest.fixture
def plant() -> Plant:
    return guarded_plant()


def at(plant: Plant, policy_name: str, role: str = "edit", namespace: str = "team-red") -> set[str]:
    """Who stands at a place."""
    return plant.subjects(binding_name(Place(policy_name, role, namespace)), namespace) or set()


async def test_other_policy_whose_binding_is_refused_takes_nobodys_access(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.put(POLICIES, "others", spec=by_id(EDIT, ids=["oid-group-0"]))
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: waiting(plant) == len(PEOPLE) - LIMIT)
        assert len(at(plant, "teams")) >= len(PEOPLE) - LIMIT


async def test_other_directory_on_hold_takes_nobodys_access(plant: Plant) -> None:
    plant.put(DIRECTORIES, "okta", spec={"access": "Hold"})
    for number in PEOPLE:
        plant.put(USERS, f"o{number}", spec={**user(number, directory="okta"), "id": f"o-{number}"})
    members = [f"o-{number}" for number in PEOPLE]
    plant.put(GROUPS, "og", spec=group("k8s-red-edit", members, identifier="og", directory="okta"))
    async with plant.running():
        await begun(plant)
        plant.put(POLICIES, "others", spec=by_id(EDIT, ids=["oid-og"], directory="okta"))
        await settle(plant)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", []))
        await plant.until(lambda: waiting(plant) == len(PEOPLE) - LIMIT)
        assert len(at(plant, "teams")) >= len(PEOPLE) - LIMIT


async def test_locked_one_stays_out_when_the_kind_of_locks_goes(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        plant.put(LOCKS, "now", spec={"subject": "person5", "reason": "lost laptop"})
        await plant.until(lambda: plant.subjects() == EVERYBODY - {"person5"})
        plant.api.drop(CRDS, "accesslocks.scim-operator.io")
        plant.api.drop(LOCKS, "now")
        await settle(plant)
        assert "person5" not in (plant.subjects() or set())


async def test_grants_stay_when_their_kind_goes(plant: Plant) -> None:
    spec = {"directory": "entra", "userName": "person1", "clusterRole": "view", "namespace": "team-red"}
    more = {"until": "2026-01-02T00:00:00Z", "reason": "INC-1", "requestedBy": "admin"}
    place = Place("", "view", "team-red", "ClusterRole", "debug")
    async with plant.running():
        await begun(plant)
        plant.put(GRANTS, "debug", spec={**spec, **more})
        await plant.until(lambda: plant.subjects(binding_name(place)) == {"person1"})
        plant.api.drop(CRDS, "accessgrants.scim-operator.io")
        plant.api.drop(GRANTS, "debug")
        await settle(plant)
        assert plant.subjects(binding_name(place)) == {"person1"}


async def test_unexpected_error_lets_nobody_go(plant: Plant) -> None:
    plant.api.watcher, hear = None, plant.api.watcher
    for number, team in enumerate(("blue", "green"), 2):
        plant.put(GROUPS, f"g{number}", spec=group(f"k8s-{team}-edit", PEOPLE, identifier=f"group-{number}"))
    plant.api.watcher = hear
    teams = ("team-red", "team-blue", "team-green")
    async with plant.running():
        await plant.until(lambda: all(at(plant, "teams", namespace=team) == EVERYBODY for team in teams))
        await settle(plant)
        plant.api.refuse["patch", "removalholds"] = RuntimeError("no JSON")  # type: ignore[assignment]
        plant.api.drop(POLICIES, "teams")
        await asyncio.sleep(0.5)
        assert all(at(plant, "teams", namespace=team) == EVERYBODY for team in teams)


async def test_approved_ones_have_the_new_role_before_the_old_one_goes(plant: Plant) -> None:
    view = {"clusterRole": "view", "namespaces": {"name": "team-red", "create": {}}}
    out: set[str] = set()
    async with plant.running():
        await begun(plant)
        plant.put(POLICIES, "teams", spec=policy(view, pattern="k8s-red-edit"))
        await plant.until(lambda: waiting(plant) == len(PEOPLE) - LIMIT)
        await settle(plant)
        plant.api.before = lambda verb, plural: out.update(
            EVERYBODY - at(plant, "teams") - at(plant, "teams", "view")
        )
        await plant.approve()
        await plant.until(lambda: at(plant, "teams", "view") == EVERYBODY and not at(plant, "teams"))
        assert not out


async def test_old_approval_is_not_taken_again_by_a_wiped_ledger(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        await settle(plant)
        held = set(plant.subjects() or ())
    known = plant.api.objects["removalholds", "", "entra"]
    known["spec"] = {"approve": known["status"]["hash"]}
    known.pop("status")
    restarted = again(plant)
    async with restarted.running():
        await restarted.until(lambda: waiting(restarted) == 25)
        await settle(restarted)
        assert restarted.subjects() == held


async def test_last_user_freezes_and_the_first_one_thaws_wherever_they_belong(plant: Plant) -> None:
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await settle(plant)
        for number in PEOPLE:
            plant.api.drop(USERS, f"u{number}")
        # No binding has anything to do with these people: it takes more than a look at the places.
        await plant.until(lambda: plant.condition(HOLDS, "entra", "Frozen").get("reason") == "NoUsers")
        await settle(plant)
        plant.put(USERS, "u99", spec=user(99))
        await plant.until(lambda: plant.condition(HOLDS, "entra", "Frozen") == {})
        assert plant.subjects() == {"oid-group-0"}


async def test_people_in_many_groups_are_counted_once(plant: Plant) -> None:
    plant.api.watcher, hear = None, plant.api.watcher
    plant.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": None}})
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    for number in range(1, 10):
        spec = group(f"k8s-t{number}-edit", PEOPLE, identifier=f"group-{number}")
        plant.put(GROUPS, f"g{number}", spec=spec)
    plant.api.watcher = hear
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"oid-group-0"})
        await settle(plant)
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: waiting(plant) == 1)
        assert plant.subjects() == {"oid-group-0"}


async def test_held_ones_stay_when_the_mark_is_stripped(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        await settle(plant)
        before = plant.subjects()
        binding = plant.api.objects["rolebindings", "team-red", NAME]
        annotations = {
            key: value
            for key, value in binding["metadata"]["annotations"].items()
            if key != WRITTEN_ANNOTATION
        }
        metadata = {**binding["metadata"], "annotations": annotations}
        plant.api.put(ROLE_BINDINGS, {**binding, "metadata": metadata}, "team-red")
        await settle(plant)
        assert plant.subjects() == before
        assert waiting(plant) == 25


async def test_place_that_is_gone_keeps_nobody_waiting(plant: Plant) -> None:
    plant.api.watcher, hear = None, plant.api.watcher
    plant.put(POLICIES, "idle", spec=policy(pattern="idle-{team}-{role}"))
    plant.put(GROUPS, "i", spec=group("idle-x-edit", [], identifier="group-i"))
    plant.api.watcher = hear
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        plant.api.drop(HOLDS, "entra")  # everything is looked at anew
        plant.api.drop(POLICIES, "idle")
        await plant.until(lambda: waiting(plant) == 25)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", PEOPLE))
        await plant.until(lambda: waiting(plant) == 0 and plant.condition(HOLDS, "entra", "Frozen") == {}, 5)


async def test_coming_by_another_directory_is_its_own_matter(plant: Plant) -> None:
    plant.put(DIRECTORIES, "okta", spec={"guard": {"maxRemovals": LIMIT}})
    for number in PEOPLE:
        plant.put(USERS, f"o{number}", spec={**user(number, directory="okta"), "id": f"o-{number}"})
    async with plant.running():
        await begun(plant)
        LOSSES["members"](plant)
        await plant.until(lambda: waiting(plant) == 25)
        members = [f"o-{number}" for number in PEOPLE]
        plant.put(GROUPS, "og", spec=group("k8s-blue-edit", members, identifier="og", directory="okta"))
        blue = {"clusterRole": "edit", "namespaces": {"name": "team-blue", "create": {}}}
        plant.put(POLICIES, "others", spec=by_id(blue, ids=["oid-og"], directory="okta"))
        await plant.until(lambda: at(plant, "others", namespace="team-blue") == EVERYBODY)
        assert waiting(plant) == 25
        assert named(range(30, 40)) <= (plant.subjects() or set())


async def okta_takes_over(plant: Plant) -> None:
    """A policy is moved to another directory, which has no limit and one person in the same place."""
    plant.put(DIRECTORIES, "okta", spec=UNGUARDED)
    plant.put(HOLDS, "okta", spec={}, status={"round": 1, "additionsRound": 1})
    plant.put(USERS, "o0", spec={**user(99, directory="okta"), "id": "o-99"})
    plant.put(GROUPS, "og", spec=group("k8s-red-edit", ["o-99"], identifier="og", directory="okta"))
    await begun(plant)
    plant.put(POLICIES, "teams", spec=policy(directory="okta"))
    await plant.until(lambda: waiting(plant) == len(PEOPLE) - LIMIT)
    await settle(plant)


async def test_people_leave_under_the_guard_of_their_own_directory(plant: Plant) -> None:
    async with plant.running():
        await okta_takes_over(plant)
        assert len(at(plant, "teams") & EVERYBODY) == len(PEOPLE) - LIMIT
        assert "person99" in at(plant, "teams")
        assert "waiting" not in plant.status(HOLDS, "okta")
        await plant.approve()
        await plant.until(lambda: at(plant, "teams") == {"person99"})
        await plant.until(lambda: waiting(plant) == 0)
    binding = plant.api.objects["rolebindings", "team-red", NAME]
    assert binding["metadata"]["labels"]["scim-operator.io/directory"] == "okta"


async def test_whose_people_they_were_is_known_after_a_restart(plant: Plant) -> None:
    async with plant.running():
        await okta_takes_over(plant)
    before = at(plant, "teams")
    restarted = again(plant)
    async with restarted.running():
        await settle(restarted)
        assert at(restarted, "teams") == before
        assert waiting(restarted) == len(PEOPLE) - LIMIT
        await restarted.approve()
        await restarted.until(lambda: at(restarted, "teams") == {"person99"})


async def test_held_ones_stay_when_the_labels_are_stripped(plant: Plant) -> None:
    async with plant.running():
        await begun(plant)
        LOSSES["policy deleted"](plant)
        await plant.until(lambda: waiting(plant) == len(PEOPLE) - LIMIT)
        await settle(plant)
    binding = plant.api.objects["rolebindings", "team-red", NAME]
    binding["metadata"]["labels"] = {}
    restarted = again(plant)
    async with restarted.running():
        await settle(restarted)
        held = len(PEOPLE) - LIMIT
        await restarted.until(lambda: waiting(restarted) in (held, held - LIMIT))
        await settle(restarted)
        assert len(at(restarted, "teams")) == waiting(restarted) > 0
        await restarted.approve()
        await restarted.until(lambda: at(restarted, "teams") == set())


async def test_locked_one_is_out_where_the_mark_was_stripped_and_the_directory_is_missing(
    plant: Plant,
) -> None:
    async with plant.running():
        await begun(plant)
        plant.api.drop(DIRECTORIES, "entra")
        await settle(plant)
        binding = plant.api.objects["rolebindings", "team-red", NAME]
        plant.api.put(
            ROLE_BINDINGS, {**binding, "metadata": {**binding["metadata"], "annotations": {}}}, "team-red"
        )
        await settle(plant)
        plant.put(LOCKS, "now", spec={"subject": "person5", "reason": "lost laptop"})
        await plant.until(lambda: plant.subjects() == EVERYBODY - {"person5"})


async def test_people_of_a_directory_that_isn_t_there_make_no_work() -> None:
    plant = Plant.usual_one()
    async with plant.running():
        await plant.until(lambda: plant.subjects() == {"person0", "person1"})
        plant.put(USERS, "u2-okta", spec=user(2, directory="okta"))
        ledgers = plant.reconciler.queues["ledger"]
        await plant.until(lambda: len(ledgers) == 0)
        await asyncio.sleep(0.1)
        assert len(ledgers) == 0
        plant.put(DIRECTORIES, "okta", spec={})
        await plant.until(lambda: plant.status(HOLDS, "okta").get("round") == 1)
