"""Events on our objects, for what must not pass unnoticed: told when it changes, never in a flood."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client import Counter

from scim_operator.api.kinds import API_VERSION
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import EVENTS

log = logging.getLogger(__name__)

# Events about cluster-scoped objects live here, as kubectl expects.
_NAMESPACE = "default"
_LONGEST_NOTE = 1024
# One bad edit of a policy can concern ten thousand groups: a kind may say so much at once, and then so often.
_BURST, _SECONDS_EACH = 50, 10.0
# Their messages name Secrets, or who waits: another one is news.
_EACH_WORDING = ("TokenUnusable", "TokenExpiring", "GuardTripped")
# Reasons for being ready that are news: a lock or a grant is in force, or has ended.
_TOLD = ("Locked", "Active", "Ended")

LEFT_OUT = Counter(
    "scim_operator_events_left_out", "Events that were not written because there were too many.", ["kind"]
)


class News(NamedTuple):
    """What to tell of an object. `type`: Normal or Warning; `reason`: CamelCase, `note`: for people."""

    type: str
    reason: str
    action: str
    note: str


def warning(reason: str, action: str, note: str) -> News:
    """Something that somebody should look at."""
    return News("Warning", reason, action, note)


def news(known: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[News]:
    """What a change of an object's status is worth telling: nothing, as a rule.

    A problem's condition that appears, or gets another reason; Ready that comes back; a directory's first
    request ever. What is merely worded anew isn't told.
    """
    before = {item["type"]: item for item in known.get("conditions") or ()}
    after = {item["type"]: item for item in status.get("conditions") or ()}
    for kind, condition in after.items():
        was = before.get(kind, {})
        if kind == "Ready":
            if condition["reason"] in _TOLD and was.get("reason") != condition["reason"]:
                yield News("Normal", condition["reason"], "Reconcile", condition["message"])
            elif condition["status"] == "True" and was.get("status") == "False":
                yield News("Normal", "Ready", "Reconcile", condition["message"])
        elif _differ(was, condition):
            yield warning(kind, "Reconcile", condition["message"])
    if status.get("lastRequestTime") and not known.get("lastRequestTime"):
        yield News("Normal", "FirstRequest", "Authenticate", "the provider sent its first valid request")


def _differ(was: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    told = ("status", "reason", *(["message"] if condition["type"] in _EACH_WORDING else []))
    return any(was.get(field) != condition[field] for field in told)


class Recorder:
    """Writes Events. `now_micro`: RFC 3339 with microseconds; `instance`: the pod's name.

    `monotonic` is a clock in seconds. Each kind of object has an allowance; what exceeds it is left out and
    counted: the conditions say it as well.
    """

    def __init__(
        self,
        client: KubeClient,
        now_micro: Callable[[], str],
        instance: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._now_micro = now_micro
        self._instance = instance
        self._monotonic = monotonic
        # Kind -> when its allowance would be whole again.
        self._spent_until: dict[str, float] = {}

    async def tell(self, kind: str, metadata: Mapping[str, Any], told: News) -> None:
        """One Event about an object of ours. A failure is logged: Events never hold work up."""
        if not self._allowed(kind):
            LEFT_OUT.labels(kind).inc()
            return
        event = {
            "metadata": {"generateName": f"{metadata['name']}-", "namespace": _NAMESPACE},
            "eventTime": self._now_micro(),
            "type": told.type,
            "reason": told.reason,
            "action": told.action,
            "note": told.note[:_LONGEST_NOTE],
            "reportingController": "scim-operator.io/operator",
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": kind,
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
        }
        try:
            await self._client.create(EVENTS, event, namespace=_NAMESPACE)
        except ApiError as error:
            log.warning("an Event couldn't be written", extra={"reason": told.reason, "error": str(error)})

    def _allowed(self, kind: str) -> bool:
        now = self._monotonic()
        until = max(now, self._spent_until.get(kind, 0.0)) + _SECONDS_EACH
        if until - now > _BURST * _SECONDS_EACH:
            return False
        self._spent_until[kind] = until
        return True
