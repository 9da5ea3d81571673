"""What `make bench` is made of, without a cluster."""

from __future__ import annotations

import asyncio
import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks import usage
from benchmarks.chart import Chart, Panel, Series
from benchmarks.counters import Counters, longest
from benchmarks.figures import Rate, Spread, percentile, ratio
from benchmarks.goals import Goal
from benchmarks.mirror import Mirror
from benchmarks.sizes import Sizes
from benchmarks.tenant import Tenant, name_of
from benchmarks.wire import Wire

SVG = "{http://www.w3.org/2000/svg}"


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == 7
    assert Spread.of([0.001, 0.002, 0.003]) == Spread(3, 2.0, 3.0, 3.0)


def test_a_ratio_is_of_rates() -> None:
    one, other = Rate.of([0.1] * 10, 1.0, 0.02, 0.5), Rate.of([0.1] * 4, 2.0, 0.0, 0.0)
    assert ratio(one, other) == 5.0
    assert (one.cpu_ms, one.client_busy) == (2.0, 0.5)


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal("p99", 900, 1000, " ms"), "met"),
        (Goal("p99", 1000, 1000, " ms"), "met"),
        (Goal("p99", 2500, 1000, " ms"), "2.5 times as much"),
        (Goal("rate", 5000, 5000, at_least=True), "met"),
        (Goal("rate", 4000, 5000, at_least=True), "short by 20%"),
        (Goal("writes", 0, 0), "met"),
        (Goal("writes", 3, 0), "short by 3"),
    ],
)
def test_goals(goal: Goal, verdict: str) -> None:
    assert goal.verdict == verdict
    assert goal.document()["met"] == (verdict == "met")


@pytest.mark.parametrize(
    ("sections", "stops"),
    [
        ("abcdefg", {1000: True, 5000: True, 10_000: True, 20_000: True, 50_000: False}),
        ("c", {10_000: True}),
        # Nobody measures how they come: they are loaded.
        ("d", {10_000: False}),
        ("f", {1000: False, 10_000: False, 50_000: False}),
        ("cf", {1000: True, 10_000: True, 50_000: False}),
        ("ab", {}),
    ],
)
def test_stops(sections: str, stops: dict[int, bool]) -> None:
    assert Sizes().checkpoints(sections) == stops


def test_a_company_is_as_the_issue_wants_it() -> None:
    tenant = Tenant("entra")
    objects = list(tenant.objects(10_000))
    sizes = [len(group.members) for group in tenant.groups]
    assert (len(objects), tenant.size, len(sizes)) == (11_000, 10_000, 1_000)
    assert (min(sizes), max(sizes)) >= (5, 400)
    assert max(sizes) <= 500
    places = tenant.expected()
    assert len({namespace for namespace, _ in places}) == 300
    assert len({group.name.split("-")[1] for group in tenant.groups}) == 20


def test_a_company_is_always_the_same() -> None:
    assert list(Tenant("entra").objects(200)) == list(Tenant("entra").objects(200))


def test_who_left_is_expected_nowhere() -> None:
    tenant = Tenant("entra")
    for _ in tenant.objects(100):
        pass
    leavers = tenant.leavers(5)
    assert len(set(leavers)) == 5
    assert {name_of(number) for number in leavers} <= set().union(*tenant.expected().values())
    tenant.left |= set(leavers)
    assert not {name_of(number) for number in leavers} & set().union(*tenant.expected().values())
    assert not set(tenant.leavers(5)) & set(leavers)


def binding(name: str, *subjects: str) -> Mapping[str, Any]:
    return {
        "metadata": {"namespace": "team", "name": name},
        "roleRef": {"name": "view"},
        "subjects": [{"name": subject} for subject in subjects],
    }


