"""Rule 9 at work: large places over several bindings, that grow and shrink without anybody being out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLE_BINDINGS
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import PLACE, ROLE_REFUSED, Plant
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import UNGUARDED, group, user

SHARDS = "scim-operator.io/shards"


def _people(plant: Plant, number: int) -> None:
    for n in range(number):
        plant.put(USERS, f"u{n}", spec=user(n))


def _members(plant: Plant, members: Iterable[int]) -> None:
    plant.put(GROUPS, "g", spec=group("k8s-red-edit", members))


def _bindings(plant: Plant) -> dict[str, set[str]]:
    return {
        item["metadata"]["name"]: {subject["name"] for subject in item["subjects"]}
        for item in plant.api.all(ROLE_BINDINGS)
    }


def _standing(plant: Plant) -> set[str]:
    return set().union(*_bindings(plant).values())


def _names(members: Iterable[int]) -> set[str]:
    return {f"person{n}" for n in members}


def _labels(plant: Plant) -> set[str]:
    return {item["metadata"]["labels"][SHARDS] for item in plant.api.all(ROLE_BINDINGS)}


async def test_large_place_and_back(plant: Watched) -> None:
    _people(plant, 600)
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        plant.moments.clear()
        _members(plant, range(600))
        await plant.until(lambda: _standing(plant) == _names(range(600)))
        assert all({"person0", "person1"} <= {name for name, *_ in moment} for moment in plant.moments)
        await plant.until(lambda: len(_bindings(plant)) == 4 and _labels(plant) == {"4"})
        assert max(map(len, _bindings(plant).values())) <= 256
        await plant.until(lambda: plant.status(GROUPS, "g").get("bindings") == 4)
        await plant.until(lambda: plant.status(POLICIES, "teams").get("people") == 600)
        plant.moments.clear()
        _members(plant, range(100))
        await plant.until(lambda: len(_bindings(plant)) == 1)
        assert _bindings(plant) == {binding_name(PLACE): _names(range(100))}
        assert all(_names(range(100)) <= {name for name, *_ in moment} for moment in plant.moments)


async def test_leaver_costs_one_small_write(plant: Plant) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await plant.until(lambda: len(_bindings(plant)) == 4 and _standing(plant) == _names(range(600)))
        await plant.until(lambda: not plant.reconciler.queues["places"])
        (shard,) = (name for name, names in _bindings(plant).items() if "person7" in names)
        plant.api.writes.clear()
        plant.put(USERS, "u7", spec=user(7, active=False))
        await plant.until(lambda: "person7" not in _standing(plant))
        await plant.until(lambda: not plant.reconciler.queues["places"])
        assert [write for write in plant.api.writes if write[1] == "rolebindings"] == [
            ("replace", "rolebindings", shard)
        ]


@pytest.mark.parametrize("nth", range(8))
async def test_started_again_in_the_midst_of_growing(nth: int) -> None:
    """The API server goes away before the n-th write; another operator finds what was done."""
    plant = Plant.usual_one()
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await plant.until(lambda: len(_bindings(plant)) == 4 and _standing(plant) == _names(range(600)))
        await plant.until(lambda: not plant.reconciler.queues["places"])
        count = 0

        def away(verb: str, plural: str) -> None:
            nonlocal count
            if plural == "rolebindings" and verb in ("create", "replace", "delete"):
                count += 1
            if count > nth:
                plant.api.away = True
                raise ApiError(0, "Unreachable", "ClientConnectorError")

        plant.api.before = away
        _people(plant, 1400)
        _members(plant, range(1400))
        await plant.until(lambda: plant.api.away)
    assert _standing(plant) >= _names(range(600))
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    async with again.running():
        await again.until(lambda: _standing(again) == _names(range(1400)), 10)
        await again.until(lambda: len(_bindings(again)) == 8 and _labels(again) == {"8"})


@pytest.mark.parametrize("value", ["1", "64", "1024", "x", "3", "99999999999"])
async def test_changed_label_costs_nobody_their_access(plant: Watched, value: str) -> None:
    """It is the memory of how many shards there are; a false one leads to another number, and no further."""
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await plant.until(lambda: len(_bindings(plant)) == 4 and _labels(plant) == {"4"})
        plant.moments.clear()
        for item in plant.api.all(ROLE_BINDINGS):
            item["metadata"]["labels"][SHARDS] = value
            plant.api.put(ROLE_BINDINGS, item, "team-red")
        await plant.until(lambda: len(_labels(plant)) == 1 and _labels(plant) <= {"4", "8"})
        await plant.until(lambda: not plant.reconciler.queues["places"])
        assert all({name for name, *_ in moment} == _names(range(600)) for moment in plant.moments)
        assert 64 <= max(map(len, _bindings(plant).values())) <= 256


async def test_place_that_nobody_opens_any_more_loses_all_shards(plant: Plant) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await plant.until(lambda: len(_bindings(plant)) == 4)
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: not _bindings(plant))


async def test_everybody_renamed_has_the_new_name_before_the_old_one_goes(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await plant.until(lambda: len(_bindings(plant)) == 4 and _standing(plant) == _names(range(600)))
        plant.moments.clear()
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"user": "entra:{userName}"}})
        await plant.approve()
        await plant.until(lambda: _standing(plant) == {f"entra:{name}" for name in _names(range(600))})
        for moment in plant.moments:
            persons = {name.removeprefix("entra:") for name, *_ in moment}
            assert persons == _names(range(600))


async def test_growth_that_is_refused_costs_nobody_their_access(plant: Plant) -> None:
    _people(plant, 600)
    _members(plant, range(200))
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(200)))
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        _members(plant, range(600))
        await plant.until(lambda: bool(plant.condition(POLICIES, "teams", "RoleNotAllowed")))
        assert _standing(plant) == _names(range(200))


async def test_binding_of_somebody_else_keeps_its_shard_alone(plant: Plant) -> None:
    _people(plant, 600)
    foreign = {"metadata": {"name": binding_name(PLACE, 3)}, "roleRef": {"kind": "Role", "name": "x"}}
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        plant.api.put(ROLE_BINDINGS, {**foreign, "subjects": []}, "team-red")
        _members(plant, range(600))
        await plant.until(lambda: bool(plant.condition(POLICIES, "teams", "Conflict")))
        assert binding_name(PLACE, 3) in plant.condition(POLICIES, "teams", "Conflict")["message"]
        await plant.until(lambda: 430 < len(_standing(plant)) < 470)
        assert {"person0", "person1"} <= _standing(plant), "whoever stood there and belongs into it stays"
        plant.api.drop(ROLE_BINDINGS, binding_name(PLACE, 3), "team-red")
        _members(plant, range(599))
        await plant.until(lambda: _standing(plant) == _names(range(599)))


async def test_binding_tells_which_request_wrote_it(plant: Plant) -> None:
    def request() -> str | None:
        (item,) = plant.api.all(ROLE_BINDINGS)
        annotation: str | None = item["metadata"]["annotations"].get("scim-operator.io/request")
        return annotation

    def spec(active: bool, number: str) -> dict[str, object]:
        made = user(1, active=active)
        return {**made, "meta": {**made["meta"], "request": number}}

    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        assert request() is None, "nobody's request: it was there at the start"
        plant.put(USERS, "u1", spec=spec(False, "req-7"))
        await plant.until(lambda: _standing(plant) == {"person0"})
        assert request() == "req-7"
        plant.api.writes.clear()
        plant.put(USERS, "u1", spec={**spec(False, "req-8"), "displayName": "x"})
        await asyncio.sleep(0.05)
        await plant.until(lambda: not plant.reconciler.queues["places"])
        assert not [write for write in plant.api.writes if write[1] == "rolebindings"], "none for its sake"
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"user": "x:{userName}"}})
        await plant.approve()
        await plant.until(lambda: _standing(plant) == {"x:person0"})
        assert request() is None, "an admin's change is no request's doing"


async def test_binding_in_a_namespace_that_is_made_first_tells_its_request_too(plant: Plant) -> None:
    made = {**group("k8s-blue-edit", [0], identifier="blue")}
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        plant.put(GROUPS, "blue", spec={**made, "meta": {**made["meta"], "request": "req-9"}})
        await plant.until(lambda: len(plant.api.all(ROLE_BINDINGS)) == 2)
        (item,) = (
            item for item in plant.api.all(ROLE_BINDINGS) if item["metadata"]["namespace"] == "team-blue"
        )
        assert item["metadata"]["annotations"]["scim-operator.io/request"] == "req-9"
