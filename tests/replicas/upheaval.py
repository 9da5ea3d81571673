"""One leader after the other is killed or rolled, while requests go to whoever survives it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import Enum

from tests.cluster.operator import OperatorProcess
from tests.eventually import becomes
from tests.replicas.comparing import at
from tests.replicas.load import Load
from tests.replicas.pods import leader, role


class End(Enum):
    """How a leader ends."""

    KILL = "SIGKILL, as a node's crash; nothing had been sent to it that it hasn't answered"
    CUT = "SIGKILL, with requests under way: one retry suffices, at the other and under the same id"
    ROLL = "SIGTERM, as an update of the Deployment"


def end_leader(pods: list[OperatorProcess], load: Load, end: End) -> None:
    """End it, wait until the other leads, start it again as a standby."""
    leads = leader(pods, 60)
    survivor = next(pod for pod in pods if pod is not leads)
    if end is End.CUT:
        load.doomed.add(at(leads))
    load.targets.append(at(survivor))
    if end is not End.CUT:
        time.sleep(1.0)
        becomes(lambda: load.sent[at(leads)], 0, 60)  # what was sent to it before is answered
    if end is End.ROLL:
        assert leads.terminate(), "it had to be killed after its grace period"
    else:
        leads.kill()
    becomes(lambda: tended(survivor), "leader", 60)
    load.doomed.clear()
    leads.start()
    becomes(lambda: tended(leads), "standby", 60)


def until_who_waits_is_answered(load: Load) -> None:
    """Whoever has asked before this."""
    asked = frozenset(load.open)
    becomes(lambda: asked & load.open, frozenset(), 60)


def tended(pod: OperatorProcess) -> str:
    """Its role; when it has ended by itself it is started again, as the kubelet does."""
    if not pod.is_alive:
        pod.start()
    return role(pod)


def end_leaders(pods: list[OperatorProcess], load: Load, ends: Iterable[End]) -> None:
    """One after the other."""
    for end in ends:
        end_leader(pods, load, end)
