"""The composition root: the one file that knows all parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from prometheus_client import REGISTRY

from scim_operator import moments
from scim_operator.access.places import Settings
from scim_operator.collecting import set_aside
from scim_operator.directory.audit import Audit
from scim_operator.directory.directories import DIRECTORIES, Directories
from scim_operator.directory.index import Index
from scim_operator.directory.metrics import DirectoryMetrics
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.directory.shards import SHARDS, GroupKey
from scim_operator.directory.standby import Standby
from scim_operator.directory.store import Store
from scim_operator.directory.tokens import TOKEN_SELECTOR, Tokens
from scim_operator.handlers import running
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.election import Election
from scim_operator.kube.errors import ApiError
from scim_operator.kube.reflector import reflect
from scim_operator.kube.resources import SECRETS, Resource
from scim_operator.reconcile.queue import stuck
from scim_operator.term import Kept, Term
from scim_operator.web.connections import Patience
from scim_operator.web.forwarding import Forwarder, server_tls
from scim_operator.web.health import Checks, health_application
from scim_operator.web.lag import measure_lag
from scim_operator.web.metrics import metrics_application
from scim_operator.web.relay import Relay
from scim_operator.web.scim import ScimApi
from scim_operator.web.server import Listener, Server
from scim_operator.web.targets import PREFIX
from scim_operator.web.throttle import Rates, Throttle
from scim_operator.web.tls import for_providers

T = TypeVar("T")

log = logging.getLogger(__name__)

# For giving the Lease back; others wait for its end if that fails.
_RESIGN_SECONDS = 3.0
# How soon a restored cluster is noticed while nothing is written.
_LOOK_BACK_SECONDS = 10.0
_LOOK_AGAIN, _LOOK_SECONDS = 0.1, 1.0


@dataclass(frozen=True)
class Options:
    """What `scim-operator run` is told. `external_url` empty: not known. `internal_tls`: the folder with what
    replicas prove themselves by to each other; None: nothing is passed on, and `internal_port` isn't opened.
    `scim_tls`: the folder with the certificate that providers are shown; None: plain HTTP.
    """

    namespace: str
    pod_name: str
    pod_ip: str
    lease: str
    bind: str
    scim_port: int
    health_port: int
    metrics_port: int
    internal_port: int
    internal_tls: Path | None
    scim_tls: Path | None
    external_url: str
    protected_namespaces: frozenset[str]
    literal_namespaces: frozenset[str]
    namespace_deletion: bool
    template_kinds: tuple[Resource, ...]
    longest_grant: float
    rates: Rates
    connections: int

    @property
    def identity(self) -> str:
        """Who this replica is, and where others find it, as the Lease tells them."""
        return f"{self.pod_name}|{self.pod_ip}"

    @property
    def settings(self) -> Settings:
        """What planning depends on."""
        return Settings(
            self.protected_namespaces | {self.namespace},
            self.literal_namespaces,
            deletion=self.namespace_deletion,
            template_kinds=frozenset((item.api_version, item.kind) for item in self.template_kinds),
            longest_grant=self.longest_grant,
        )


class Operator:
    """All parts, wired. `lease`: a client for the Lease alone, which begins in the thread that renews it."""

    def __init__(self, client: KubeClient, lease: KubeClient, options: Options, audit: Audit) -> None:
        self._client = client
        self._options = options
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_flag = asyncio.Event()
        self._leaving = False
        self._term: Term | None = None
        self._election = Election(
            lease,
            options.namespace,
            options.lease,
            options.identity,
            monotonic=time.monotonic,
            now=moments.microseconds,
            rewound=client.history.ends,
        )
        client.seconds_to_write = self._election.seconds_to_write
        index, directories = Index(time.monotonic), Directories()
        self._tokens = Tokens(lambda: datetime.now(UTC))
        self._standby = Standby(client, index, directories, self._begin_afresh)
        intended: asyncio.Queue[GroupKey] = asyncio.Queue()
        store = Store(
            client,
            index,
            directories,
            now=moments.milliseconds,
            new_id=lambda: str(uuid4()),
            audit=audit,
            intended=intended.put_nowait,
        )
        self._kept = Kept(
            client=client,
            index=index,
            directories=directories,
            tokens=self._tokens,
            store=store,
            standby=self._standby,
            audit=audit,
            intended=intended,
            settings=options.settings,
            template_kinds=options.template_kinds,
            pod_name=options.pod_name,
            url=self._url,
            returned=self._begin_afresh,
            monotonic=time.monotonic,
            now=moments.seconds,
            now_micro=moments.microseconds,
        )
        folder = options.internal_tls
        self._forwarder = Forwarder(options.internal_port, folder) if folder else None
        self._relay = Relay(self, time.monotonic, self._forwarder.forward if self._forwarder else None)
        scim = ScimApi(
            store,
            directories,
            self._tokens,
            self._relay,
            external_url=options.external_url,
            now=moments.seconds,
            throttle=Throttle(options.rates, time.monotonic),
        )
        REGISTRY.register(DirectoryMetrics(index, directories, self._tokens))
        shown = for_providers(options.scim_tls) if options.scim_tls else None
        health = health_application(self._live(), self._ready(), self._role)
        listeners = [
            Listener("health", health, options.health_port),
            Listener("metrics", metrics_application(directories.names), options.metrics_port),
            Listener("scim", scim.application(), options.scim_port, shown),
        ]
        if folder:
            internal = scim.internal_application()
            listeners.append(Listener("internal", internal, options.internal_port, server_tls(folder)))
        self._server = Server(options.bind, listeners, Patience(connections=options.connections))

    # --- who leads, as the relay asks it -------------------------------------------------------------------

    @property
    def term(self) -> int | None:
        """The term in which this replica may answer now; None: it may not."""
        term = self._term
        return term.number if term and term.answers and self._election.term == term.number else None

    @property
    def leader(self) -> str:
        """The IP of another replica that holds the Lease, or held it last; empty: there is none."""
        return self._election.leader.rpartition("|")[2]

    @property
    def hopeful(self) -> bool:
        """Whether somebody may lead soon, so that waiting is of use."""
        return self._election.reachable

    async def news(self, seconds: float) -> None:
        """Wait until the Lease changes hands, no longer than that."""
        await self._election.news(seconds)

    def knows(self, moment: float) -> bool:
        """Whether all that was written before a moment is known; if not, it is asked for."""
        lists = self._kept.index.lists
        if not (known := lists.tell_since(moment)):
            lists.ask()
        return known

    # --- life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve and reconcile until a signal comes. Raises OSError when a port is taken."""
        self._server.open()
        await running.run(
            stop=self._stop_flag,
            on_start=self._start,
            on_stop=self._stop,
            login=self._client.credentials,
            observe=self._observe,
            template_kinds=self._options.template_kinds,
        )

    def _observe(self, resource: Resource, event: str | None, obj: Mapping[str, Any]) -> None:
        if resource in (USERS, GROUPS, SHARDS):
            self._kept.index.echoes.heard(obj, gone=event == "DELETED")
        (self._term or self._standby).observe(resource, event, obj)

    async def _start(self) -> None:
        await self._server.start()
        tokens = reflect(
            self._client,
            SECRETS,
            namespace=self._options.namespace,
            selector=TOKEN_SELECTOR,
            on_listed=self._tokens.replace,
            on_event=self._tokens.event,
        )
        collecting = set_aside(lambda: self._kept.index.population)
        parts = (tokens, measure_lag(), collecting, self._contend(), self._look_back(), self._take_part())
        self._tasks = [asyncio.create_task(part) for part in parts]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        # In place of kopf's, which would tell us only when its watches have ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave, number)

    async def _contend(self) -> None:
        """Not before this replica could answer: whoever leads is asked everything at once."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._election.run())
            while not (self._standby.listed and self._tokens.listed):
                await self._election.news(_LOOK_AGAIN)  # there may be none, but an end to the waiting
            self._election.contend()

    async def _take_part(self) -> None:
        """Stand by until this replica leads, lead until another does, and so on."""
        await self._election.seen(_LOOK_SECONDS)  # a list after that may be all that a leader must know
        while True:
            number = await _until(self._election.won(), self._standby.run())
            self._term = Term(number, self._kept, self._election.alone_since)
            try:
                await _until(self._election.lost(number), self._term.run())
                log.warning("another replica leads: this one stops reconciling, and passes on what is asked")
            finally:
                self._term = None

    def _leave(self, number: signal.Signals) -> None:
        log.info("stopping: requests under way are answered first", extra={"signal": number.name})
        self._leaving = True
        self._stop_flag.set()

    async def _stop(self) -> None:
        """Hand over: answer what is under way, let another replica lead, pass on what still comes, end."""
        self._leaving = True
        await self._relay.close()
        part = self._tasks[-1]
        # What was written is durable; the next leader reconciles it.
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)
        await self._election.resign(_RESIGN_SECONDS)
        await self._server.drain()
        if self._forwarder:
            await self._forwarder.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look_back(self) -> None:
        """Whoever restores etcd makes false what we know, and deaf the watches that wait for its newer state.
        A new process knows nothing: that is the reset of rule 20.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_BACK_SECONDS):
                    await self._client.history.over()
                self._stop_flag.set()
                await asyncio.Event().wait()  # until that has ended us
            with contextlib.suppress(ApiError):
                await self._client.list(DIRECTORIES, metadata_only=True)

    def _begin_afresh(self) -> None:
        """kopf watches the kinds that it found when it began; one that came later needs a new process."""
        log.warning("a kind is there that the watches don't know; stopping, to be started again")
        self._stop_flag.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """These tasks never end: if one does, a fresh start is safer than half an operator."""
        if not task.cancelled():
            log.critical("a part of the operator ended; stopping", exc_info=task.exception())
            self._stop_flag.set()

    def _role(self) -> str:
        """What this replica does, in a word; empty: it isn't known yet who leads."""
        if self._term:
            return "leader"
        return "standby" if self._election.leader else ""

    def _ready(self) -> Checks:
        """The API server being away isn't among them: reads go on from memory."""

        def listed() -> str | None:
            if self._term:
                missing = self._term.reconciler.missing
            else:
                missing = [] if self._standby.listed else ["scimusers", "scimgroups", "scimdirectories"]
            return f"waiting for the first list of {', '.join(missing)}" if missing else None

        def overdue() -> str | None:
            if not self._term:
                return None
            left = self._term.reconciler.overdue
            if left is None:
                return "waiting for the lists, to see who must be out first"
            return (
                f"taking out of {left} places whoever is locked, or had it until a time that has come"
                if left
                else None
            )

        return {
            "lease": _once(lambda: None if self._role() else "waiting to learn which replica leads"),
            "inputs": _once(listed),
            "overdue": _once(lambda: overdue() if self._role() else "waiting to learn which replica leads"),
            "tokens": lambda: None if self._tokens.listed else "waiting for the first list of token Secrets",
            "shutdown": lambda: "the operator is ending" if self._leaving else None,
        }

    def _live(self) -> Checks:
        """What only a restart mends. That the event loop turns is shown by any answer at all."""

        def tasks() -> str | None:
            ended = any(task.done() for task in self._tasks)
            return "a part of the operator has ended" if ended and not self._leaving else None

        return {
            "tasks": tasks,
            "queues": lambda: stuck(self._term.reconciler.queues) if self._term else None,
        }

    def _url(self, directory: str) -> str | None:
        root = self._options.external_url.rstrip("/")
        return f"{root}{PREFIX}/{directory}" if root else None


async def run(options: Options, audit: Audit) -> None:
    """The operator, until a signal ends it."""
    credentials = await load_credentials()
    async with KubeClient(credentials) as client:
        await Operator(client, KubeClient(credentials, connections=2), options, audit).run()
    log.info("stopped")


async def _until(event: Coroutine[Any, Any, T], work: Coroutine[Any, Any, None]) -> T:
    """Work until something has happened. Raises what the work raises."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return await waiting
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _once(check: Callable[[], str | None]) -> Callable[[], str | None]:
    """What was ready stays ready: a replica that begins to lead isn't taken out of the Service for it."""
    passed = False

    def checked() -> str | None:
        nonlocal passed
        problem = None if passed else check()
        passed = passed or problem is None
        return problem

    return checked
