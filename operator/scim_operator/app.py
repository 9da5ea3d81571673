"""The composition root: the one file that knows all parts."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from prometheus_client import REGISTRY

from scim_operator.access.places import Settings
from scim_operator.directory.directories import Directories
from scim_operator.directory.index import Index
from scim_operator.directory.metrics import DirectoryMetrics
from scim_operator.directory.settler import Settler
from scim_operator.directory.shards import GroupKey
from scim_operator.directory.store import Store
from scim_operator.directory.tokens import TOKEN_SELECTOR, Tokens
from scim_operator.handlers import running
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.kube.reflector import reflect
from scim_operator.kube.resources import SECRETS, Resource
from scim_operator.reconcile.events import Recorder
from scim_operator.reconcile.metrics import ReconcileMetrics
from scim_operator.reconcile.queue import stuck
from scim_operator.reconcile.reconciler import Reconciler
from scim_operator.reconcile.statuses import Statuses
from scim_operator.reconcile.world import World
from scim_operator.web.health import Checks, health_application
from scim_operator.web.metrics import metrics_application
from scim_operator.web.scim import ScimApi
from scim_operator.web.server import Listener, Server
from scim_operator.web.targets import PREFIX

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What `scim-operator run` is told. `external_url` empty: not known."""

    namespace: str
    pod_name: str
    bind: str
    scim_port: int
    health_port: int
    metrics_port: int
    external_url: str
    protected_namespaces: frozenset[str]
    literal_namespaces: frozenset[str]
    namespace_deletion: bool
    template_kinds: tuple[Resource, ...]
    longest_grant: float

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
    """All parts, wired."""

    def __init__(self, client: KubeClient, options: Options) -> None:
        self._client = client
        self._options = options
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_flag = asyncio.Event()
        self._leaving = False
        self._index = Index(time.monotonic)
        self._directories = Directories()
        self._tokens = Tokens(lambda: datetime.now(UTC))
        kinds = options.template_kinds
        world = World(self._index, self._directories, options.settings, kinds)
        statuses = Statuses(world, now=_now, url=self._url, tokens=self._tokens)
        self._reconciler = Reconciler(
            client,
            world,
            statuses,
            Recorder(client, _now_micro, options.pod_name, time.monotonic),
            monotonic=time.monotonic,
            now=_now,
            returned=self._begin_afresh,
        )
        self._intended: asyncio.Queue[GroupKey] = asyncio.Queue()
        store = Store(
            client,
            self._index,
            self._directories,
            now=_now_milli,
            new_id=lambda: str(uuid4()),
            intended=self._intended.put_nowait,
        )
        self._settler = Settler(
            client, self._index, store.writer, store.turns, monotonic=time.monotonic, now=_now
        )
        scim = ScimApi(store, self._directories, self._tokens, external_url=options.external_url, now=_now)
        REGISTRY.register(DirectoryMetrics(self._index, self._directories, self._tokens))
        REGISTRY.register(ReconcileMetrics(world, statuses, self._reconciler.queues))
        self._server = Server(
            options.bind,
            [
                Listener("health", health_application(self._live(), self._ready()), options.health_port),
                Listener("metrics", metrics_application(self._directories.names), options.metrics_port),
                Listener("scim", scim.application(), options.scim_port),
            ],
        )

    async def run(self) -> None:
        """Serve and reconcile until a signal comes. Raises OSError when a port is taken."""
        self._server.open()
        await running.run(
            stop=self._stop_flag,
            on_start=self._start,
            on_stop=self._stop,
            login=self._client.credentials,
            observe=self._reconciler.observe,
            template_kinds=self._options.template_kinds,
        )

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
        parts = (tokens, self._reconciler.run(), self._settler.run(self._intended))
        self._tasks = [asyncio.create_task(part) for part in parts]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        # In place of kopf's, which would tell us only when its watches have ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave, number)

    def _leave(self, number: signal.Signals) -> None:
        log.info("stopping: requests under way are answered first", extra={"signal": number.name})
        self._leaving = True
        self._stop_flag.set()

    async def _stop(self) -> None:
        self._leaving = True
        # Requests end first: what they wrote is durable, and reconciled at the next start.
        await self._server.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin_afresh(self) -> None:
        """kopf watches the kinds that it found when it began; one that came later needs a new process."""
        log.warning("a kind is there that the watches don't know; stopping, to be started again")
        self._stop_flag.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """These tasks never end: if one does, a fresh start is safer than half an operator."""
        if not task.cancelled():
            log.critical("a part of the operator ended; stopping", exc_info=task.exception())
            self._stop_flag.set()

    def _ready(self) -> Checks:
        """The API server being away isn't among them: reads go on from memory."""

        def listed() -> str | None:
            missing = self._reconciler.missing
            return f"waiting for the first list of {', '.join(missing)}" if missing else None

        def overdue() -> str | None:
            left = self._reconciler.overdue
            if left is None:
                return "waiting for the lists, to see who must be out first"
            return (
                f"taking out of {left} places whoever is locked, or had it until a time that has come"
                if left
                else None
            )

        return {
            "inputs": listed,
            "overdue": overdue,
            "tokens": lambda: None if self._tokens.listed else "waiting for the first list of token Secrets",
            "shutdown": lambda: "the operator is ending" if self._leaving else None,
        }

    def _live(self) -> Checks:
        """What only a restart mends. That the event loop turns is shown by any answer at all."""

        def tasks() -> str | None:
            ended = any(task.done() for task in self._tasks)
            return "a part of the operator has ended" if ended and not self._leaving else None

        return {"tasks": tasks, "queues": lambda: stuck(self._reconciler.queues)}

    def _url(self, directory: str) -> str | None:
        root = self._options.external_url.rstrip("/")
        return f"{root}{PREFIX}/{directory}" if root else None


async def run(options: Options) -> None:
    """The operator, until a signal ends it."""
    async with KubeClient(await load_credentials()) as client:
        await Operator(client, options).run()
    log.info("stopped")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now_milli() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now_micro() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
