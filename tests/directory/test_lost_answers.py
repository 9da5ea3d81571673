"""Writes of large groups whose answer was lost, though they counted; and what vanished and comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from scim_operator.directory.records import GROUPS, Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from tests.directory.api_server import ApiServer
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove

PLURAL = SHARDS.plural
CUT = ApiError(0, "Unreachable", "ServerDisconnectedError")
UNKNOWN_FIELD = ApiError(400, "BadRequest", 'strict decoding error: unknown field "spec.shards"')


class CutApiServer(ApiServer):
    """While `cut`, it goes away after the next replace of a group: that counts, nobody hears."""

    cut = False

    async def replace(self, resource: Any, body: Any, **more: Any) -> Any:
        done = await super().replace(resource, body, **more)
        if self.cut and resource == GROUPS:
            self.cut, self.away = False, True
            raise CUT
        return done


@contextlib.contextmanager
def lost(api: CutApiServer, error: type[Exception]) -> Iterator[None]:
    """The answer to a write of a group is, and the API server is away until the end of the block."""
    api.cut = True
    with pytest.raises(error):
        yield
    api.away = False


async def team_of(count: int) -> tuple[CutApiServer, Provider, list[str], Record]:
    """The API server, the provider, 40 people's ids, and a group of the first of them."""
    api = CutApiServer()
    provider = Provider(api)
    ids = people(provider, 40)
    return api, provider, ids, await provider.group("team", *ids[:count])


class OldCrd(ApiServer):
    """The CRD of scimgroups is an older release's: it knows no shards."""

    async def create(self, resource: Any, body: Any, *, strict: bool = False, **more: Any) -> Any:
        return await super().create(resource, self._pruned(resource, body, strict), **more)

    async def replace(self, resource: Any, body: Any, *, strict: bool = False, **more: Any) -> Any:
        return await super().replace(resource, self._pruned(resource, body, strict), **more)

    def _pruned(self, resource: Any, body: Any, strict: bool) -> Any:
        unknown = body["spec"].keys() & {"shards", "pending"} if resource == GROUPS else set()
        if unknown and strict:
            raise UNKNOWN_FIELD
        return {**body, "spec": {name: value for name, value in body["spec"].items() if name not in unknown}}


async def test_older_crd_empties_no_group(small: None) -> None:
    provider = Provider(OldCrd())
    ids = people(provider, 12)
    team = await provider.group("team", *ids[:4])
    with pytest.raises(UnavailableError, match="scim-operator crds apply"):
        await provider.patch(team, add(*ids[4:8]))
    assert set(now(provider, team).members) == set(ids[:4])
    with pytest.raises(UnavailableError, match="scim-operator crds apply"):
        await provider.group("others", *ids)
    await provider.patch(team, remove(ids[0]))
    assert set(now(provider, team).members) == set(ids[1:4])


async def test_small_change_after_a_new_set_whose_answer_was_lost(small: None) -> None:
    api, provider, ids, team = await team_of(8)
    with lost(api, UnavailableError):
        await provider.patch(team, add(*ids[8:30]))  # a new generation
    await provider.patch(team, remove(ids[0]))  # answered 2xx, before the watch told of the flip
    assert ids[0] not in now(provider, team).members
    provider.events()
    assert ids[0] not in now(provider, team).members, "answered 200, and they are a member again"


async def test_small_change_after_moving_into_the_group_whose_answer_was_lost(small: None) -> None:
    api, provider, ids, team = await team_of(8)
    with lost(api, UnavailableError):
        await provider.put(team, displayName="team", members=[{"value": i} for i in ids[:2]])
    await provider.patch(team, add(ids[9]))
    provider.events()
    assert ids[9] in now(provider, team).members


async def test_opposite_changes_after_an_intent_whose_answer_was_lost(small: None) -> None:
    api, provider, ids, team = await team_of(8)
    with lost(api, UnavailableError):
        await provider.patch(team, add(*ids[8:11]))  # an intent
    await provider.patch(team, add(ids[8]))
    await provider.patch(team, remove(ids[8]))
    provider.events()
    assert ids[8] not in now(provider, team).members, "an older intent over a later change"


async def test_nothing_is_without_effect_while_nobody_knows(small: None) -> None:
    """The same for groups of any size and for users: 'no effect, no write' on what may be stale."""
    api, provider, ids, team = await team_of(2)
    with lost(api, UnavailableError):
        await provider.patch(team, remove(ids[0]))
    await provider.patch(team, add(ids[0]))
    provider.events()
    assert ids[0] in now(provider, team).members


async def test_settling_again_undoes_no_later_change(small: None) -> None:
    api, provider, ids, team = await team_of(8)
    await provider.patch(team, add(*ids[8:11]))
    with lost(api, ApiError):
        await provider.settler.settle(("entra", team.id))  # all brought; 'done' written, not heard
    done: list[Any] = []

    async def meanwhile(verb: str, plural: str) -> None:
        if (verb, plural) == ("replace", PLURAL) and not done:
            done.append(1)
            provider.events()  # the watch catches up while the settler tries again
            await provider.patch(team, remove(ids[8]))  # one shard, answered 200

    api.before = meanwhile
    await provider.settler.settle(("entra", team.id))
    api.before = None
    assert done
    assert ids[8] not in now(provider, team).members, "settled intent applied over a later removal"


async def test_shards_of_groups_that_vanished_wait_for_their_restoring(small: None) -> None:
    """kubectl delete crd scimgroups (the operator freezes, and says: restore its objects)."""
    provider = Provider()
    ids = people(provider, 10)
    team = await provider.group("team", *ids)
    gone = provider.api.drop(GROUPS, team.name)
    provider.index.evict("Group", team.name, team.uid)
    await provider.settler.sweep()
    provider.clock += 3_600
    await provider.settler.sweep()
    provider.api.put(GROUPS, {**gone, "metadata": {"name": team.name}})
    provider.events()
    assert now(provider, team).is_whole, "swept while the ScimGroups were away"
