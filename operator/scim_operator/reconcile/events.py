"""Events on our objects, for what must not pass unnoticed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from scim_operator.api.kinds import API_VERSION
from scim_operator.kube.client import KubeClient
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import EVENTS

log = logging.getLogger(__name__)

# Events about cluster-scoped objects live here, as kubectl expects.
_NAMESPACE = "default"
_LONGEST_NOTE = 1024


class Recorder:
    """Writes Events. `now_micro`: RFC 3339 with microseconds; `instance`: the pod's name."""

    def __init__(self, client: KubeClient, now_micro: Callable[[], str], instance: str) -> None:
        self._client = client
        self._now_micro = now_micro
        self._instance = instance

    async def warn(self, kind: str, obj: Mapping[str, Any], reason: str, action: str, note: str) -> None:
        """One Warning about an object of ours. A failure is logged: Events never hold work up."""
        metadata = obj["metadata"]
        event = {
            "metadata": {"generateName": f"{metadata['name']}-", "namespace": _NAMESPACE},
            "eventTime": self._now_micro(),
            "type": "Warning",
            "reason": reason,
            "action": action,
            "note": note[:_LONGEST_NOTE],
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
            log.warning("an Event couldn't be written", extra={"reason": reason, "error": str(error)})
