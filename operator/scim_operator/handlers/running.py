"""kopf, embedded: our settings, our login, our start and end."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import kopf

from scim_operator.handlers.session import connection
from scim_operator.handlers.watch import Observe, register
from scim_operator.kube.credentials import Credentials
from scim_operator.kube.resources import Resource
from scim_operator.reconcile.resources import BINDINGS, CONTENTS, OURS

# Only peering would show it. kopf doesn't export its type, a str.
_IDENTITY: Any = "scim-operator"

log = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]
# What a clean end takes at most: requests under way, the Lease, connections.
_CLEAN_SECONDS = 30.0
# What kopf's own end takes at most after that: it waits for its tasks for 5 s, then cancels them.
_LAST_SECONDS = 15.0


class NoDiffBase(kopf.DiffBaseStorage):
    """kopf deep-copies every object of every event for a diff that only its other handlers use."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Nothing to compare."""
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is stored."""


class EverySecond(Iterable[float]):
    """Seconds between two tries to reach the API server, without end.

    kopf's own go up to 21 s: a leaver would wait that long after an outage.
    """

    def __iter__(self) -> Iterator[float]:
        return itertools.repeat(1.0)


def settings(template_kinds: Sequence[Resource] = ()) -> kopf.OperatorSettings:
    """Watch only: no posting, no peering, no scanning, nothing written to objects."""
    made = kopf.OperatorSettings()
    made.persistence.diffbase_storage = NoDiffBase()
    made.posting.enabled = False
    made.scanning.disabled = True
    made.watching.connect_timeout = 10
    made.watching.server_timeout = 290
    made.watching.chunk_size = 500
    made.networking.request_timeout = 30
    made.networking.error_backoffs = EverySecond()
    # Each object's worker waits so long for its next event, with all that it holds: at a start all at once.
    made.queueing.idle_timeout = 0.05
    made.queueing.exit_timeout = 0.5
    for item in (*BINDINGS, *CONTENTS, *template_kinds):
        made.watching.label_selectors[item.group, item.version, item.plural] = OURS
    return made


async def run(
    *,
    stop: asyncio.Event,
    on_start: Hook,
    on_stop: Hook,
    login: Credentials,
    observe: Observe,
    template_kinds: Sequence[Resource] = (),
) -> None:
    """Watch until `stop` is set or a signal comes.

    The server starts in `on_start` and is drained in `on_stop`, inside kopf's life: at its end kopf cancels
    every task of the loop that wasn't there before it began.
    """
    registry = kopf.OperatorRegistry()
    register(registry, observe, template_kinds)
    last_resort = LastResort(_give_up)

    # Permanent: a port that is taken should end the process now, not be tried again in a minute.
    @kopf.on.startup(registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def start(**_: Any) -> None:
        last_resort.after_failure(_CLEAN_SECONDS)
        await on_start()

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: Any) -> None:
        stop.set()  # kopf still waits for it after a signal, and would go on to for 5 s
        await on_stop()
        last_resort.after(_LAST_SECONDS)

    @kopf.on.login(registry=registry)
    async def connect(**_: Any) -> kopf.AiohttpSession:
        return connection(login)

    try:
        await kopf.operator(
            registry=registry,
            settings=settings(template_kinds),
            # kopf would ask for the name of the process's user, and a container's has none.
            identity=_IDENTITY,
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
        )
    finally:
        last_resort.cancel()


class LastResort:
    """Calls `end` when kopf hasn't come to its own in time.

    Its watches go on when they are cancelled while they wait for a connection, as they all do once it has
    closed them: then they wait for a login that has ended, and kopf waits for them, for ever.
    """

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def after_failure(self, seconds: float) -> None:
        """So long after one of the tasks that are there now has failed, kopf's among them."""

        def done(task: asyncio.Task[Any]) -> None:
            failed = not task.cancelled() and task.exception() is not None
            if failed and not (self._timer or self._over):
                self.after(seconds)

        for task in asyncio.all_tasks():
            task.add_done_callback(done)

    def after(self, seconds: float) -> None:
        """So long from now, whatever was said before."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def cancel(self) -> None:
        """It has come to its end."""
        self._over = True
        if self._timer:
            self._timer.cancel()


def _give_up() -> None:
    log.critical("the watches don't come to an end; ending the process, to be started again")
    os._exit(1)
