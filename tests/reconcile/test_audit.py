"""What the audit stream tells of access: each change of a binding once, and why; a replay is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import NAMESPACES, ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS, LOCKS, POLICIES
from tests.heard import Binding, Name, Object, standing
from tests.reconcile.plant import NAME, ROLE_REFUSED, Plant, again, grant
from tests.reconcile.worlds import group, user

BOTH = {"person0", "person1"}
CUT = ApiError(0, "Unreachable", "ServerDisconnectedError")


@pytest.fixture
def plant() -> Plant:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Plant.usual_one()


def actual(plant: Plant) -> dict[Binding, set[Name]]:
    """Who stands where."""
    return {
        (item["metadata"]["namespace"], item["metadata"]["name"]): {
            (who["kind"], who["name"]) for who in item["subjects"]
        }
        for item in plant.api.all(ROLE_BINDINGS)
    }


def stand(plant: Plant, wanted: set[Name]) -> bool:
    return set().union(*actual(plant).values()) == wanted


def people(line: Object) -> tuple[dict[str, str], dict[str, str]]:
    """Who came and who left, and why."""
    came, left = ({who["name"]: who["why"] for who in line[field]} for field in ("added", "removed"))
    return came, left


async def told(plant: Plant, count: int) -> list[Object]:
    """The lines about bindings, as soon as there are so many."""
    await plant.until(lambda: len(plant.heard.of("binding")) >= count)
    await asyncio.sleep(0.05)
    lines = plant.heard.of("binding")
    assert len(lines) == count, lines
    assert standing(lines) == actual(plant)
    return lines


def stranger(plant: Plant) -> None:
    found = plant.api.objects["rolebindings", "team-red", NAME]
    eve = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}
    plant.api.put(ROLE_BINDINGS, {**found, "subjects": [*found["subjects"], eve]}, "team-red")


LEAVING: dict[str, tuple[Callable[[Plant], object], dict[str, str]]] = {
    "disabled": (lambda p: p.put(USERS, "u0", spec=user(0, active=False)), {"person0": "Disabled"}),
    "deleted": (lambda p: p.api.drop(USERS, "u0"), {"person0": "Gone"}),
    "out of the group": (
        lambda p: p.put(GROUPS, "g", spec=group("k8s-red-edit", [1])),
        {"person0": "Policy"},
    ),
    "locked": (
        lambda p: p.put(LOCKS, "l", spec={"reason": "x", "subject": "person0"}),
        {"person0": "Locked"},
    ),
    "a stranger": (stranger, {"eve": "Stranger"}),
    "no policy": (lambda p: p.api.drop(POLICIES, "teams"), dict.fromkeys(BOTH, "Policy")),
}


@pytest.mark.parametrize("why", LEAVING)
async def test_why_somebody_leaves(plant: Plant, why: str) -> None:
    act, left = LEAVING[why]
    async with plant.running():
        (made,) = await told(plant, 1)
        assert (made["action"], made["directory"], made["policy"]) == ("Created", "entra", "teams")
        assert people(made) == (dict.fromkeys(BOTH, "Policy"), {})
        assert (made["kind"], made["namespace"], made["object"]) == ("RoleBinding", "team-red", NAME)
        act(plant)
        *_, line = await told(plant, 2)
        assert people(line) == ({}, left)
        assert line["action"] == ("Deleted" if why == "no policy" else "Changed")


async def test_an_access_grant_comes_and_ends(plant: Plant) -> None:
    plant.put(NAMESPACES, "prod")
    async with plant.running():
        await told(plant, 1)
        grant(plant, hours=2)
        *_, came = await told(plant, 2)
        plant.now += timedelta(hours=2)
        *_, went = await told(plant, 3)
    assert (came["grant"], "policy" in came, people(came)) == ("debug", False, ({"person0": "Grant"}, {}))
    assert (went["action"], people(went)) == ("Deleted", ({}, {"person0": "GrantEnded"}))


async def test_whoever_only_moves_between_bindings_neither_comes_nor_leaves(plant: Plant) -> None:
    for number in range(600):
        plant.put(USERS, f"u{number}", spec=user(number))
    async with plant.running():
        await told(plant, 1)
        for members in (range(600), range(1, 30)):
            plant.put(GROUPS, "g", spec=group("k8s-red-edit", members))
            wanted = {("User", f"person{number}") for number in members}
            await plant.until(partial(stand, plant, wanted))
        await asyncio.sleep(0.1)
        lines = plant.heard.of("binding")
        assert standing(lines) == actual(plant)
        came = [name for line in lines for name, why in people(line)[0].items() if why == "Policy"]
        left = [name for line in lines for name, why in people(line)[1].items() if why == "Policy"]
        assert sorted(came) == sorted(f"person{number}" for number in range(600)), "each of them once"
        assert sorted(left) == sorted(f"person{number}" for number in (0, *range(30, 600)))


async def test_a_role_that_may_be_granted_no_longer(plant: Plant) -> None:
    async with plant.running():
        await told(plant, 1)
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.put(USERS, "u0", spec=user(0, active=False))
        *_, line = await told(plant, 2)
    assert people(line) == ({}, {"person0": "Disabled", "person1": "RoleLost"})


@pytest.mark.parametrize("verb", ["create", "replace", "delete"])
@pytest.mark.parametrize("deaf", [False, True])
async def test_a_lost_answer_is_told_of_once(plant: Plant, verb: str, deaf: bool) -> None:
    """Whether the watch or the next try finds what was written."""
    real, cut = getattr(plant.api, verb), [verb == "create"]

    async def lossy(resource: Any, *arguments: Any, **more: Any) -> Any:
        made = await real(resource, *arguments, **more)
        if resource == ROLE_BINDINGS and cut and cut.pop():
            raise CUT
        return made

    setattr(plant.api, verb, lossy)
    async with plant.running():
        if verb == "create":
            await told(plant, 1)
            return
        await told(plant, 1)
        cut.append(True)
        act = LEAVING["disabled" if verb == "replace" else "no policy"][0]
        act(plant)
        await asyncio.sleep(0)
        plant.deaf = deaf
        *_, line = await told(plant, 2)
        assert line["action"] == ("Changed" if verb == "replace" else "Deleted")


async def test_nothing_is_told_of_what_stays_as_it_is(plant: Plant) -> None:
    async with plant.running():
        await told(plant, 1)
        before = list(plant.heard.lines)
        plant.put(USERS, "u0", spec={**user(0), "title": "Dr"})
        plant.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": None, "maxPercent": None}})
        await asyncio.sleep(0.2)
        assert plant.heard.lines == before
    successor = again(plant)
    async with successor.running():
        await successor.until(lambda: not any(map(len, successor.reconciler.queues.values())))
        await asyncio.sleep(0.2)
        assert successor.heard.lines == []


async def test_namespaces_that_are_made_for_somebody(plant: Plant) -> None:
    async with plant.running():
        await told(plant, 1)
    (line,) = plant.heard.of("namespace")
    assert (line["action"], line["object"], line["policies"]) == ("Created", "team-red", ["teams"])


async def test_requests_that_led_to_it(plant: Plant) -> None:
    def by(spec: Object, request: str) -> Object:
        return {**spec, "meta": {**spec["meta"], "request": request, "version": 2}}

    async with plant.running():
        await told(plant, 1)
        plant.put(USERS, "u2", spec=by(user(2), "r-1"))
        plant.put(GROUPS, "g", spec=by(group("k8s-red-edit", [0, 1, 2]), "r-2"))
        *_, line = await told(plant, 2)
        assert line["requests"][-1] == "r-2"
        plant.put(USERS, "u2", spec=by(user(2, active=False), "r-3"))
        *_, line = await told(plant, 3)
        assert line["requests"] == ["r-3"]


async def test_what_the_guard_holds_and_who_lets_it_go(plant: Plant) -> None:
    people_of_it = range(20)
    for number in people_of_it:
        plant.put(USERS, f"u{number}", spec=user(number))
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", people_of_it))
    plant.put(DIRECTORIES, "entra", spec={"guard": {"maxRemovals": 3}})
    async with plant.running():
        await told(plant, 1)
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: bool(plant.heard.of("guard")))
        held = plant.heard.of("guard")
        assert {line["action"] for line in held} == {"Held"}
        names = {who["name"] for line in held for who in line["waiting"]}
        assert (len(names), sum(line["count"] for line in held)) == (16, 16)
        assert {who["reason"] for line in held for who in line["waiting"]} == {"Limit"}
        assert held[-1]["hash"] == plant.status(HOLDS, "entra")["hash"]
        await plant.approve()
        await plant.until(lambda: plant.subjects() == {"person0"})
        (approved,) = plant.heard.of("guard")[len(held) :]
        assert (approved["action"], approved["hash"]) == ("Approved", held[-1]["hash"])
        assert (approved["list"], approved["count"]) == ("Removals", 16)
        lines = plant.heard.of("binding")
        assert standing(lines) == actual(plant)
        left = {name: why for line in lines for name, why in people(line)[1].items()}
        assert {name for name, why in left.items() if why == "Approved"} == names


async def test_a_directory_is_frozen_and_thaws(plant: Plant) -> None:
    async with plant.running():
        await told(plant, 1)
        gone = plant.api.drop(DIRECTORIES, "entra")
        await plant.until(lambda: len(plant.heard.of("guard")) == 1)
        plant.put(DIRECTORIES, "entra", spec=gone["spec"])
        await plant.until(lambda: len(plant.heard.of("guard")) == 2)
    told_of = [(line["action"], line["reason"]) for line in plant.heard.of("guard")]
    assert told_of == [("Frozen", "DirectoryMissing"), ("Thawed", "DirectoryMissing")]


async def test_a_group_s_access_goes_by_another_name(plant: Plant) -> None:
    async with plant.running():
        await told(plant, 1)
        plant.put(GROUPS, "g", spec=group("K8S-red-edit", [0, 1]))
        await plant.until(lambda: bool(plant.heard.of("rename")))
    (line,) = plant.heard.of("rename")
    assert (line["former"], line["name"], line["id"]) == ("k8s-red-edit", "K8S-red-edit", "group-0")
