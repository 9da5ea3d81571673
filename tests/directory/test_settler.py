"""What is brought to shards when something is refused, and which shards of nobody are swept when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.directory.shards import SHARDS, GroupKey
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from tests.directory.api_server import ApiServer
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove

PLURAL = SHARDS.plural
NO = ApiError(503, "ServiceUnavailable", "no")


class Refusing(ApiServer):
    """A webhook refuses all writes of one object, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.bad = ""
        self.refused = 0

    async def replace(self, resource: Any, body: Any, **more: Any) -> Any:
        self._check(body["metadata"]["name"])
        return await super().replace(resource, body, **more)

    async def delete(self, resource: Any, name: str, **more: Any) -> None:
        self._check(name)
        await super().delete(resource, name, **more)

    def _check(self, name: str) -> None:
        if name == self.bad:
            self.refused += 1
            raise ApiError(403, "Forbidden", "a webhook says no")


def shards(provider: Provider) -> int:
    return len(provider.api.all(SHARDS))


# --- settling ----------------------------------------------------------------------------------------------


async def test_a_shard_that_is_refused_doesnt_keep_the_others_busy(small: None) -> None:
    api = Refusing()
    provider = Provider(api)
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:13]))
    touched = {name for _, plural, name in api.writes if plural == PLURAL}
    api.bad = sorted(touched)[0]
    api.writes.clear()
    for _ in range(10):
        with pytest.raises(ApiError, match="a webhook says no"):
            await provider.settler.settle(("entra", team.id))
    assert len(api.writes) <= 4, "the others, and that they are done"
    api.bad = ""
    await provider.settler.settle(("entra", team.id))
    assert "pending" not in provider.stored(team)["spec"]
    assert set(now(await provider.restarted(), team).members) == {*ids[:13]}


async def test_what_fails_is_left_alone_ever_longer(small: None, caplog: pytest.LogCaptureFixture) -> None:
    api = Refusing()
    provider = Provider(api)
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:13]))
    api.bad = sorted(name for _, plural, name in api.writes if plural == PLURAL)[0]

    async def fail() -> None:
        raise ApiError(403, "Forbidden", "no")

    key, tries = ("entra", team.id), []
    for _ in range(1_200):
        before = len(caplog.records)
        await provider.settler.attempt(fail, key)
        tries += [provider.clock] * (len(caplog.records) > before)
        provider.clock += 1
    assert tries[:6] == [0, 1, 3, 7, 15, 31]
    assert tries[-1] - tries[-2] == 300


async def test_a_group_that_is_gone_is_looked_for_no_more(
    provider: Provider, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed keeps the settler awake, so it must come to an end."""
    monkeypatch.setattr("scim_operator.directory.settler._PAUSE", 0.01)
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:13]))
    provider.api.refuse["replace", PLURAL] = ApiError(403, "Forbidden", "a webhook says no")
    due: asyncio.Queue[GroupKey] = asyncio.Queue()
    due.put_nowait(("entra", team.id))
    running = asyncio.create_task(provider.settler.run(due))
    async with asyncio.timeout(5):
        while not provider.settler._failed:
            await asyncio.sleep(0.01)
        await provider.delete(team)
        provider.clock += 300
        while provider.settler._failed:
            await asyncio.sleep(0.01)
    running.cancel()


# --- sweeping ----------------------------------------------------------------------------------------------


async def test_a_delete_that_is_refused_keeps_no_other(small: None) -> None:
    api = Refusing()
    provider = Provider(api)
    team = await provider.group("team", *people(provider, 8))
    await provider.delete(team)
    await provider.settler.sweep()
    provider.clock += 3_600
    api.bad = api.all(SHARDS)[0]["metadata"]["name"]
    with pytest.raises(ApiError, match="a webhook says no"):
        await provider.settler.sweep()
    assert provider.names(PLURAL) == [api.bad]


async def test_who_sends_again_gets_the_same_set(provider: Provider, small: None) -> None:
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:4])
    provider.api.refuse["replace", "scimgroups"] = NO
    for _ in range(50):
        with pytest.raises(UnavailableError):
            await provider.patch(team, add(*ids[4:40]))
        await provider.settler.sweep()
    made = shards(provider)
    provider.api.refuse.clear()
    grown = await provider.patch(team, add(*ids[4:40]))
    assert grown.large is not None
    assert shards(provider) == made == grown.large.count
    assert set(now(await provider.restarted(), team).members) == {*ids}


async def test_sets_of_which_nothing_came_go_after_five_minutes(provider: Provider, small: None) -> None:
    """Those of a group that never came to be, too; the set that came to something stays."""
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    kept = shards(provider)
    provider.api.refuse["replace", "scimgroups"] = provider.api.refuse["create", "scimgroups"] = NO
    for more in range(10, 15):
        with pytest.raises(UnavailableError):
            await provider.patch(team, add(*ids[8 : 8 + more]))
        with pytest.raises(UnavailableError):
            await provider.group("other", *ids)
    assert shards(provider) > 100
    provider.api.refuse.clear()
    await provider.settler.sweep()
    provider.clock += 299
    await provider.settler.sweep()
    assert shards(provider) > 100
    provider.clock += 1
    await provider.settler.sweep()
    assert shards(provider) == kept
    assert now(await provider.restarted(), team).is_whole
    assert not provider.store.writer.failed or shards(provider) == kept


async def test_a_set_isnt_swept_while_it_is_taken(provider: Provider, small: None) -> None:
    """The client sends again just when the sweep comes to it."""
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:4])
    provider.api.refuse["replace", "scimgroups"] = NO
    with pytest.raises(UnavailableError):
        await provider.patch(team, add(*ids[4:40]))
    provider.api.refuse.clear()
    await provider.settler.sweep()
    provider.clock += 300
    again: list[asyncio.Task[Any]] = []

    async def meanwhile(verb: str, plural: str) -> None:
        if (verb, plural) == ("delete", PLURAL) and not again:
            again.append(asyncio.create_task(provider.patch(team, add(*ids[4:40]))))
            await asyncio.sleep(0.05)

    provider.api.before = meanwhile
    await provider.settler.sweep()
    await again[0]
    assert set(now(await provider.restarted(), team).members) == {*ids}


async def test_shards_of_a_former_set_go_though_the_operator_restarts(
    provider: Provider, small: None
) -> None:
    ids = people(provider, 40)
    team = await provider.group("team", *ids[:8])
    await provider.patch(team, add(*ids[8:]))
    await provider.patch(team, remove(ids[0]))
    for item in provider.api.all(SHARDS):
        item["metadata"]["creationTimestamp"] = "2026-01-01T00:00:01Z"
        provider.api.put(SHARDS, item)
    in_force = provider.stored(team)["spec"]["shards"]
    for moment, left in (("2026-01-01T01:00:01Z", False), ("2026-01-01T01:00:10Z", True)):
        again = await provider.restarted()
        again.today = moment
        await again.settler.sweep()
        generations = {item["spec"]["generation"] for item in provider.api.all(SHARDS)}
        assert (generations == {in_force["generation"]}) is left, moment
    assert shards(provider) == in_force["count"]
