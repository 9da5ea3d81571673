"""A ledger of as many people as may be written down: the API server and etcd take it, and one more write."""

from __future__ import annotations

import time

import orjson
import pytest

from scim_operator.access.guard import MOST_RECORDS, Freeze, Ledger
from scim_operator.access.ledger import from_status, to_status
from scim_operator.access.tally import Entry, Release, Tally, key_of
from scim_operator.kube.client import KubeClient
from scim_operator.kube.credentials import load_credentials
from scim_operator.reconcile.hold_status import hold_status
from scim_operator.reconcile.ledgers import Ledgers
from scim_operator.reconcile.resources import HOLDS
from tests.chart.release import Release as Installed
from tests.reconcile.plant import Plant

NOON = "2026-01-01T12:00:00Z"
LONG = "ä" * 200


def waiting(count: int) -> Tally:
    """So many who wait, under names of 400 bytes, a thousand of them done with."""
    made = Tally([Entry(key_of(str(number)), "User", LONG, "Limit", NOON) for number in range(count)])
    made.close(key_of(str(2 * number)) for number in range(1_000))
    return made


def let_go(count: int) -> dict[str, Release]:
    """So many who were let go, one every second of ten minutes and then all the others."""
    return {key_of(str(n)): Release(f"2026-01-01T12:{(n % 600) // 60:02}:{n % 60:02}Z") for n in range(count)}


LEDGERS = {
    "removals": lambda: Ledger(waiting(MOST_RECORDS)),
    "additions": lambda: Ledger(additions=waiting(MOST_RECORDS)),
    "both": lambda: Ledger(waiting(MOST_RECORDS // 2), waiting(MOST_RECORDS // 2)),
    "let go": lambda: Ledger(Tally(released=let_go(MOST_RECORDS))),
}


@pytest.mark.parametrize("which", LEDGERS)
async def test_full_ledger_is_taken(release: Installed, which: str) -> None:
    ledger = LEDGERS[which]()
    ledger.freeze(Freeze("NoUsers", "x" * 500, NOON))
    assert ledger.records >= MOST_RECORDS - 1
    name = f"largest-{which.replace(' ', '-')}"
    async with KubeClient(await load_credentials(str(release.cluster.kubeconfig))) as client:
        ledgers = Ledgers(client, Plant().world)
        obj = await ledgers.find(name)
        for _ in range(2):  # new, and over one that is as large
            ledger.removals.hold("0" * 16, "User", LONG, "Limit", NOON)
            ledger.removals.close(["0" * 16])
            started = time.monotonic()
            fields = to_status(ledger, obj["metadata"]["uid"])
            obj = await ledgers.store(obj, hold_status(obj, fields, ledger, NOON))
            print(f"{which}: {len(orjson.dumps(obj)):,} bytes in {time.monotonic() - started:.2f} s")
        known = from_status(obj["status"])
        await client.delete(HOLDS, name)
    assert known.removals.hash("") == ledger.removals.hash("")
    assert known.additions.hash("") == ledger.additions.hash("")
    assert known.removals.released == ledger.removals.released
