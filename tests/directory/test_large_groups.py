"""Groups of any size through the store: what is written for a change, and what everybody sees of it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from scim_operator.directory.members import difference
from scim_operator.directory.records import GROUPS, Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from tests.directory.dying import DyingApiServer
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove, replace

PLURAL = SHARDS.plural


def shards_of(provider: Provider, group: Record) -> list[dict[str, Any]]:
    """The specs of those that count."""
    wanted = provider.stored(group)["spec"]["shards"]
    found = (item["spec"] for item in provider.api.all(SHARDS) if item["spec"]["group"] == group.id)
    return [spec for spec in found if spec["generation"] == wanted["generation"]]


def written(provider: Provider) -> list[str]:
    """What was written since this was last asked: `replace scimgroups`, once each."""
    found = [f"{verb} {plural}" for verb, plural, _ in provider.api.writes]
    provider.api.writes.clear()
    return sorted(set(found))


async def test_real_sizes(provider: Provider) -> None:
    ids = people(provider, 2_300)
    team = await provider.group("team", *ids[:2_000])
    assert team.large is None
    assert written(provider) == ["create scimgroups"]
    grown = await provider.patch(team, add(*ids[2_000:2_100]))
    assert grown.large is not None
    assert (grown.large.count, len(grown.members), grown.meta.version) == (4, 2_100, 2)
    assert written(provider) == [f"create {PLURAL}", "replace scimgroups"]
    assert "members" not in provider.stored(team)["spec"]
    assert sorted(member for spec in shards_of(provider, team) for member in spec["members"]) == sorted(
        ids[:2_100]
    )
    more = await provider.patch(team, add(*ids[2_100:2_200]))
    assert written(provider) == ["replace scimgroups"]
    assert set(more.members) == {*ids[:2_200]}
    await provider.settler.settle(("entra", team.id))
    assert "pending" not in provider.stored(team)["spec"]
    provider.api.writes.clear()
    one = await provider.patch(team, remove(ids[0]))
    assert len(provider.api.writes) == 1
    assert written(provider) == [f"replace {PLURAL}"]
    assert set(one.members) == {*ids[1:2_200]}
    again = await provider.restarted()
    assert set(now(again, team).members) == {*ids[1:2_200]}
    assert now(again, team).meta == one.meta


async def test_made_large(provider: Provider) -> None:
    ids = people(provider, 2_001)
    team = await provider.group("team", *ids)
    assert written(provider) == ["create scimgroups", f"create {PLURAL}"]
    assert (set(team.members), team.meta.version) == ({*ids}, 1)
    assert provider.api.writes == []
    assert set(now(await provider.restarted(), team).members) == {*ids}


async def test_versions_count_up_by_one_whatever_is_written(provider: Provider, small: None) -> None:
    """Also over the moves into shards, to more of them, and back."""
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:4])
    steps: list[Any] = [
        add(ids[4]),
        add(ids[5], ids[6], ids[7]),
        remove(ids[0]),
        replace("displayName", "other"),
        add(*ids[8:40]),
        remove(ids[9]),
        remove(*ids[10:40]),
        remove(*ids[1:7]),
    ]
    versions, moments, places = [team.meta.version], [team.meta.last_modified], []
    for step in steps:
        await provider.patch(team, step)
        before = now(provider, team)
        await provider.settler.settle(("entra", team.id))
        after = now(provider, team)
        assert before.meta == after.meta, "what settles changes nothing"
        assert difference(before.members, after.members) == set()
        versions.append(after.meta.version)
        moments.append(after.meta.last_modified)
        places.append(after.large.count if after.large else 0)
        assert now(await provider.restarted(), team).meta == after.meta
    assert versions == list(range(1, len(steps) + 2))
    assert moments == sorted(set(moments))
    assert places == [4, 4, 4, 4, 32, 32, 4, 0]
    assert set(now(provider, team).members) == {ids[7], ids[8]}


async def test_without_effect_nothing_is_written(provider: Provider, small: None) -> None:
    ids = people(provider, 8)
    team = await provider.group("team", *ids)
    provider.api.writes.clear()
    assert await provider.patch(team, add(*ids)) is team
    assert await provider.put(team, displayName="team", members=[{"value": name} for name in ids]) is team
    await provider.patch(team, remove(*ids[:3]))
    provider.api.writes.clear()
    pending = now(provider, team)
    assert await provider.patch(team, remove(*ids[:3])) is pending
    assert provider.api.writes == []


async def test_a_put_of_nearly_the_same_is_a_small_change(provider: Provider, small: None) -> None:
    ids = people(provider, 20)
    team = await provider.group("team", *ids[:19])
    provider.api.writes.clear()
    changed = await provider.put(team, displayName="team", members=[{"value": name} for name in ids[1:20]])
    assert written(provider) == ["replace scimgroups"]
    assert set(changed.members) == {*ids[1:]}


async def test_later_changes_join_what_is_to_come(provider: Provider, small: None) -> None:
    ids = people(provider, 12)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(ids[8], ids[9]), remove(ids[0]))
    await provider.patch(team, remove(ids[8]))
    await provider.patch(team, add(ids[0]))
    wanted = {*ids[:8], ids[9]}
    assert set(now(provider, team).members) == wanted
    assert provider.stored(team)["spec"]["pending"] == {"added": [ids[9], ids[0]], "removed": [ids[8]]}
    await provider.settler.settle(("entra", team.id))
    assert set(now(provider, team).members) == wanted
    assert {member for spec in shards_of(provider, team) for member in spec["members"]} == wanted


async def test_a_change_while_it_settles_is_not_lost(provider: Provider, small: None) -> None:
    """The shard has it already when it is taken back; and somebody edits a shard in between."""
    ids = people(provider, 12)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:11]))
    changed: list[asyncio.Task[Record]] = []

    def meanwhile(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", PLURAL) and not changed:
            changed.append(asyncio.create_task(provider.patch(team, remove(ids[8]))))
            for shard in provider.api.all(SHARDS):
                provider.api.put(SHARDS, shard)

    provider.api.before = meanwhile
    await provider.settler.settle(("entra", team.id))
    await changed[0]
    provider.api.before = None
    assert set(now(provider, team).members) == {*ids[:8], ids[9], ids[10]}
    for group in provider.settler.unsettled():
        await provider.settler.settle(group)
    assert {m for spec in shards_of(provider, team) for m in spec.get("members", ())} == {
        *ids[:8],
        ids[9],
        ids[10],
    }
    assert set(now(await provider.restarted(), team).members) == {*ids[:8], ids[9], ids[10]}


async def test_a_set_made_anew_while_another_settles(provider: Provider, small: None) -> None:
    """What has reached the former set is no reason to forget what is to come to the new one."""
    ids = people(provider, 60)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(ids[8], ids[9]))
    grown: list[Record] = []

    async def meanwhile(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", PLURAL) and not grown:
            grown.append(now(provider, team))
            await provider.patch(team, remove(ids[8], ids[9]))
            await provider.patch(team, add(*ids[10:50]))
            grown.append(await provider.patch(team, add(ids[8], ids[9])))

    provider.api.before = meanwhile
    await provider.settler.settle(("entra", team.id))
    assert [record.large and record.large.generation for record in grown] == [1, 4], "the version of then"
    provider.api.before = None
    await provider.settler.settle(("entra", team.id))
    assert set(now(provider, team).members) == {*ids[:50]}
    assert {m for spec in shards_of(provider, team) for m in spec.get("members", ())} == {*ids[:50]}


async def test_what_a_lost_shard_should_get_stays_pending(provider: Provider, small: None) -> None:
    ids = people(provider, 12)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:12]))
    gone: list[dict[str, Any]] = []

    def lose(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", PLURAL) and not gone:
            for shard in provider.api.all(SHARDS):
                gone.append(provider.api.drop(SHARDS, shard["metadata"]["name"]))
        elif (verb, plural) == ("replace", "scimgroups"):
            raise AssertionError("told that all has come")

    provider.api.before = lose
    await provider.settler.settle(("entra", team.id))
    assert len(gone) == 4
    assert not now(provider, team).is_whole
    provider.api.before = None
    for shard in gone:
        provider.api.put(SHARDS, {**shard, "metadata": {"name": shard["metadata"]["name"]}})
    again = await provider.restarted()
    people(again, 12)
    assert set(now(again, team).members) == {*ids}
    await again.settler.settle(("entra", team.id))
    assert {m for spec in shards_of(again, team) for m in spec.get("members", ())} == {*ids}


async def test_who_is_in_a_large_group_is_found(provider: Provider, small: None) -> None:
    ids = people(provider, 12)
    big = await provider.group("big", *ids[:8])
    little = await provider.group("little", *ids[7:9])

    async def groups(member: str) -> list[str]:
        found = provider.index.groups_of("entra", member)
        text = f'members.value eq "{member}"'
        assert await provider.index.find("entra", "Group", text) == found
        return [record.label for record in found]

    assert [await groups(member) for member in (ids[0], ids[7], ids[8], ids[9])] == [
        ["big"],
        ["big", "little"],
        ["little"],
        [],
    ]
    await provider.patch(big, remove(ids[0]), add(ids[9]))
    assert (await groups(ids[0]), await groups(ids[9])) == ([], ["big"])
    await provider.patch(big, replace("members", [{"value": ids[1]}]))
    assert now(provider, big).large is None
    assert (await groups(ids[1]), await groups(ids[7])) == (["big"], ["little"])
    await provider.patch(little, add(*ids))
    assert (await groups(ids[1]), await groups(ids[8])) == (["big", "little"], ["little"])
    await provider.delete(little)
    assert (await groups(ids[1]), await groups(ids[8])) == (["big"], [])
    assert provider.index.groups_of("okta", ids[1]) == []


async def test_many_at_once_lose_nothing(provider: Provider, small: None) -> None:
    ids = people(provider, 60)
    team = await provider.group("team", *ids[:20])
    chosen = random.Random(7).sample(range(20, 60), 30)
    changes = [provider.patch(team, add(ids[number])) for number in chosen]
    changes += [provider.patch(team, remove(ids[number])) for number in range(10)]

    async def settle() -> None:
        for _ in range(20):
            await provider.settler.settle(("entra", team.id))
            await asyncio.sleep(0)

    await asyncio.gather(*changes, settle())
    wanted = {*ids[10:20], *(ids[number] for number in chosen)}
    assert set(now(provider, team).members) == wanted
    assert now(provider, team).meta.version == 41
    assert set(now(await provider.restarted(), team).members) == wanted


async def test_a_status_in_between_makes_no_second_generation(provider: Provider, small: None) -> None:
    ids = people(provider, 10)
    team = await provider.group("team", *ids[:4])

    def touch(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", "scimgroups"):
            provider.api.before = None
            stored = provider.stored(team)
            provider.api.put(GROUPS, {**stored, "status": {"members": 4}})

    provider.api.before = touch
    grown = await provider.patch(team, add(*ids[4:]))
    assert grown.large is not None
    assert grown.large.generation == grown.meta.version
    assert len(provider.api.all(SHARDS)) == grown.large.count


async def test_a_missing_shard_is_503_and_nobody_is_forgotten(
    provider: Provider, small: None, caplog: pytest.LogCaptureFixture
) -> None:
    ids = people(provider, 10)
    team = await provider.group("team", *ids)
    lost = provider.api.all(SHARDS)[0]
    provider.api.drop(SHARDS, lost["metadata"]["name"])
    assert provider.index.evict_shard(lost["metadata"]["name"], lost["metadata"]["uid"]) is not None
    for attempt in (
        provider.patch(team, add(*ids)),
        provider.put(team, displayName="team"),
        provider.patch(team, replace("displayName", "new")),
    ):
        with pytest.raises(UnavailableError, match=lost["metadata"]["name"]):
            await attempt
    with pytest.raises(UnavailableError):
        await provider.index.find("entra", "Group", f'members.value eq "{ids[0]}"')
    assert set(now(provider, team).members) == {*ids}, "known last"
    caplog.clear()
    again = await provider.restarted()
    assert [record.message for record in caplog.records] == [
        "shards of a group aren't known; it keeps its access"
    ]
    assert not now(again, team).is_whole
    assert again.index.broken == {("entra", team.id)}
    provider.api.put(SHARDS, {**lost, "metadata": {"name": lost["metadata"]["name"]}})
    again.events()
    assert set(now(again, team).members) == {*ids}
    assert again.index.broken == set()


async def test_a_broken_group_can_be_deleted(provider: Provider, small: None) -> None:
    team = await provider.group("team", *people(provider, 10))
    lost = provider.api.all(SHARDS)[0]["metadata"]
    provider.index.evict_shard(lost["name"], lost["uid"])
    await provider.delete(team)
    assert provider.index.broken == set()


async def test_shards_of_nobody_go_after_an_hour(provider: Provider, small: None) -> None:
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:]))
    assert {item["spec"]["generation"] for item in provider.api.all(SHARDS)} == {1, 2}
    await provider.settler.sweep()
    provider.clock += 3_599
    await provider.settler.sweep()
    assert {item["spec"]["generation"] for item in provider.api.all(SHARDS)} == {1, 2}
    provider.clock += 1
    await provider.settler.sweep()
    assert {item["spec"]["generation"] for item in provider.api.all(SHARDS)} == {2}
    await provider.delete(team)
    await provider.settler.sweep()
    provider.clock += 3_600
    await provider.settler.sweep()
    assert provider.api.all(SHARDS) == []


async def test_left_overs_of_an_attempt_are_in_nobodys_way(provider: Provider, small: None) -> None:
    """A set is the work of one attempt alone: of a former one nobody knows what it meant."""
    ids = people(provider, 12)
    team = await provider.group("team", *ids[:4])
    provider.api.refuse["replace", "scimgroups"] = ApiError(503, "ServiceUnavailable", "no")
    with pytest.raises(UnavailableError):
        await provider.patch(team, add(*ids[4:8]))
    provider.api.refuse.clear()
    assert set(now(provider, team).members) == {*ids[:4]}
    again = await provider.restarted()
    again.index.shards = type(again.index.shards)(lambda: 0.0)  # its list came a moment too early
    people(again, 12)
    grown = await again.patch(now(again, team), add(*ids[8:12]))
    assert set(grown.members) == {*ids[:4], *ids[8:12]}
    assert grown.large is not None
    assert grown.large.generation == 3, "2 was the first attempt's"


async def test_a_cluster_without_the_kind(provider: Provider, small: None) -> None:
    provider.api.refuse["create", PLURAL] = ApiError(
        404, "NotFound", "the server could not find the resource"
    )
    with pytest.raises(UnavailableError, match="scim-operator crds apply"):
        await provider.group("team", *people(provider, 10))
    provider.api.refuse["list", PLURAL] = ApiError(404, "NotFound", "no such resource")
    small_one = await provider.group("team", *people(provider, 3))
    again = await provider.restarted()
    assert len(now(again, small_one).members) == 3


# --- killed at every write ---------------------------------------------------------------------------------

STEPS = 9


def operations(ids: list[str]) -> list[dict[str, Any]]:
    """What a provider sends, each way of writing among it."""
    made = [
        add(ids[4]),
        add(ids[5], ids[6], ids[7]),
        remove(ids[0]),
        replace("displayName", "other"),
        add(*ids[8:24]),
        add(ids[25]),
        remove(ids[25], ids[9], ids[10]),
        remove(*ids[11:24]),
        remove(*ids[1:6]),
    ]
    assert len(made) == STEPS
    return made


async def _play(applied: bool, strike: int) -> tuple[bool, set[str], str, int]:
    """The scenario with a death at one write, a new process, and a provider that sends again what failed.

    -> whether it came to that, the members, the name, and how many writes there were.
    """
    api = DyingApiServer()
    provider = Provider(api)
    ids = people(provider, 30)
    team = await provider.group("team", *ids[:4])
    api.count, api.strike, api.applied = 0, strike, applied
    died = False
    for step in operations(ids):
        before = set(now(provider, team).members), now(provider, team).label
        answered = True
        try:
            await provider.patch(team, step)
            after = set(now(provider, team).members), now(provider, team).label
            await provider.settler.settle(("entra", team.id))
        except (UnavailableError, ApiError) as error:
            answered = isinstance(error, ApiError)  # what settles fails for nobody
        if api.away:
            died = True
            api.alive()
            provider = await provider.restarted()
            people(provider, 30)
            assert now(provider, team).is_whole
            found = set(now(provider, team).members), now(provider, team).label
            await provider.patch(team, step)
            wanted = set(now(provider, team).members), now(provider, team).label
            assert found == after if answered else found in (before, wanted)
            assert not answered or found == wanted
            for group in provider.settler.unsettled():
                await provider.settler.settle(group)
    for group in provider.settler.unsettled():
        await provider.settler.settle(group)
    end = await provider.restarted()
    record = now(end, team)
    assert record.is_whole
    assert record.large is None or not record.large.pending
    return died, set(record.members), record.label, api.count


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
async def test_killed_at_every_write(small: None, applied: bool) -> None:
    _, members, label, count = await _play(applied, 0)
    assert (label, count > 40) == ("other", True), count
    for strike in range(1, count + 1):
        died, *found, _ = await _play(applied, strike)
        assert died
        assert found == [members, label], strike
    died, *_ = await _play(applied, count + 1)
    assert not died
