"""Who answers: this replica, another, or nobody yet; and what becomes of what was begun elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from scim_operator.directory.unavailable import UnavailableError
from scim_operator.scim.errors import ScimError
from scim_operator.web import relay
from scim_operator.web.relay import HOLD_SECONDS, NotAnsweredError, Relay

# Whose client waits.
REQUEST = cast(web.Request, SimpleNamespace(transport=SimpleNamespace(is_closing=lambda: False)))


class Scene:
    """A replica whose clock runs only while it waits. `moments`: after so many waits, what changes."""

    def __init__(self, *, term: int | None = None, leader: str = "", hopeful: bool = True) -> None:
        self.term, self.leader, self.hopeful = term, leader, hopeful
        self.now = 0.0
        self.moments: dict[int, Callable[[], None]] = {}
        self.waits = 0
        # When a list of everybody began that is in.
        self.listed_at, self.asked_for = 0.0, list[float]()
        self.here: list[bool] = []
        self.there: list[tuple[str, bool]] = []
        self.answers: dict[str, Exception | web.Response] = {}
        self.during: Callable[[], None] = lambda: None
        self.relay = Relay(self, lambda: self.now, self.forward)

    async def news(self, seconds: float) -> None:
        self.waits += 1
        self.now += seconds
        self.moments.get(self.waits, lambda: None)()
        await asyncio.sleep(0)

    def knows(self, moment: float) -> bool:
        self.asked_for.append(moment)
        return self.listed_at >= moment

    async def forward(self, address: str, request: web.Request, begun: bool) -> web.Response:
        self.there.append((address, begun))
        found = self.answers[address]
        if isinstance(found, Exception):
            raise found
        return found

    async def local(self, repeated: bool) -> web.Response:
        self.here.append(repeated)
        self.during()
        return web.Response(text="here")

    def become(self, **state: Any) -> Callable[[], None]:
        return lambda: self.__dict__.update(state)

    def ask(self, *, reads: bool = False) -> Awaitable[web.Response]:
        return self.relay.answer(REQUEST, self.local, partial(self.local, False) if reads else None)


async def test_a_leader_answers_itself() -> None:
    scene = Scene(term=1)
    assert (await scene.ask()).text == "here"
    assert (scene.here, scene.there) == ([False], [])


async def test_a_standby_asks_the_leader() -> None:
    scene = Scene(leader="a")
    scene.answers["a"] = web.Response(text="there")
    assert (await scene.ask()).text == "there"
    assert scene.here == []


@pytest.mark.parametrize("begun", [False, True])
async def test_what_a_dead_leader_left_goes_to_the_next(begun: bool) -> None:
    scene = Scene(leader="a")
    scene.answers |= {"a": NotAnsweredError(begun=begun), "b": web.Response(text="next")}
    scene.moments[3] = scene.become(leader="b")
    assert (await scene.ask()).text == "next"
    assert scene.there[-1] == ("b", begun), "told that it may have been carried out"


async def test_or_is_carried_out_here_when_this_one_is_next() -> None:
    scene = Scene(leader="a")
    scene.answers["a"] = NotAnsweredError(begun=True)
    scene.moments[2] = scene.become(term=1, leader="")
    assert (await scene.ask()).text == "here"
    assert scene.here == [True]


async def test_a_leader_that_vanished_without_a_word_isnt_waited_for() -> None:
    scene = Scene(leader="a")

    async def hang(address: str, request: web.Request, begun: bool) -> web.Response:
        scene.there.append((address, begun))
        if address == "a":
            asyncio.get_running_loop().call_later(0.05, scene.become(leader="b"))
            await asyncio.Event().wait()
        return web.Response(text=address)

    scene.relay = Relay(scene, lambda: scene.now, hang)
    assert (await scene.ask()).text == "b"
    assert scene.there == [("a", False), ("b", True)]


async def test_what_was_carried_out_after_the_end_of_a_term_is_no_answer() -> None:
    """Past its deadline a leader answers nothing: somebody else may have changed it all."""
    scene = Scene(term=1)
    scene.during = scene.become(term=None, leader="b")
    scene.answers["b"] = web.Response(text="next")
    assert (await scene.ask()).text == "next"
    assert scene.there == [("b", True)]


async def test_a_refusal_after_the_end_of_a_term_is_none_either() -> None:
    scene = Scene(term=1)

    def refuse() -> None:
        scene.become(term=None, leader="b")()
        raise ScimError(409, "taken")

    scene.during = refuse
    scene.answers["b"] = web.Response(text="next")
    assert (await scene.ask()).text == "next"


async def test_a_refusal_of_a_leader_is_one() -> None:
    scene = Scene(term=1)

    def refuse() -> None:
        raise ScimError(409, "taken")

    scene.during = refuse
    with pytest.raises(ScimError):
        await scene.ask()


async def test_one_that_does_not_answer_is_not_asked_all_the_time() -> None:
    scene = Scene(leader="a")
    scene.answers["a"] = NotAnsweredError(begun=False)
    with pytest.raises(UnavailableError):
        await scene.ask()
    assert HOLD_SECONDS <= scene.now < HOLD_SECONDS + 1
    assert 5 <= len(scene.there) <= 15


async def test_one_that_says_it_is_alive_is_waited_for() -> None:
    """It answers what is under way before it gives the Lease back."""
    scene = Scene(leader="a")
    scene.answers |= {"a": NotAnsweredError(begun=False, alive=True), "b": web.Response(text="next")}
    scene.moments[15] = scene.become(leader="")
    scene.moments[60] = scene.become(leader="b")
    assert (await scene.ask()).text == "next"
    assert scene.now > HOLD_SECONDS
    assert scene.there[-1] == ("b", False)


async def test_it_waits_so_long_for_a_leader_and_no_longer() -> None:
    scene = Scene()
    with pytest.raises(UnavailableError) as caught:
        await scene.ask()
    assert caught.value.retry_after > 0
    assert HOLD_SECONDS <= scene.now < HOLD_SECONDS + 1
    assert scene.here == []


async def test_without_a_leader_reads_go_on_from_memory() -> None:
    scene = Scene()
    assert (await scene.ask(reads=True)).text == "here"
    assert scene.now >= HOLD_SECONDS, "one may come"
    assert scene.asked_for == [0.0]


async def test_what_was_listed_before_it_came_is_no_answer() -> None:
    """Another one may have written since, and of that watches may not have told."""
    scene = Scene()
    scene.listed_at = -0.1
    with pytest.raises(UnavailableError, match="may be old; ask again"):
        await scene.ask(reads=True)
    assert scene.here == []
    assert HOLD_SECONDS + 7 <= scene.now < 20, "an identity provider may wait no longer"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"listed_at": 0.1}, "here"),
        ({"term": 1}, "here"),
        ({"leader": "a"}, "there"),
        ({"hopeful": False}, "here"),
    ],
)
async def test_it_waits_for_a_list_and_for_a_leader(change: dict[str, Any], text: str) -> None:
    scene = Scene()
    scene.listed_at = -0.1
    scene.answers["a"] = web.Response(text="there")
    scene.moments[60] = scene.become(**change)
    assert (await scene.ask(reads=True)).text == text
    assert HOLD_SECONDS < scene.now < HOLD_SECONDS + 4


async def test_whoever_ends_waits_for_no_list() -> None:
    scene = Scene()
    scene.listed_at = -0.1
    await scene.relay.close()
    with pytest.raises(UnavailableError):
        await scene.ask(reads=True)
    assert scene.now < 6


@pytest.mark.parametrize("reads", [False, True])
async def test_nobody_waits_while_the_api_server_is_away(reads: bool) -> None:
    scene = Scene(hopeful=False)
    scene.listed_at = -0.1
    if reads:
        assert (await scene.ask(reads=True)).text == "here"
    else:
        with pytest.raises(UnavailableError):
            await scene.ask()
    assert scene.now == 0.0


async def test_what_was_passed_on_goes_no_further() -> None:
    scene = Scene(leader="a")
    with pytest.raises(NotAnsweredError) as caught:
        await scene.relay.answer_hop(REQUEST, scene.local, begun=False)
    assert not caught.value.begun
    assert (scene.here, scene.there) == ([], [])


async def test_who_begins_to_lead_is_ready_soon() -> None:
    """It has the Lease and reads what the last leader wrote."""
    scene = Scene()
    scene.moments[2] = scene.become(term=2)
    assert (await scene.relay.answer_hop(REQUEST, scene.local, begun=True)).text == "here"
    assert scene.here == [True]


async def test_who_led_last_remembers_for_others_while_the_api_server_is_away() -> None:
    scene = Scene(hopeful=False)
    remembered = partial(scene.local, False)
    assert (await scene.relay.answer_hop(REQUEST, scene.local, remembered, begun=False)).text == "here"
    with pytest.raises(NotAnsweredError):
        await scene.relay.answer_hop(REQUEST, scene.local, begun=False)
    scene.leader = "b"
    with pytest.raises(NotAnsweredError):
        await scene.relay.answer_hop(REQUEST, scene.local, remembered, begun=False)
    assert scene.now == 0.0


async def test_whoever_ends_answers_what_is_under_way_and_passes_on_the_rest() -> None:
    scene, answered = Scene(term=1), asyncio.Event()

    async def slow(repeated: bool) -> web.Response:
        await answered.wait()
        return web.Response(text="in time")

    under_way = asyncio.create_task(scene.relay.answer(REQUEST, slow))
    await asyncio.sleep(0)
    closing = asyncio.create_task(scene.relay.close())
    await asyncio.sleep(0)
    scene.answers["b"] = web.Response(text="next")
    scene.moments[1] = scene.become(term=None, leader="b")
    assert (await scene.ask()).text == "next"
    assert not closing.done()
    scene.term = 1  # the Lease is given back only afterwards
    answered.set()
    assert (await under_way).text == "in time"
    await closing


async def test_whoever_ends_lets_go_of_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others hold their requests meanwhile."""
    assert relay._FINISH_SECONDS + 3 < HOLD_SECONDS, "with giving back the Lease"
    monkeypatch.setattr(relay, "_FINISH_SECONDS", 0.05)
    scene, never = Scene(term=1), asyncio.Event()

    async def endless(repeated: bool) -> web.Response:
        await never.wait()
        return web.Response()

    under_way = asyncio.ensure_future(scene.relay.answer(REQUEST, endless))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await scene.relay.close()
    assert not under_way.done()
    scene.answers["b"] = web.Response(text="next")
    scene.become(term=None, leader="b")()
    never.set()
    assert (await under_way).text == "next"
    assert scene.there == [("b", True)]
