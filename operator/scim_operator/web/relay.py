"""Who answers a request: this replica while it leads, else the one that does, one hop away (rule 19).

A request is held while leadership moves. What was begun and not answered in time, by this replica or another,
is asked again of the next leader, under the same X-Request-Id, and said to be a repetition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from aiohttp import web

from scim_operator.directory.unavailable import UnavailableError

# How long a request waits for a leader, in seconds; less when this replica is about to end; with all tries.
HOLD_SECONDS, _LEAVING_SECONDS, _LONGEST = 10.0, 5.0, 60.0
# And then, if it only reads, for this one to list all that was written before it came. Some wait for 20 s.
_CATCH_UP_SECONDS = 8.0
# How often it looks whether there is one. News of the Lease come at once; that a leader is ready doesn't.
_LOOK_AGAIN = 0.2
# How often one that didn't answer twice is asked again: many requests may be held, and large ones.
_ASK_AGAIN = 1.0
# What is under way has so long to be answered before the Lease is given back: others hold theirs meanwhile.
# What takes longer is asked again of the next leader.
_FINISH_SECONDS = 4.0

_NOBODY_LEADS = "no replica of the operator leads at the moment, so nothing can be written; nothing was lost"
_MAY_BE_OLD = "no replica of the operator leads at the moment, and what this one knows may be old; ask again"
_AWAY = "the cluster's API server does not answer; nothing was lost"

# Answers here; True: it is a repetition of what may have been done already.
Local = Callable[[bool], Awaitable[web.Response]]
# Answers what only reads, from what this replica knows; another one may have written since, so of nobody it
# says that he isn't there.
Remembered = Callable[[], Awaitable[web.Response]]


class Leadership(Protocol):
    """Who leads, as far as this replica knows."""

    @property
    def term(self) -> int | None:
        """The number of this replica's term while it may answer; None: it may not."""

    @property
    def leader(self) -> str:
        """The IP of another replica that leads, or led last; empty: none is known."""

    @property
    def hopeful(self) -> bool:
        """Whether waiting for a leader is of use."""

    async def news(self, seconds: float) -> None:
        """Wait until that changes, no longer than so many seconds."""

    def knows(self, moment: float) -> bool:
        """Whether this replica knows all that was written before a moment; if not, it sees to it."""


class NotAnsweredError(Exception):
    """Another replica didn't answer. `begun`: it may have carried out what was asked; `alive`: it said so."""

    def __init__(self, *, begun: bool, alive: bool = False) -> None:
        super().__init__("begun" if begun else "not begun")
        self.begun = begun
        self.alive = alive


Forward = Callable[[str, web.Request, bool], Awaitable[web.Response]]


class Relay:
    """Finds an answer to a request. `forward` raises NotAnsweredError; `monotonic`: a clock in seconds."""

    def __init__(
        self, leadership: Leadership, monotonic: Callable[[], float], forward: Forward | None = None
    ) -> None:
        self._leadership = leadership
        self._monotonic = monotonic
        self._forward = forward
        self._closed = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def leads(self) -> bool:
        """Whether this replica answers itself, as it is now."""
        return not self._closed and self._leadership.term is not None

    async def answer(
        self, request: web.Request, local: Local, remembered: Remembered | None = None
    ) -> web.Response:
        """The answer of whoever leads. Raises what `local` raises, or UnavailableError.

        While nobody leads, `remembered` answers, if given: by a list of all that was written until the
        request came, while the API server gives one. Raises ConnectionResetError when the client has hung up
        meanwhile: what it was answered since must not be undone by what it gave up.
        """
        begun, silent = False, ""
        began = since = self._monotonic()
        while True:
            pause = _LOOK_AGAIN
            term = None if self._closed else self._leadership.term
            if term is not None:
                try:
                    return await self._locally(term, local, begun)
                except NotAnsweredError:
                    begun, since = True, self._monotonic()
            elif self._forward and (leader := self._leadership.leader):
                try:
                    return await self._pass_on(self._forward(leader, request, begun), leader, request)
                except NotAnsweredError as error:
                    begun |= error.begun
                    since = self._monotonic() if error.begun or error.alive else since  # there until now
                    if leader == silent == self._leadership.leader:
                        pause = _ASK_AGAIN
                    silent = leader
            if not self._leadership.hopeful:
                if remembered:
                    return await remembered()
                raise UnavailableError(_AWAY)
            if self._is_over(began, since):
                # Whoever is told what isn't so any more may leave undone what it was about to do: disable a
                # leaver.
                if remembered and self._leadership.knows(began):
                    return await remembered()
                if not remembered or self._is_over(began, since, more=_CATCH_UP_SECONDS):
                    raise UnavailableError(_MAY_BE_OLD if remembered else _NOBODY_LEADS)
            await self._leadership.news(pause)
            _heard(request)

    async def answer_hop(
        self, request: web.Request, local: Local, remembered: Remembered | None = None, *, begun: bool
    ) -> web.Response:
        """The answer to a request that another replica has passed on, which goes no further.

        While the API server is away, whoever led last still knows most: `remembered` answers, if given.

        Raises NotAnsweredError when this replica doesn't lead, ConnectionResetError as `answer` does, what
        `local` raises.
        """
        since = self._monotonic()
        while self._closed or (term := self._leadership.term) is None:
            waited = self._monotonic() - since
            if self._closed or self._leadership.leader or waited >= HOLD_SECONDS:
                raise NotAnsweredError(begun=False)
            if not self._leadership.hopeful:
                if remembered:
                    return await remembered()
                raise NotAnsweredError(begun=False)
            await self._leadership.news(_LOOK_AGAIN)  # it has the Lease, and reads what the last leader wrote
            _heard(request)
        return await self._locally(term, local, begun)

    async def close(self) -> None:
        """Answer nothing more here; wait for what is under way."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_SECONDS):
                await self._idle.wait()

    def _is_over(self, began: float, since: float, more: float = 0.0) -> bool:
        now = self._monotonic() - (0.0 if self._closed else more)
        return now - since >= (_LEAVING_SECONDS if self._closed else HOLD_SECONDS) or now - began >= _LONGEST

    async def _pass_on(
        self, work: Awaitable[web.Response], leader: str, request: web.Request
    ) -> web.Response:
        """Not waited for any longer than it leads: of a node that is gone nobody hears.

        Nor longer than the client waits, of which the leader hears by our hanging up.
        """
        asked = asyncio.ensure_future(work)
        try:
            while not asked.done():
                await asyncio.wait({asked}, timeout=_LOOK_AGAIN)
                if asked.done():
                    break
                _heard(request)
                if self._leadership.leader != leader:
                    raise NotAnsweredError(begun=True)
            return asked.result()
        finally:
            asked.cancel()

    async def _locally(self, term: int, local: Local, begun: bool) -> web.Response:
        """Raises NotAnsweredError when this replica's term was over before the answer was there."""
        self._under_way += 1
        self._idle.clear()
        try:
            answer = await local(begun)
        except Exception as error:
            if self._leadership.term != term:
                raise NotAnsweredError(begun=True) from error
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
        if self._leadership.term != term:
            raise NotAnsweredError(begun=True)
        return answer


def _heard(request: web.Request) -> None:
    """Raises ConnectionResetError when nobody waits for the answer any more."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError
