"""Load while replicas come and go, and what must be there at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.cluster.operator import OperatorProcess
from tests.e2e.policies import bindings
from tests.eventually import becomes
from tests.installation import Installed
from tests.replicas.load import Load

DIRECTORY = "replicas"


def at(pod: OperatorProcess) -> str:
    """The directory's URL at one pod."""
    return f"{pod.url('scim')}/scim/v2/{DIRECTORY}"


async def under(load: Load, rate: float, *acts: Callable[[], object]) -> None:
    """Do something in threads, one after the other, while requests come."""
    over = asyncio.Event()
    running = asyncio.create_task(load.run(rate, over))
    try:
        await asyncio.sleep(1.0)
        for act in acts:
            await asyncio.to_thread(act)
        await asyncio.sleep(1.0)
    finally:
        over.set()
        await running


async def assert_nothing_lost(operator: Installed, load: Load) -> None:
    """All that was answered is there, once, and everybody's access is right."""
    answered, put_off = load.answered.total(), load.put_off
    print(
        f"{answered} requests, {len(load.cut)} cut off, {len(put_off)} put off,"
        f" the longest took {load.longest:.1f} s"
    )
    print(*put_off[:20], sep="\n")
    assert not load.failures, load.failures[:10]
    # On an idle machine there is none; on one that has no time even the Lease may be late.
    assert len(put_off) <= answered / 10, put_off[:10]
    assert load.answered["POST"] > 5
    stored = {name: user for name, user in (await load.stored()).items() if _is_of(load, name)}
    assert stored == load.wanted()
    listed = operator.cluster.request("GET", "/apis/scim-operator.io/v1alpha1/scimusers").body["items"]
    specs = [item["spec"] for item in listed if item["spec"]["directory"] == DIRECTORY]
    assert sorted(spec["userName"] for spec in specs if _is_of(load, spec["userName"])) == sorted(stored)

    def access() -> list[str]:
        return bindings(operator.cluster, load.prefix).get((load.prefix, "view"), [])

    await asyncio.to_thread(becomes, access, load.entitled(), 20)


def _is_of(load: Load, user_name: str) -> bool:
    return user_name.startswith(f"{load.prefix}-")
