"""Looks at the Lease, contends for it when told to, renews it while it is ours, gives it back at the end.

In a thread and over a connection of its own: renewing must not wait behind other calls, nor behind 20,000
events at once, nor be stopped by what stops the writes of a replica that leads no longer. But a process whose
working loop doesn't turn any more must not lead for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from math import inf

from scim_operator.kube.aside import aside
from scim_operator.kube.client import KubeClient, Object
from scim_operator.kube.errors import ApiError
from scim_operator.kube.lease import (
    DURATION,
    LEASES,
    RENEW_DEADLINE,
    RETRY,
    Candidate,
    Record,
    Step,
    record_of,
)
from scim_operator.kube.metrics import LEADER, TERMS

log = logging.getLogger(__name__)

# Long enough for a busy API server, short enough to try twice before the deadline.
_ATTEMPT_SECONDS = 2.0
# After a failure, and while the next leader is awaited by those who must hear of it.
_SOON = 0.2
# How often the working loop says that it turns, and for how long its silence is work, not its end.
_BEAT_SECONDS, _SILENCE_SECONDS = 1.0, 20.0


class Election:
    """One replica's part in it. `client`: not begun yet, for the Lease alone; `monotonic`: a clock in
    seconds; `now`: RFC 3339 with microseconds; `rewound`: told what shows that etcd was restored.

    Asked by the working loop, which sees in `_shown` what the thread has learned: a copy that never changes.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], str],
        rewound: Callable[[dict[str, object]], None],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._monotonic = monotonic
        self._now = now
        self._rewound = rewound
        self._candidate = Candidate(identity)
        self._shown = copy(self._candidate)
        self._reached_at = -inf
        self._beaten_at = monotonic()
        self._contends = self._resigned = self._failing = self._silent = False
        self._told = ""
        self._news = asyncio.Event()
        self._wake = asyncio.Event()
        # The working loop, which waits for news, and the thread's, which can be woken.
        self._working: asyncio.AbstractEventLoop | None = None
        self._renewing: asyncio.AbstractEventLoop | None = None

    @property
    def term(self) -> int | None:
        """The number of the term in which this replica leads at this moment; None: it doesn't."""
        return None if self._resigned else self._shown.leads(self._monotonic())

    def seconds_to_write(self) -> float:
        """How long a write that begins now may be under way; 0: this replica may write nothing."""
        return 0.0 if self._resigned else self._shown.left(self._monotonic())

    @property
    def leader(self) -> str:
        """Whose the Lease was when last seen, if not ours: `<pod>|<ip>`; empty: nobody's."""
        record = self._shown.record
        return record.holder if record and record.holder != self._shown.identity else ""

    @property
    def alone_since(self) -> float | None:
        """A time since when nobody but this replica can have led; None: somebody may."""
        return self._shown.alone_since

    @property
    def reachable(self) -> bool:
        """False while the API server doesn't answer: who leads can't be learned, nor can anybody begin to."""
        return not self._failing or self._monotonic() - self._reached_at < RENEW_DEADLINE

    async def news(self, seconds: float) -> None:
        """Wait until the Lease changes hands, no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def seen(self, seconds: float) -> None:
        """Wait until the Lease was looked at once, no longer than that."""
        if not self._told:
            await self.news(seconds)

    def contend(self) -> None:
        """Take the Lease from now on, whenever it is free."""
        self._contends = True
        self._hurry()

    async def won(self) -> int:
        """Wait until this replica leads. -> the number of its term."""
        while (term := self.term) is None:
            await self.news(RETRY)
        return term

    async def lost(self, term: int) -> None:
        """Wait until a term is over: somebody else leads, or may. A lapse isn't the end of it."""
        while self._shown.held == term:
            await self.news(RETRY)

    async def run(self) -> None:
        """Until cancelled."""
        self._working = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(aside(self._keep_up, "lease"))

    async def resign(self, seconds: float) -> None:
        """Lead no more, and give the Lease back at once; whoever leads next is still observed."""
        self._resigned = True
        self._hurry()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (record := self._shown.record) and record.holder == self._shown.identity:
                    await self.news(_SOON)

    def _hurry(self) -> None:
        if self._renewing:
            self._renewing.call_soon_threadsafe(self._wake.set)

    async def _beat(self) -> None:
        while True:
            self._beaten_at = self._monotonic()
            await asyncio.sleep(_BEAT_SECONDS)

    # --- in the thread -------------------------------------------------------------------------------------

    async def _keep_up(self) -> None:
        self._renewing = asyncio.get_running_loop()
        async with self._client:
            while True:
                self._wake.clear()
                failed = not await self._turn()
                self._tell()
                hurry = failed or (self._resigned and not self.leader)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SOON if hurry else RETRY):
                        await self._wake.wait()

    def _is_silent(self) -> bool:
        """Whether the working loop has come to its end, as far as anybody can tell."""
        silent = self._monotonic() - self._beaten_at > _SILENCE_SECONDS
        if silent and not self._silent:
            log.critical(
                "the operator has done nothing for %.0f s: another replica may lead; if /livez doesn't answer"
                " either, the kubelet starts this one again",
                _SILENCE_SECONDS,
                extra={"lease": self._name},
            )
        self._silent = silent
        return silent

    async def _turn(self) -> bool:
        """-> False when the API server didn't answer, or refused."""
        if self._is_silent():
            return True
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                await self._act()
        except (ApiError, TimeoutError) as error:
            if isinstance(error, ApiError) and not error.unavailable:
                self._reached_at = self._monotonic()
            if not self._failing:
                said = str(error) or "no answer in time"
                log.warning("the Lease can't be kept up", extra={"lease": self._name, "error": said})
            self._failing = True
            return False
        self._reached_at = self._monotonic()
        self._failing = False
        return True

    async def _act(self) -> None:
        # What a leader knows of it is what it wrote; a conflict tells when that isn't so any more.
        if self._candidate.held is None or self._resigned:
            await self._look()
        step = self._candidate.step(self._monotonic())
        if step is Step.WAIT or not (step is Step.RENEW if self._resigned else self._contends):
            return
        asked_at = self._monotonic()
        try:
            written = await self._write(step)
        except ApiError as error:
            if not (error.conflict or error.already_exists or error.not_found):
                raise
            await self._look()
            return
        self._candidate.wrote(record_of(written), asked_at, self._monotonic())
        self._shown = copy(self._candidate)

    async def _look(self) -> None:
        try:
            found = await self._client.get(LEASES, self._name, namespace=self._namespace)
            record: Record | None = record_of(found)
        except ApiError as error:
            if not error.not_found:
                raise
            record = None
        if record and self._candidate.is_rewound(record):
            self._on_working_loop(self._rewound, {"kind": LEASES.kind, "resource_version": record.version})
        self._candidate.saw(record, self._monotonic())
        self._shown = copy(self._candidate)

    async def _write(self, step: Step) -> Object:
        record = self._candidate.record
        taken, now = step is not Step.RENEW, self._now()
        spec: Object = {
            "holderIdentity": "" if self._resigned else self._candidate.identity,
            "leaseDurationSeconds": int(DURATION),
            "leaseTransitions": (record.transitions if record else 0) + taken,
            "renewTime": now,
        }
        if acquired := now if taken or record is None else record.acquired:
            spec["acquireTime"] = acquired
        metadata = dict(record.metadata) if record else {"name": self._name}
        body: Object = {"metadata": metadata, "spec": spec}
        if record is None:
            return await self._client.create(LEASES, body, namespace=self._namespace)
        return await self._client.replace(LEASES, body, namespace=self._namespace)

    def _tell(self) -> None:
        """Whoever waits for news looks; the log and the metrics say what changed."""
        term = self._candidate.held
        LEADER.set(self.term is not None)
        told = f"this replica, term {term}" if term else self.leader or "nobody"
        if told == self._told:
            return
        log.info("the Lease is held by %s", told, extra={"lease": self._name, "holder": told})
        if term:
            TERMS.inc()
        self._told = told
        self._on_working_loop(self._announce)

    def _on_working_loop(self, call: Callable[..., None], *arguments: object) -> None:
        if self._working:
            self._working.call_soon_threadsafe(call, *arguments)

    def _announce(self) -> None:
        self._news, news = asyncio.Event(), self._news
        news.set()
