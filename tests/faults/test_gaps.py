"""What is deleted at a start between our list and kopf's first one: of that its watches tell nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scim_operator.handlers.running import settings
from tests.eventually import becomes
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.proxy import FaultProxy
from tests.faults.system import OURS, RBAC, System

# The next sweep comes after 300.
NOTICED = 100.0


def watches_begin(call: Call) -> bool:
    """kopf lists users before it watches them."""
    return call.path.endswith("/scimusers") and call.page == str(settings().watching.chunk_size)


@pytest.mark.long
def test_who_is_deleted_before_the_watches_begin_is_out(built: None, tmp_path: Path) -> None:
    with (
        System.running(tmp_path, values=["identityEditors={admin}"]) as system,
        FaultProxy(system.cluster) as proxy,
    ):
        pod = system.installation.process
        pod.endpoint = proxy.endpoint
        system.installation.start()
        entra = system.connect("gap")
        names = ["deleted@gap.example.com", "stays@gap.example.com"]
        ids = [entra.call("POST", "/Users", {"userName": name}).answer["id"] for name in names]
        members = [{"value": identifier} for identifier in ids]
        entra.call("POST", "/Groups", {"displayName": "gap", "members": members})
        grant = {"clusterRole": "view", "namespaces": {"name": "gap", "create": {}}}
        groups = {"directory": "gap", "displayName": "gap"}
        system.put("AccessPolicy", "gap", spec={"groups": groups, "grants": [grant]})

        def bound() -> list[str]:
            found = system.list(f"{RBAC}/rolebindings", "scim-operator.io/directory=gap")
            return sorted(subject["name"] for item in found for subject in item.get("subjects") or ())

        becomes(bound, names, 10)
        pod.terminate()
        proxy.faults = [Fault(Kind.DELAY, seconds=8.0, only=watches_begin)]
        system.installation.start()
        (known,) = (one for one in system.list(f"{OURS}/scimusers") if one["spec"]["id"] == ids[0])
        system.admin.request("DELETE", f"{OURS}/scimusers/{known['metadata']['name']}")
        since = time.monotonic()
        becomes(bound, names[1:], NOTICED)
        print(f"\nout after {time.monotonic() - since:.0f} s")
