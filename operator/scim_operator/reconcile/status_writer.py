"""Writes statuses at low priority: a thousand people joining a group must not delay one binding.

Three lanes, one write at a time each: neither people nor groups, who may be many, delay what an admin looks
at first (directories with their URL, policies).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.metrics import SKIPPED
from scim_operator.reconcile.events import Recorder, news
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.serving import failed_by
from scim_operator.reconcile.statuses import Statuses, Subject

log = logging.getLogger(__name__)

# Changes come in bursts (a cycle of a provider, a rollout of a policy): one status for each burst.
_COALESCE_SECONDS = 0.3
_LONGEST_WAIT_FOR_BINDINGS = 2.0
# Every status written comes back as an event: 10,000 at full speed would keep a whole core from the leavers.
_PAUSE_BETWEEN_PEOPLE = 0.02
# Whose status has waited this long hardly waits for either: bindings that always come must not hide people.
_LATE_SECONDS, _WAIT_OF_THE_LATE = 10.0, 0.1
# While the API server is away, or another replica leads, the next one would fare no better.
_PAUSE_WHILE_AWAY = 1.0

_LANES = {USERS: "user", GROUPS: "group"}

Lane = KeyedQueue[Subject]


class StatusWriter:
    """`busy`: the queues that statuses wait for, until they are empty or for a while."""

    def __init__(
        self,
        client: KubeClient,
        statuses: Statuses,
        recorder: Recorder,
        busy: Sequence[KeyedQueue[Any]],
        written: Callable[[Subject, dict[str, Any]], None],
    ) -> None:
        self._client = client
        self._statuses = statuses
        self._recorder = recorder
        self._busy = busy
        self._written = written
        self._lanes: dict[str, Lane] = {name: KeyedQueue() for name in ("user", "group", "other")}

    def mark(self, subjects: Iterable[Subject], seconds: float = _COALESCE_SECONDS) -> None:
        """These statuses may have changed."""
        marked: dict[str, list[Subject]] = {name: [] for name in self._lanes}
        for subject in subjects:
            marked[_LANES.get(subject.resource, "other")].append(subject)
        for name, together in marked.items():
            self._lanes[name].add_all_later(together, seconds)

    @property
    def queues(self) -> dict[str, KeyedQueue[Any]]:
        """What is to be written."""
        return {f"{name}_statuses": lane for name, lane in self._lanes.items()}

    async def run(self) -> None:
        """Write what was marked, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, lane in self._lanes.items():
                tasks.create_task(self._drive(lane, _PAUSE_BETWEEN_PEOPLE if name == "user" else 0.0))

    def close(self) -> None:
        """Drop what is still to be written: it is computed afresh at the next start."""
        for lane in self._lanes.values():
            lane.close()

    async def _drive(self, lane: Lane, pause: float) -> None:
        while True:
            late = lane.oldest_seconds > _LATE_SECONDS
            subject = await lane.get()
            await self._after_bindings(_WAIT_OF_THE_LATE if late else _LONGEST_WAIT_FOR_BINDINGS)
            try:
                if await self._write(subject) and not late:
                    await asyncio.sleep(pause)
                lane.done(subject)
            except ApiError as error:
                again = failed_by(lane, subject, error)
                told = {**self._statuses.identity(subject), "error": error.reason, "status": error.status}
                log.warning("a status couldn't be written", extra={**told, "again_in_seconds": again})
                if error.unavailable:
                    await asyncio.sleep(_PAUSE_WHILE_AWAY)
            except Exception:
                # One odd object must not end the writing of all others.
                lane.failed(subject)
                log.exception("a status failed", extra=self._statuses.identity(subject))

    async def _after_bindings(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                for queue in self._busy:
                    await queue.idle()
        except TimeoutError:
            return  # bindings that never end must not hide what is going on

    async def _write(self, subject: Subject) -> bool:
        """False when there was nothing to write."""
        wanted = self._statuses.wanted(subject)
        if wanted is None:
            SKIPPED.labels(f"{subject.resource.plural}/status").inc()
            return False
        # A merge patch removes what it names as null.
        stale = {key: None for key in wanted.known if key not in wanted.status}
        try:
            written = await self._client.merge_patch(
                subject.resource, wanted.name, {"status": wanted.status | stale}, subresource="status"
            )
        except ApiError as error:
            if error.not_found:
                return False
            raise
        self._written(subject, written)
        if subject.resource != USERS:  # they are many, and personal data
            for told in news(wanted.known, wanted.status):
                await self._recorder.tell(subject.resource.kind, written["metadata"], told)
        return True
