"""What `make soak` is made of, without a cluster."""

from __future__ import annotations

import asyncio
import os
import xml.etree.ElementTree as ET
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks import usage
from benchmarks.figures import Spread
from benchmarks.soak.churn import EVERYBODY, REST, Churn
from benchmarks.soak.figures import Figures
from benchmarks.soak.load import Load
from benchmarks.soak.remains import Remains, Wanted, judge
from benchmarks.soak.request import Request, identifier
from benchmarks.soak.sample import Sample, State
from benchmarks.tenant import Place, Tenant, name_of
from benchmarks.wire import Wire

USERS = 200


def churn(seed: int = 1) -> Churn:
    tenant = Tenant("entra")
    for _ in tenant.objects(USERS):
        pass
    return Churn(tenant, seed)


@dataclass
class Directory:
    """What a provider's requests come to, known by nothing but these. The Tenant's people are there."""

    names: dict[str, str] = field(default_factory=dict)
    active: dict[str, bool] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    made: int = 0

    @classmethod
    def before(cls, plan: Churn) -> Directory:
        """With those who are there without a request."""
        found = cls()
        for person in plan.people.values():
            found.names[person.id], found.active[person.id] = name_of(person.number), True
        for circle in plan.circles.values():
            found.names[circle.id] = circle.name
            found.members[circle.id] = {plan.people[number].id for number in circle.members}
        return found

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Like a SCIM server's."""
        parts = urlsplit(target)
        kind, identity = (*parts.path.removeprefix("/").split("/"), "")[:2]
        if method == "POST":
            return self._create(kind, orjson.loads(body))
        if "filter" in parse_qs(parts.query):
            return self._look_up(parse_qs(parts.query)["filter"][0])
        if identity not in self.names:
            return 404, b""
        if method == "DELETE":
            return self._delete(identity)
        if method == "PATCH":
            return self._patch(kind, identity, orjson.loads(body)["Operations"][0])
        return 200, self.names[identity].encode()

    def standing(self, plan: Churn) -> dict[Place, set[str]]:
        """By the names of groups, as a policy reads them."""
        places = {circle.name: circle.place for circle in (*plan.circles.values(), plan.everybody)}
        found: dict[Place, set[str]] = {}
        for group, members in self.members.items():
            if place := places[self.names[group]]:
                people = {self.names[one] for one in members if self.active.get(one)}
                found[place] = found.get(place, set()) | people
        return {place: people for place, people in found.items() if people}

    def _create(self, kind: str, body: dict[str, str]) -> tuple[int, bytes]:
        name = body["userName"] if kind == "Users" else body["displayName"]
        if name in self.names.values():
            return 409, b""
        self.made += 1
        identity = f"made-{self.made}"
        self.names[identity] = name
        if kind == "Users":
            self.active[identity] = True
        else:
            self.members[identity] = set()
        return 201, orjson.dumps({"id": identity})

    def _look_up(self, expression: str) -> tuple[int, bytes]:
        attribute, _, value = expression.split(" ", 2)
        if attribute == "externalId":
            return 200, b'{"totalResults":1,}'
        known = [identity for identity, name in self.names.items() if name == value.strip('"')]
        found = [{"id": identity} for identity in known]
        return 200, orjson.dumps({"totalResults": len(known), "Resources": found})

    def _delete(self, identity: str) -> tuple[int, bytes]:
        assert not self.active.pop(identity, False), "deleted while active"
        del self.names[identity]
        self.members.pop(identity, None)
        for members in self.members.values():
            members.discard(identity)
        return 204, b""

    def _patch(self, kind: str, identity: str, operation: dict[str, object]) -> tuple[int, bytes]:
        value = operation["value"]
        if kind == "Groups":
            assert isinstance(value, list)
            ids = {str(item["value"]) for item in value}
            if operation["op"] == "add":
                assert ids <= self.active.keys(), "somebody unknown joins"
                assert not ids & self.members[identity], "somebody joins twice"
                self.members[identity] |= ids
            else:
                assert ids <= self.members[identity], "somebody leaves who isn't in"
                self.members[identity] -= ids
        elif isinstance(value, dict) and "active" in value:
            assert self.active[identity] != value["active"], "nothing changes"
            self.active[identity] = value["active"]
        return 200, b""


