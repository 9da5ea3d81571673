"""What makes each alert fire, done to the real thing; undone where the next one needs a system that works."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import aiohttp

from tests.alerts.watched import REQUESTS_PER_SECOND, SECOND_IP, Watched, member
from tests.cluster.operator import OperatorProcess
from tests.e2e.policies import apply, policy
from tests.entra import EntraClient
from tests.eventually import becomes
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.installation import CHART, NAMESPACE, set_values
from tests.replicas.pods import role

Cause = Callable[[Watched], AbstractContextManager[None]]


@contextmanager
def _wrong_token(watched: Watched) -> Iterator[None]:
    EntraClient(watched.installation.connection("busy").url, "guessed")._once("GET", "/Users", None, None)
    yield


@contextmanager
def _token_that_ends(watched: Watched) -> Iterator[None]:
    create = ("token", "create", "ending", "-n", NAMESPACE, "--expires", "1h")
    assert watched.installation.command(*create).returncode == 0
    yield


@contextmanager
def _nothing(watched: Watched) -> Iterator[None]:
    """It has been so from the beginning: tests/alerts/watched.py."""
    yield


@contextmanager
def _too_many_requests(watched: Watched) -> Iterator[None]:
    connection = watched.installation.connection("busy")

    async def ask() -> None:
        headers = {"Authorization": f"Bearer {connection.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def once() -> None:
                async with session.get(f"{connection.url}/ServiceProviderConfig") as answer:
                    await answer.read()

            # Twice as many as a second's may come at once; the rest is refused.
            await asyncio.gather(*(once() for _ in range(4 * REQUESTS_PER_SECOND)))

    asyncio.run(ask())
    yield


@contextmanager
def _failing_writes(watched: Watched, path: str) -> Iterator[None]:
    def written(call: Call) -> bool:
        return call.write and path in call.path

    watched.proxy.faults = [Fault(Kind.STATUS, status=500, only=written)]
    try:
        yield
    finally:
        watched.proxy.faults = ()


@contextmanager
def _bindings_cannot_be_written(watched: Watched) -> Iterator[None]:
    entra = watched.populated("busy")
    with _failing_writes(watched, "/rolebindings"):
        entra.remove_members("busy", [member("busy")])
        yield


@contextmanager
def _users_cannot_be_written(watched: Watched) -> Iterator[None]:
    entra = watched.installation.client("busy")
    becomes(lambda: entra.test_connection().status, 200, 15)
    over = threading.Event()

    def provide() -> None:
        while not over.is_set():
            made = entra._once("POST", "/Users", {"userName": "new@busy.example.com"}, None)
            assert made.status >= 500, made

    with _failing_writes(watched, "/scimusers"):
        provider = threading.Thread(target=provide)
        provider.start()
        try:
            yield
        finally:
            over.set()
            provider.join()


@contextmanager
def _role_that_may_not_be_granted(watched: Watched) -> Iterator[None]:
    watched.populated("busy")
    apply(watched.cluster, policy("typo", "busy", "busy", role="cluster-admin", namespace="busy"))
    yield
    watched.cluster.kubectl("delete", "accesspolicy", "typo")


@contextmanager
def _leaver_whom_the_guard_holds(watched: Watched) -> Iterator[None]:
    watched.populated("strict").set_active(member("strict"), False)
    yield


@contextmanager
def _directory_deleted(watched: Watched) -> Iterator[None]:
    watched.populated("frozen")
    watched.cluster.kubectl("delete", "scimdirectory", "frozen")
    yield


@contextmanager
def _no_processor_time(watched: Watched) -> Iterator[None]:
    """Half a second at a time, again and again."""
    over = threading.Event()

    def starve() -> None:
        while not over.wait(0.2):
            watched.installation.process.process.signal(signal.SIGSTOP)
            time.sleep(0.6)
            watched.installation.process.process.signal(signal.SIGCONT)

    starving = threading.Thread(target=starve)
    starving.start()
    try:
        yield
    finally:
        over.set()
        starving.join()


@contextmanager
def _second_release(watched: Watched) -> Iterator[None]:
    """As `helm template` makes one: it can't see the first."""
    values = set_values(watched.installation.values)
    text = watched.cluster.helm("template", "second", str(CHART), "-n", "second", *values)
    watched.cluster.kubectl("create", "namespace", "second")
    watched.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)
    second = OperatorProcess.from_deployment(
        watched.cluster, "second", "second-scim-operator", pod_name="second", pod_ip=SECOND_IP
    )
    second.start()
    try:
        becomes(lambda: role(second), "leader", 30)
        yield
    finally:
        second.terminate()


@contextmanager
def _no_replica(watched: Watched) -> Iterator[None]:
    watched.installation.end()
    yield


@dataclass(frozen=True)
class Caused:
    """An alert, what causes it, and what it has to say (a regular expression)."""

    alert: str
    cause: Cause
    said: str


# In this order: the last ones leave a system that is of no use to the others.
CAUSES = (
    Caused("ScimOperatorProviderSilent", _nothing, "silent"),
    # A busy machine alone makes it fire; by less.
    Caused("ScimOperatorSlowLoop", _no_processor_time, r"work ([5-9]\d\d\.?\d*ms|\d\.?\d*s) late"),
    Caused("ScimOperatorWrongTokens", _wrong_token, "unknown"),
    Caused("ScimOperatorTokenExpiring", _token_that_ends, "ending"),
    Caused("ScimOperatorLastTokenEnds", _nothing, "ending"),
    Caused("ScimOperatorThrottled", _too_many_requests, "busy"),
    Caused("ScimOperatorWritesFail", _bindings_cannot_be_written, "rolebindings"),
    Caused("ScimOperatorAccessWaits", _bindings_cannot_be_written, "leaver"),
    Caused("ScimOperatorRequestsFail", _users_cannot_be_written, "busy"),
    Caused("ScimOperatorNotReady", _role_that_may_not_be_granted, "typo"),
    Caused("ScimOperatorGuardTripped", _leaver_whom_the_guard_holds, "strict"),
    Caused("ScimOperatorFrozen", _directory_deleted, "frozen"),
    Caused("ScimOperatorSeveralLead", _second_release, "2 scim-operators"),
    Caused("ScimOperatorNobodyLeads", _no_replica, "leavers"),
)
