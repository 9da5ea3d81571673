"""Writes statuses at low priority: a thousand people joining a group must not delay one binding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.reconcile.queue import KeyedQueue
from scim_operator.reconcile.statuses import Statuses, Subject

log = logging.getLogger(__name__)

# Changes come in bursts (a cycle of a provider, a rollout of a policy): one status for each burst.
_COALESCE_SECONDS = 0.3
_LONGEST_WAIT_FOR_BINDINGS = 2.0


class StatusWriter:
    """`busy` is the queue of places: statuses wait until it is empty, for a while."""

    def __init__(
        self,
        client: KubeClient,
        statuses: Statuses,
        busy: KeyedQueue[Any],
        written: Callable[[Subject, dict[str, Any]], None],
    ) -> None:
        self._client = client
        self._statuses = statuses
        self._busy = busy
        self._written = written
        self._queue: KeyedQueue[Subject] = KeyedQueue()

    def mark(self, subjects: Iterable[Subject], seconds: float = _COALESCE_SECONDS) -> None:
        """These statuses may have changed."""
        for subject in subjects:
            self._queue.add_later(subject, seconds)

    async def run(self) -> None:
        """Write what was marked, until cancelled."""
        while True:
            subject = await self._queue.get()
            try:
                async with asyncio.timeout(_LONGEST_WAIT_FOR_BINDINGS):
                    await self._busy.idle()
            except TimeoutError:
                pass
            try:
                await self._write(subject)
                self._queue.done(subject)
            except ApiError as error:
                pause = self._queue.failed(subject)
                log.warning(
                    "a status couldn't be written",
                    extra={"object": subject.name, "error": str(error), "again_in_seconds": pause},
                )

    def close(self) -> None:
        """Drop what is still to be written: it is computed afresh at the next start."""
        self._queue.close()

    async def _write(self, subject: Subject) -> None:
        wanted = self._statuses.wanted(subject)
        if wanted is None:
            return
        # A merge patch removes what it names as null.
        stale = {key: None for key in wanted.known if key not in wanted.status}
        try:
            written = await self._client.merge_patch(
                subject.resource, wanted.name, {"status": wanted.status | stale}, subresource="status"
            )
        except ApiError as error:
            if error.not_found:
                return
            raise
        self._written(subject, written)