async def test_bindings_are_right_when_all_shards_together_are() -> None:
    mirror = Mirror({("team", "view"): {"a", "b"}})
    mirror.put("ADDED", binding("one", "a", "c"))
    with pytest.raises(TimeoutError, match="1 wrong"):
        await mirror.right(0.01)
    waiting = asyncio.create_task(mirror.right(5))
    mirror.put("ADDED", binding("two", "b"))
    await asyncio.sleep(0)
    assert not waiting.done()
    mirror.put("MODIFIED", binding("one", "a"))
    await waiting
    assert len(mirror) == 2


async def test_somebody_is_gone_when_the_last_binding_lost_them() -> None:
    mirror = Mirror({})
    for name in ("one", "two"):
        mirror.put("ADDED", binding(name, "a", "b"))
    assert mirror.holding("a") == 2
    mirror.put("MODIFIED", binding("one", "b"))
    with pytest.raises(TimeoutError, match="a still has access"):
        await mirror.gone("a", 0.01)
    mirror.put("DELETED", binding("two", "a", "b"))
    assert await mirror.gone("a", 0.01) > 0
    assert mirror.holding("b") == 1


async def test_the_wire_speaks_http() -> None:
    async def echo(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=204)
        got = [request.path_qs, request.headers["X-Who"], await request.text()]
        return web.json_response({"got": got, "long": "x" * 300_000})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", echo)
    async with (
        TestServer(application) as server,
        Wire(str(server.make_url("/scim")), {"X-Who": "me"}) as wire,
    ):
        for _ in range(2):  # on the connection that is there
            answer = await wire.call("POST", "/Users?a=b", 200, {"c": 1})
            assert answer["got"] == ["/scim/Users?a=b", "me", '{"c":1}']
            assert len(answer["long"]) == 300_000
        assert await wire.call("DELETE", "/Users/1", 204) == {}
        with pytest.raises(AssertionError, match="204 instead of 200"):
            await wire.call("DELETE", "/Users/1", 200)
        await asyncio.gather(*(wire.ask("GET", "/") for _ in range(3)))


def test_counters_tell_what_came_in_between() -> None:
    def counters(users: float, late: float) -> Counters:
        writes, lag = "scim_operator_api_writes_total", "scim_operator_event_loop_lag_seconds_bucket"
        return Counters(
            {
                (writes, (("resource", "scimusers"), ("result", "ok"), ("verb", "create"))): users,
                (writes, (("resource", "scimusers"), ("result", "409"), ("verb", "create"))): 7.0,
                (writes, (("resource", "leases"), ("result", "ok"), ("verb", "update"))): users * 3,
                (lag, (("le", "0.05"),)): 10.0,
                (lag, (("le", "0.1"),)): 10.0 + late,
                (lag, (("le", "+Inf"),)): 10.0 + late,
            }
        )

    since = counters(5, 2).since(counters(2, 0))
    assert since.writes == {"scimusers": 3}
    assert longest(since.lag) == (0.05, 0.1)
    assert longest({0.05: 4, 0.1: 4, math.inf: 4}) == (0.0, 0.05)


def test_usage_is_this_process() -> None:
    assert 0 < usage.processor_seconds(os.getpid()) < 10_000
    assert usage.age(os.getpid()) > 0
    now, most = usage.memory(os.getpid())
    assert 10 < now <= most


def test_a_chart_shows_every_value() -> None:
    values = [12.0, 5_000.0, None]
    panels = [
        Panel("<p50>", "ms", ["1", "8", "32"], [Series("a", values), Series("b", [1, 2, 3])], kind)
        for kind in ("lines", "bars")
    ]
    drawn = Chart("Title & more", panels).svg(["somewhere"])
    root = ET.fromstring(drawn)
    titles = [found.text for found in root.iter(f"{SVG}title")]
    assert titles == ["12", "5,000", "1", "2", "3"] * 2
    texts = [found.text for found in root.iter(f"{SVG}text")]
    assert {"Title & more", "somewhere", "<p50>, ms", "5,000"} <= set(texts)