def play(plan: Churn, directory: Directory, count: int) -> list[Request]:
    """As the load sends them at its slowest: an answer comes when REST others have been sent."""
    sent: list[Request] = []
    under_way: deque[Request] = deque()

    def answered() -> None:
        request = under_way.popleft()
        body = orjson.dumps(request.body) if request.body else b""
        status, answer = directory.answer(request.method, request.target, body)
        assert (status, request.holds in answer) == (request.status, True), request
        if request.made:
            request.made(identifier(answer))

    for request in plan.gather():
        under_way.append(request)
        answered()
    for _ in range(count):
        if len(under_way) == REST:
            answered()
        under_way.append(plan.next())
        sent.append(under_way[-1])
    while under_way:
        answered()
    return sent


def test_as_many_go_as_come() -> None:
    plan = churn()
    directory = Directory.before(plan)
    sent = Counter(request.kind for request in play(plan, directory, 10_000))
    assert USERS - 1 <= len(plan.people) <= USERS
    assert USERS // 10 - 1 <= len(plan.circles) <= USERS // 10
    away = [person for person in plan.people.values() if not person.active]
    assert 0 < len(away) < USERS * 0.05
    # All kinds, and enough of them to tell a leak.
    assert all(sent[f"{verb} user"] > 200 for verb in ("create", "delete", "disable", "enable", "change"))
    assert all(sent[f"{verb} group"] >= 5 for verb in ("create", "delete"))
    assert all(sent[f"{verb} members"] > 200 for verb in ("add", "remove"))
    members = [len(circle.members) / circle.size for circle in plan.circles.values()]
    assert sum(members) / len(members) > 0.7


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_model_is_what_the_requests_come_to(seed: int) -> None:
    plan = churn(seed)
    directory = Directory.before(plan)
    before = plan.expected()
    play(plan, directory, 5_000)
    assert directory.standing(plan) == plan.expected() != before
    assert set(directory.active) == {person.id for person in plan.people.values()}
    assert set(directory.members) == {circle.id for circle in (*plan.circles.values(), plan.everybody)}
    assert {place for place, _ in plan.expected()} <= {place for place, _ in before} | {"bench-0"}


def test_a_seed_says_all() -> None:
    def drawn(seed: int) -> list[tuple[str, str, object]]:
        plan = churn(seed)
        sent = play(plan, Directory.before(plan), 2_000)
        return [(request.kind, request.target, request.body) for request in sent]

    assert drawn(1) == drawn(1) != drawn(2)


