"""Two operators at once: one has taken over, and the other one hasn't noticed yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from scim_operator.directory.records import Record
from scim_operator.directory.shards import SHARDS
from scim_operator.directory.unavailable import UnavailableError
from scim_operator.kube.errors import ApiError
from tests.directory.large import now, people
from tests.directory.provider import Provider, add, remove

PLURAL = SHARDS.plural


class Pair:
    """The one that leads no more, the one that took over, 40 people's ids, and a group of the first eight."""

    def __init__(self, old: Provider, new: Provider, ids: list[str], team: Record) -> None:
        self.old, self.new, self.ids, self.team = old, new, ids, team

    @classmethod
    async def made(cls) -> Pair:
        old = Provider()
        ids = people(old, 40)
        team = await old.group("team", *ids[:8])
        new = await old.restarted()
        people(new, 40)
        return cls(old, new, ids, team)

    def grow(self) -> Awaitable[Record]:
        """The new one makes a new set."""
        return self.new.patch(now(self.new, self.team), add(*self.ids[8:30]))

    async def members(self) -> set[str]:
        """As a third one finds them."""
        return set(now(await self.new.restarted(), self.team).members)


@pytest.fixture
async def pair(small: None) -> Pair:
    return await Pair.made()


def once(
    verb: str, plural: str, act: Callable[[], Awaitable[object]]
) -> Callable[[str, str], Awaitable[None]]:
    """Ahead of the first such call."""
    done: list[bool] = []

    async def before(its_verb: str, its_plural: str) -> None:
        if (its_verb, its_plural) == (verb, plural) and not done:
            done.append(True)
            await act()

    return before


async def test_a_shard_of_a_former_set_is_no_answer(pair: Pair) -> None:
    await pair.grow()
    with pytest.raises(UnavailableError):  # it knows none of the new shards yet
        await pair.old.patch(pair.team, remove(pair.ids[0]))
    pair.old.events()
    await pair.old.patch(pair.team, remove(pair.ids[0]))
    assert await pair.members() == {*pair.ids[1:30]}


async def test_what_came_to_the_former_set_before_the_new_one_was_in_force(pair: Pair) -> None:
    async def late() -> None:
        await pair.old.patch(pair.team, remove(pair.ids[0]))
        await pair.old.patch(pair.team, add(pair.ids[35]))

    pair.new.api.before = once("replace", "scimgroups", late)
    grown = await pair.grow()
    assert set(grown.members) == {*pair.ids[1:30], pair.ids[35]}
    assert await pair.members() == {*pair.ids[1:30], pair.ids[35]}
    assert grown.meta.version > 2


async def test_the_same_when_the_members_move_into_the_group(pair: Pair) -> None:
    pair.new.api.before = once("replace", "scimgroups", lambda: pair.old.patch(pair.team, add(pair.ids[35])))
    await pair.new.put(pair.team, displayName="team", members=[{"value": pair.ids[1]}])
    assert await pair.members() == {pair.ids[1], pair.ids[35]}


async def test_the_former_set_cannot_be_read_at_once(pair: Pair) -> None:
    """The client is told to send again, and then it is read."""

    async def late() -> None:
        await pair.old.patch(pair.team, remove(pair.ids[0]))
        pair.new.api.refuse["get", PLURAL] = ApiError(503, "ServiceUnavailable", "no")

    pair.new.api.before = once("replace", "scimgroups", late)
    with pytest.raises(UnavailableError):
        await pair.grow()
    pair.new.api.refuse.clear()
    await pair.grow()
    assert await pair.members() == {*pair.ids[1:30]}


async def test_what_was_to_be_brought_is_over_when_it_leads_again(pair: Pair) -> None:
    """A third one has led meanwhile, and answered that somebody is in."""

    async def late() -> None:
        await pair.old.patch(pair.team, remove(pair.ids[0]))
        pair.new.api.refuse["get", PLURAL] = ApiError(503, "ServiceUnavailable", "no")

    pair.new.api.before = once("replace", "scimgroups", late)
    with pytest.raises(UnavailableError):
        await pair.grow()
    pair.new.api.refuse.clear()
    third = await pair.new.restarted()
    people(third, 40)
    await third.patch(now(third, pair.team), add(pair.ids[0]))
    pair.new.store.writer.begin_anew()
    await pair.new.patch(now(pair.new, pair.team), add(pair.ids[31]))
    assert await pair.members() == {*pair.ids[:30], pair.ids[31]}


async def test_a_shard_while_the_other_one_has_an_intent(pair: Pair) -> None:
    """It is answered by an intent as well, in their order."""
    await pair.new.patch(now(pair.new, pair.team), add(*pair.ids[8:11]), remove(pair.ids[1]))
    await pair.old.patch(pair.team, remove(pair.ids[0]))
    assert pair.new.stored(pair.team)["spec"]["pending"]
    await pair.old.settler.settle(("entra", pair.team.id))
    assert await pair.members() == {*pair.ids[2:11]}


async def test_the_group_cannot_be_read_after_its_shard(pair: Pair) -> None:
    """Nobody knows whether it counts: 503, and the next one doesn't take it for done."""
    await pair.grow()
    pair.old.api.refuse["get", "scimgroups"] = ApiError(503, "ServiceUnavailable", "no")
    with pytest.raises(UnavailableError):
        await pair.old.patch(pair.team, remove(pair.ids[0]))
    pair.old.api.refuse.clear()
    with pytest.raises(UnavailableError):
        await pair.old.patch(pair.team, remove(pair.ids[0]))
    assert pair.ids[0] in await pair.members(), "not answered, not done"


async def test_an_intent_that_the_other_one_has_brought(pair: Pair) -> None:
    """It isn't brought again, over what came later."""
    await pair.old.patch(pair.team, add(*pair.ids[8:11]))
    pair.new.events()

    async def meanwhile() -> None:
        await pair.new.settler.settle(("entra", pair.team.id))
        await pair.new.patch(now(pair.new, pair.team), remove(pair.ids[8]))

    pair.old.api.before = once("replace", PLURAL, meanwhile)
    await pair.old.settler.settle(("entra", pair.team.id))
    assert await pair.members() == {*pair.ids[:8], *pair.ids[9:11]}
