"""Large places when writes fail, are slow, or meet what others did to bindings."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, cast

import pytest

from scim_operator.access.bindings import binding_name
from scim_operator.access.shards import _number
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import ROLE_BINDINGS
from scim_operator.reconcile.resources import POLICIES
from tests.reconcile.plant import PLACE, ROLE_REFUSED, Plant
from tests.reconcile.test_shards import _bindings, _members, _names, _people, _standing
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import UNGUARDED, following, group, policy, user

MANAGED = "app.kubernetes.io/managed-by"


def at(shard: int, count: int = 4, of: int = 600) -> list[int]:
    return [n for n in range(of) if _number("User", f"person{n}") % count == shard]


TIMED_OUT = ApiError(500, "InternalError", "etcdserver: request timed out")


def fail_once(plant: Plant, error: ApiError) -> None:
    """The next change of a binding fails."""
    failed = False

    def before(verb: str, plural: str) -> None:
        nonlocal failed
        if (verb, plural) == ("replace", "rolebindings") and not failed:
            failed = True
            raise error

    plant.api.before = before


async def settled(plant: Plant) -> None:
    await asyncio.sleep(0.05)
    await plant.until(lambda: not plant.reconciler.queues["places"], 10)


async def four(plant: Plant) -> None:
    await plant.until(lambda: len(_bindings(plant)) == 4 and _standing(plant) == _names(range(600)))
    await settled(plant)


async def test_leaver_from_a_shard_kept_for_a_foreign_one(plant: Plant) -> None:
    """Upper shards keep those whom a lower one, somebody else's, can't take; then one of them leaves."""
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        # somebody deletes shard 0 and makes his own under its name
        plant.api.drop(ROLE_BINDINGS, binding_name(PLACE, 0), "team-red")
        foreign = {"metadata": {"name": binding_name(PLACE, 0)}, "roleRef": {"kind": "Role", "name": "x"}}
        plant.api.put(ROLE_BINDINGS, {**foreign, "subjects": []}, "team-red")
        await plant.until(lambda: bool(plant.condition(POLICIES, "teams", "Conflict")))
        left = [*at(3)[:30], *at(2)[:30], *at(1)[:30]]
        _members(plant, left)
        await plant.until(lambda: len(_standing(plant)) == 90)
        await settled(plant)
        await asyncio.sleep(1)
        leaver = at(3)[0]
        plant.put(USERS, f"u{leaver}", spec=user(leaver, active=False))
        await plant.until(lambda: f"person{leaver}" not in _standing(plant))


async def test_leaver_from_an_upper_shard_while_the_role_isnt_grantable(plant: Plant) -> None:
    members = [*at(0)[:64], *at(1)[:60], *at(2)[:60], *at(3)[:60]]
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        _members(plant, members)
        await plant.until(lambda: _standing(plant) == _names(members))
        assert len(_bindings(plant)) == 4
        await settled(plant)
        plant.api.refuse["create", "rolebindings"] = ROLE_REFUSED
        plant.api.refuse["replace", "rolebindings"] = ROLE_REFUSED
        first, second = at(0)[0], at(3)[0]
        plant.put(USERS, f"u{first}", spec=user(first, active=False))
        await plant.until(lambda: f"person{first}" not in _standing(plant))
        await settled(plant)
        plant.put(USERS, f"u{second}", spec=user(second, active=False))
        await plant.until(lambda: f"person{second}" not in _standing(plant))


@pytest.mark.parametrize("stripped", [[0, 1, 2, 3], [3]])
@pytest.mark.parametrize("ends", ["shrinks", "policy"])
async def test_labels_stripped_while_the_operator_was_down(stripped: list[int], ends: str) -> None:
    plant = Plant.usual_one()
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
    again = Plant()
    again.api.objects, again.api._versions = plant.api.objects, plant.api._versions
    for shard in stripped:
        del again.api.objects["rolebindings", "team-red", binding_name(PLACE, shard)]["metadata"]["labels"][
            MANAGED
        ]
    if ends == "shrinks":
        again.put(GROUPS, "g", spec=group("k8s-red-edit", range(50)))
        wanted = _names(range(50))
    else:
        again.api.drop(POLICIES, "teams")
        wanted = set()
    async with again.running():
        await asyncio.sleep(1)
        await settled(again)
        again.reconciler._look_at(
            await again.reconciler._inputs.list_all(cast(KubeClient, again.api))
        )  # a sweep
        again.reconciler._look_at(again.reconciler._inputs.everything())
        await settled(again)
        assert len(_standing(again) - wanted) == 0, (
            f"{len(_standing(again) - wanted)} left over in {len(_bindings(again))}"
        )


async def test_from_groups_to_users_nobody_is_out(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
    async with plant.running():
        await plant.until(lambda: _standing(plant) == {"oid-group-0"})
        await settled(plant)
        plant.moments.clear()
        plant.put(POLICIES, "teams", spec=policy())
        await plant.until(lambda: _standing(plant) == _names(range(600)))
        for moment in plant.moments:
            names = {name for name, *_ in moment}
            assert "oid-group-0" in names or _names(range(600)) <= names, len(names)


async def test_from_users_to_groups_with_one_failed_write(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        plant.moments.clear()
        fail_once(plant, TIMED_OUT)
        plant.put(POLICIES, "teams", spec=policy(subjects="Group"))
        await plant.until(lambda: _standing(plant) == {"oid-group-0"})
        for moment in plant.moments:
            names = {name for name, *_ in moment}
            assert "oid-group-0" in names or _names(range(600)) <= names, len(names)


async def test_changed_template_with_one_failed_write(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        plant.moments.clear()
        fail_once(plant, TIMED_OUT)
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"user": "entra:{userName}"}})
        await plant.approve()
        await plant.until(lambda: _standing(plant) == {f"entra:{n}" for n in _names(range(600))})
        for moment in plant.moments:
            persons = {name.removeprefix("entra:") for name, *_ in moment}
            assert persons == _names(range(600)), f"{600 - len(persons)} people out"


@pytest.mark.parametrize(
    "error",
    [
        TIMED_OUT,
        ApiError(409, "Conflict", "the object has been modified"),
    ],
)
async def test_renamed_user_with_one_failed_write(plant: Watched, error: ApiError) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        old = _number("User", "person7") % 4
        new = next(f"new{n}" for n in range(100) if _number("User", f"new{n}") % 4 != old)
        plant.moments.clear()
        fail_once(plant, error)
        plant.put(USERS, "u7", spec=user(7, name=new))
        await plant.until(lambda: new in _standing(plant))
        for moment in plant.moments:
            assert {name for name, *_ in moment} & {"person7", new}


@pytest.mark.parametrize("seconds", [1.0, 2.5])
async def test_changed_role_while_the_api_server_is_slow(plant: Watched, seconds: float) -> None:
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        plant.api.before = lambda verb, plural: (
            asyncio.sleep(seconds) if verb == "create" and plural == "rolebindings" else None
        )
        plant.moments.clear()
        grant = {"clusterRole": "view", "namespaces": {"name": "team-{team}", "create": {}}}
        plant.put(POLICIES, "teams", spec=policy(grant))
        await plant.until(lambda: {r for _, r, _ in plant.held()} == {"view"}, 8)
        for moment in plant.moments:
            assert {name for name, *_ in moment} == _names(range(2))


async def test_writes_of_a_changed_role(plant: Watched) -> None:
    """5,000 people move from one role to another: each object once made, once deleted."""
    _people(plant, 5000)
    _members(plant, range(5000))
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(5000)), 30)
        await settled(plant)
        shards = len(_bindings(plant))
        plant.api.before = lambda verb, plural: asyncio.sleep(0.03) if plural == "rolebindings" else None
        plant.api.writes.clear()
        grant = {"clusterRole": "view", "namespaces": {"name": "team-{team}", "create": {}}}
        plant.put(POLICIES, "teams", spec=policy(grant))
        await plant.until(
            lambda: {r for _, r, _ in plant.held()} == {"view"} and len(_bindings(plant)) == shards, 60
        )
        await settled(plant)
        counts: dict[str, int] = defaultdict(int)
        for verb, plural, _ in plant.api.writes:
            if plural == "rolebindings":
                counts[verb] += 1
        assert sum(counts.values()) <= 2 * shards + 5, dict(counts)


async def test_finalizer_keeps_nobody_s_access_and_hammers_nobody(plant: Plant) -> None:
    """Deleting a binding with a finalizer leaves it; wanted again, it is neither hammered nor forgotten."""
    api = plant.api
    drop = api.drop
    calls: dict[tuple[str, str], int] = defaultdict(int)

    def count(verb: str, plural: str) -> None:
        calls[verb, plural] += 1

    def finalize(resource: Any, name: str, namespace: str = "") -> Any:
        obj = api.objects.get((resource.plural, namespace, name))
        if resource is not ROLE_BINDINGS or obj is None:
            return drop(resource, name, namespace)
        if "deletionTimestamp" not in obj["metadata"]:
            api._store(
                resource,
                (resource.plural, namespace, name),
                {**obj, "metadata": {**obj["metadata"], "deletionTimestamp": "x"}},
                obj,
            )
        return obj  # a finalizer holds it

    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        (binding,) = api.all(ROLE_BINDINGS)
        binding["metadata"]["finalizers"] = ["example.com/hold"]
        api.put(ROLE_BINDINGS, binding, "team-red")
        api.drop = finalize  # type: ignore[method-assign]
        plant.api.before = count
        _members(plant, [])
        await plant.until(lambda: not _standing(plant))
        _members(plant, [0])
        calls.clear()
        await asyncio.sleep(1)
        assert calls["create", "rolebindings"] < 20
        assert _standing(plant) == {"person0"}


async def test_changed_template_while_one_shard_fails(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        plant.moments.clear()
        failing, replace = [2], plant.api.replace

        async def flaky(resource: Any, body: Any, *, namespace: Any = None, strict: bool = False) -> Any:
            if body["metadata"]["name"] == binding_name(PLACE, 1) and failing[0]:
                failing[0] -= 1
                raise TIMED_OUT
            return await replace(resource, body, namespace=namespace, strict=strict)

        plant.api.replace = flaky  # type: ignore[method-assign]
        plant.put(DIRECTORIES, "entra", spec={**UNGUARDED, "subjects": {"user": "entra:{userName}"}})
        await plant.approve()
        await plant.until(lambda: _standing(plant) == {f"entra:{n}" for n in _names(range(600))})
        for moment in plant.moments:
            persons = {name.removeprefix("entra:") for name, *_ in moment}
            assert persons == _names(range(600)), f"{600 - len(persons)} people out"


async def test_status_of_people_kept_in_an_upper_shard(plant: Plant) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        plant.api.drop(ROLE_BINDINGS, binding_name(PLACE, 0), "team-red")
        foreign = {"metadata": {"name": binding_name(PLACE, 0)}, "roleRef": {"kind": "Role", "name": "x"}}
        plant.api.put(ROLE_BINDINGS, {**foreign, "subjects": []}, "team-red")
        await plant.until(lambda: bool(plant.condition(POLICIES, "teams", "Conflict")))
        left = [*at(3)[:30], *at(2)[:30], *at(1)[:30]]
        _members(plant, left)
        await plant.until(lambda: len(_standing(plant)) == 90)
        await plant.until(lambda: plant.status(GROUPS, "g").get("members") == 90)
        await asyncio.sleep(1)
        assert plant.status(GROUPS, "g")["bindings"] == len(_bindings(plant)) - 1


async def test_stripped_annotation_and_changed_label_cost_nobody_their_access(plant: Watched) -> None:
    _people(plant, 600)
    _members(plant, range(600))
    async with plant.running():
        await four(plant)
        plant.moments.clear()
        for item in plant.api.all(ROLE_BINDINGS):
            item["metadata"]["labels"]["scim-operator.io/shards"] = "64"
            del item["metadata"]["annotations"]["scim-operator.io/written"]
            plant.api.put(ROLE_BINDINGS, item, "team-red")
        await settled(plant)
        await plant.until(lambda: _standing(plant) == _names(range(600)))
        worst = min(len({name for name, *_ in moment}) for moment in plant.moments)
        assert worst == 600


async def test_leaver_leaves_a_binding_whose_role_is_gone_and_not_grantable(plant: Plant) -> None:
    gone = ApiError(404, "NotFound", 'rolebindings.rbac.authorization.k8s.io "edit" not found')
    async with plant.running():
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        plant.api.refuse["replace", "rolebindings"] = gone
        plant.put(USERS, "u1", spec=user(1, active=False))
        await plant.until(lambda: "person1" not in _standing(plant))
        plant.api.refuse.clear()
        plant.put(USERS, "u0", spec={**user(0), "displayName": "x"})
        await plant.until(lambda: _standing(plant) == {"person0"})


async def test_who_joins_a_renamed_group_gets_nothing_by_its_old_name(plant: Watched) -> None:
    """SCIM writes are known before their events: a place isn't worked on in between."""
    _members(plant, [])
    plant.put(POLICIES, "teams", spec=following(policy()))
    async with plant.running():
        await settled(plant)
        assert _standing(plant) == set()
        plant.deaf = True
        spec = group("k8s-blue-edit", [0, 1])
        written = plant.put(GROUPS, "g", spec=spec)
        await asyncio.sleep(0)
        assert plant.world.index.put(written) is not None
        plant.deaf = False
        plant.moments.clear()
        plant.reconciler._places.add(PLACE)
        await asyncio.sleep(0.1)
        assert _standing(plant) == set(), "half of the news"
        plant.reconciler.observe(GROUPS, "MODIFIED", written)
        await plant.until(lambda: _standing(plant) == _names(range(2)))
        assert all(namespace == "team-blue" for moment in plant.moments for _, _, namespace in moment)
        assert ("namespaces", "", "team-red") not in plant.api.objects