@asynccontextmanager
async def wire_to(
    answer: Callable[[str, str, bytes], tuple[int, bytes]], first_takes: float = 0.0
) -> AsyncIterator[Wire]:
    """A server that answers by method, target and body, the first time after so many seconds."""
    waits = iter([first_takes])

    async def serve(request: web.Request) -> web.Response:
        await asyncio.sleep(next(waits, 0.0))
        status, body = answer(request.method, request.path_qs, await request.read())
        return web.Response(status=status, body=body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", serve)
    async with TestServer(application) as server, Wire(str(server.make_url("/")).rstrip("/"), {}) as wire:
        yield wire


async def test_what_isnt_answered_is_repeated_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request gets a 503 first, after which a POST or DELETE was done all the same."""
    monkeypatch.setattr("benchmarks.soak.load._PAUSE", 0.05)
    plan = churn()
    directory = Directory.before(plan)
    refused: set[tuple[str, str, bytes]] = set()
    refusing = False

    def answer(method: str, target: str, body: bytes) -> tuple[int, bytes]:
        if not refusing or (method, target, body) in refused:
            return directory.answer(method, target, body)
        refused.add((method, target, body))
        if method in ("POST", "DELETE"):
            directory.answer(method, target, body)
        return 503, b""

    async with wire_to(answer) as wire:
        load = Load(wire, plan)
        await load.gather()
        refusing = True
        await load.run(500, 400)
    tally = load.tally
    assert (tally.sent, tally.unexpected) == (400, 0), tally.odd
    assert tally.passing == len(refused) > 300
    assert len(tally.took) == tally.answers.total()
    assert tally.answers["create user, looked up", 200] == tally.answers["create user", 409] > 0
    assert tally.answers["delete user", 404] > 0
    assert directory.standing(plan) == plan.expected()


async def test_wrong_answers_are_counted_and_told() -> None:
    async with wire_to(lambda method, target, body: (404, b"nobody")) as wire:
        load = Load(wire, churn())
        await load.run(1000, 60)
    assert (load.tally.sent, load.tally.unexpected, len(load.tally.odd)) == (60, 60, 50)
    assert all(line.endswith(": 404 b'nobody'") for line in load.tally.odd)


async def test_what_hangs_makes_others_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soak.load._LATE_SECONDS", 0.5)
    directory = Directory.before(plan := churn())
    async with wire_to(directory.answer, first_takes=2.0) as wire:
        load = Load(wire, plan)
        await load.run(500, 2 * REST)
    # REST of them went out in time, while the first one hung.
    assert 0 < load.tally.late <= REST
    assert load.tally.latest_seconds > 1.0


def state(memory: float, due: int = 0, files: int = 20) -> State:
    queues = {"places": due} if due else {}
    return State(memory, 1.0, files, 4, queues, 0.0, 10, 2, 3, {"ScimUser": 10})


def figures(memories: list[float], **changes: Any) -> Figures:
    """One sample a minute; all is well but for the changes."""
    samples = [
        Sample(float(minute), minute * 10, Spread(10, 1.0, 2.0, 3.0), state(memory))
        for minute, memory in enumerate(memories)
    ]
    well = Figures(
        users=10,
        groups=2,
        rate=25.0,
        minutes=float(len(memories) - 1),
        seed=1,
        sent=600,
        late=0,
        latest_seconds=0.01,
        passing=0,
        unexpected=0,
        answers={"get user": {200: 600}},
        spread=Spread(600, 1.0, 2.0, 3.0),
        odd=[],
        samples=samples,
        missed=0,
        settled=state(1.0),
        remains=Remains({}, {}, 0, []),
    )
    return replace(well, **changes)


def test_growth_is_of_the_second_half() -> None:
    warming = [100.0, 120.0, 130.0, 140.0]
    assert figures([*warming, *[140.0] * 5]).growth == 0
    # A tenth of a MiB a minute.
    assert figures([*warming, *(140 + number / 10 for number in range(5))]).growth == 6


def test_goals_are_missed_by_what_a_soak_looks_for() -> None:
    def missed(found: Figures) -> list[str]:
        return [goal.what for goal in found.goals() if not goal.is_met]

    flat = [100.0] * 9
    whole = figures(flat).samples
    assert missed(figures(flat)) == []
    # 100 bytes a request, at 25 a second.
    leak = [100 + minute * 25 * 60 * 100 / 2**20 for minute in range(9)]
    assert missed(figures(leak)) == ["memory, growth in the second half, an hour"]
    assert missed(figures(flat, unexpected=1)) == ["answers that weren't as expected"]
    assert missed(figures(flat, settled=state(1.0, due=1))) == ["keys due, at the end"]
    grows = [Sample(one.minute, 1, one.answers, state(1.0, due=minute)) for minute, one in enumerate(whole)]
    assert missed(figures(flat, samples=grows)) == ["keys due at most, second half beside the first"]
    stuck = [replace(one, state=replace(one.state, oldest_seconds=121.0)) for one in whole]
    assert missed(figures(flat, samples=stuck)) == ["oldest key due, at any sample"]
    left = Remains({"RoleBinding": 1}, {"ScimUser": 1}, 1, ["RoleBinding somewhere"])
    assert missed(figures(flat, remains=left)) == [
        "objects that nobody wants",
        "objects missing, places wrong",
    ]


def test_table_and_chart() -> None:
    found = figures([100.0] * 121, odd=["0.10 min: get user /Users/1: 404 " + "x" * 200])
    table = found.table()
    assert all(len(line) <= 110 for line in table)
    assert "10 users, 2 groups; 600 requests in 120 minutes, 25/s" in table[0]
    assert any(line.startswith("  ! 0.10 min: get user /Users/1: 404 xxx") for line in table)
    drawn = ET.fromstring(found.chart().svg(["here"]))
    texts = [item.text for item in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"memory, MiB", "keys due", "answers, ms", "10", "110"} <= set(texts)
    assert texts.count("10") >= 3
    # 120 points have no place for their values.
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}circle"))


def cluster(**changes: list[Any]) -> dict[str, list[Any]]:
    """Two people in two bindings of one place, a group in two shards."""

    def named(name: str, **more: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": "bench-0"}, **more}

    def binding(*names: str) -> dict[str, Any]:
        return named("any", roleRef={"name": "view"}, subjects=[{"name": name} for name in names])

    return {
        "ScimUser": [named(name, spec={"id": name}) for name in "ab"],
        "ScimGroup": [named("g", spec={"id": "g"})],
        "ScimGroupShard": [named(f"g-{number}", spec={"group": "g"}) for number in range(2)],
        "RoleBinding": [binding("a"), binding("b")],
        "Namespace": [named("bench-0"), named("bench-1")],
        "RemovalHold": [named("entra")],
        **changes,
    }


def test_what_is_left_over_missing_or_wrong_is_found() -> None:
    places = {("bench-0", "view"): {"a", "b"}}
    wanted = Wanted("entra", places, {"a", "b"}, {"g"}, {"bench-0", "bench-1", "bench-2"})
    well = cluster()
    assert judge(well, wanted) == Remains({}, {}, 0, [])
    assert judge(well, wanted).is_clean
    # Of each kind: one that nobody wants, and none at all.
    for kind, gone in (
        *(("ScimUser", 2), ("ScimGroup", 1), ("RoleBinding", 1), ("RemovalHold", 1)),
        *(("ScimGroupShard", 0), ("Namespace", 0)),
    ):
        other = {
            "metadata": {"name": "other", "namespace": "other"},
            "spec": {"id": "other", "group": "other"},
            "roleRef": {"name": "view"},
        }
        found = judge(cluster(**{kind: [*well[kind], other]}), wanted)
        assert (found.leftover, found.missing, found.wrong) == ({kind: 1}, {}, 0)
        found = judge(cluster(**{kind: []}), wanted)
        assert (found.leftover, found.missing, found.wrong) == ({}, {kind: gone} if gone else {}, 0)
    found = judge(cluster(RoleBinding=well["RoleBinding"][:1]), wanted)
    assert (found.leftover, found.missing, found.wrong) == ({}, {}, 1)
    assert found.examples == ["wrong: place ('bench-0', 'view')"]


def test_everybody_is_a_group_that_a_policy_names() -> None:
    assert churn().everybody.name == EVERYBODY
    assert [request.kind for request in islice(churn().gather(), 3)] == [
        "create group",
        "add members",
        "add members",
    ]


def test_usage_counts_files_and_threads(tmp_path: Path) -> None:
    before = usage.files(os.getpid())
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        assert usage.files(os.getpid()) == before + 2
    assert usage.threads(os.getpid()) >= 1
