"""ScimGroupShards that somebody else wrote: restore tools, and whoever else may."""

from __future__ import annotations

from typing import Any, cast

import pytest

from scim_operator.directory.feed import take_in
from scim_operator.directory.members import part_of
from scim_operator.directory.records import GROUPS, Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.client import KubeClient
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove


async def team_of_eight(provider: Provider) -> tuple[list[str], Record]:
    ids = people(provider, 40)
    return ids, await provider.group("team", *ids[:8])


async def test_a_copy_under_another_name_is_none(provider: Provider, small: None) -> None:
    """Neither while it is there nor when it is gone."""
    ids, team = await team_of_eight(provider)
    spec = provider.api.all(SHARDS)[0]["spec"]
    other = next(member for member in ids[8:] if part_of(member, spec["count"]) == spec["number"])
    made = provider.api.put(SHARDS, {"metadata": {"name": "copy"}, "spec": {**spec, "members": [other]}})
    provider.index.put_shard(made)
    assert set(now(provider, team).members) == {*ids[:8]}
    provider.api.drop(SHARDS, "copy")
    provider.index.evict_shard("copy", made["metadata"]["uid"])
    assert set(now(provider, team).members) == {*ids[:8]}


async def test_a_member_in_another_shard_is_refused(
    provider: Provider, small: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is looked for in one shard could never be taken out of another."""
    _, team = await team_of_eight(provider)
    first, *others = provider.api.all(SHARDS)
    filled = next(shard for shard in others if shard["spec"].get("members"))
    stray = filled["spec"]["members"].pop()
    first["spec"]["members"] = [*first["spec"].get("members", ()), stray]
    provider.api.put(SHARDS, first)
    provider.api.put(SHARDS, filled)
    again = await provider.restarted()
    people(again, 40)
    with pytest.raises(UnavailableError, match=first["metadata"]["name"]):
        await again.patch(now(again, team), remove(stray))
    assert stray in caplog.text


async def test_a_shard_of_a_set_of_another_size_is_none(provider: Provider, small: None) -> None:
    _, team = await team_of_eight(provider)
    stored: dict[str, Any] = provider.stored(team)
    shards = {**stored["spec"]["shards"], "count": 2}
    provider.api.put(GROUPS, {**stored, "spec": {**stored["spec"], "shards": shards}})
    assert not now(await provider.restarted(), team).is_whole


async def test_a_group_from_a_backup_finds_no_later_set(provider: Provider, small: None) -> None:
    """The number of a set comes never again, over inline members, a sweep and a restart."""
    ids, team = await team_of_eight(provider)
    backup = provider.stored(team)["spec"]
    await provider.put(team, displayName="team", members=[{"value": member} for member in ids[:2]])
    await provider.settler.sweep()
    provider.clock += 3_600
    await provider.settler.sweep()
    assert provider.api.all(SHARDS) == []
    again = await provider.restarted()
    people(again, 40)
    await again.patch(now(again, team), add(*ids[2:8]))
    again.api.put(GROUPS, {**again.stored(team), "spec": backup})
    last = await again.restarted()
    assert not now(last, team).is_whole


async def test_a_list_makes_nothing_of_what_is_known(
    provider: Provider, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten groups of 50,000 are listed at every sweep (rule 21)."""
    _, team = await team_of_eight(provider)

    def never(obj: object) -> None:
        raise AssertionError(f"read again: {obj}")

    monkeypatch.setattr("scim_operator.directory.shards.shard_of", never)
    await take_in(provider.index, cast(KubeClient, provider.api))
    assert now(provider, team).is_whole
