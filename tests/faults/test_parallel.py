"""Many writes at once on one group, while the API server reports conflicts; and a POST whose answer was lost.

No client ever sees a conflict of Kubernetes, nobody's change is lost, and what comes again is done once.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.error import HTTPError
from uuid import UUID

import pytest

from scim_operator.directory.records import USERS, Meta, object_of, spec_of
from tests.e2e.restoring import restore
from tests.entra import PATCH_OP, EntraClient
from tests.eventually import becomes
from tests.faults.calls import Call
from tests.faults.faults import Fault, Kind
from tests.faults.killing import restarting
from tests.faults.proxy import FaultProxy, Moment
from tests.faults.system import OURS, System

Json = dict[str, Any]
AT_ONCE = 20
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)


@dataclass
class Disturbed:
    """An operator behind a proxy, and Entra, connected to a directory of it."""

    system: System
    proxy: FaultProxy
    entra: EntraClient


@pytest.fixture(scope="module")
def disturbed(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    with (
        System.running(tmp_path_factory.mktemp("parallel"), values=["identityEditors={admin}"]) as system,
        FaultProxy(system.cluster) as proxy,
    ):
        system.installation.process.endpoint = proxy.endpoint
        system.installation.start()
        yield Disturbed(system, proxy, system.connect("parallel"))


def writes_a_group(call: Call) -> bool:
    """By us: the SCIM side replaces objects, statuses are patched."""
    return call.method == "PUT" and ("/scimgroups/" in call.path or "/scimgroupshards/" in call.path)


@pytest.fixture
def conflicts(disturbed: Disturbed) -> Iterator[None]:
    """Every fifth write of a group is told that somebody else was faster."""
    disturbed.proxy.faults = [Fault(Kind.STATUS, percent=20, status=409, only=writes_a_group)]
    yield
    disturbed.proxy.faults = ()


@pytest.fixture(scope="module", params=[0, pytest.param(2_100, marks=pytest.mark.long, id="sharded")])
def crowd(disturbed: Disturbed, request: pytest.FixtureRequest) -> list[str]:
    """Ids of people who are in the group already: with so many it is in shards."""
    users = {str(UUID(int=number)): f"crowd{number}@parallel.example.com" for number in range(request.param)}
    specs = (
        spec_of("parallel", id_, {"userName": name, "active": True}, {}, _META) for id_, name in users.items()
    )
    objects = ((USERS, object_of(f"crowd-{spec['id']}", spec)) for spec in specs)
    asyncio.run(restore(disturbed.system.cluster, objects))
    everybody = {"count": "0", "filter": 'userName sw "crowd"'}
    found = partial(disturbed.entra.call, "GET", "/Users", query=everybody)
    becomes(lambda: found().answer["totalResults"], request.param, 60)
    return list(users)


def people(entra: EntraClient, name: str, count: int) -> list[str]:
    """So many new users. -> ids"""

    def post(number: int) -> str:
        made = entra.call("POST", "/Users", {"userName": f"{name}{number}@parallel.example.com"})
        assert made.status == 201, made.answer
        return str(made.answer["id"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(post, range(count)))


def group(entra: EntraClient, name: str, members: Sequence[str] = ()) -> str:
    made = entra.call(
        "POST", "/Groups", {"displayName": name, "members": [{"value": one} for one in members]}
    )
    assert made.status == 201, made.answer
    return str(made.answer["id"])


def at_once(entra: EntraClient, path: str, operations: Sequence[Json]) -> None:
    """A PATCH for each of them, side by side; all are 200."""

    def patch(operation: Json) -> tuple[int, Any]:
        answer = entra.call("PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]})
        return answer.status, answer.answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        refused = [answer for answer in pool.map(patch, operations) if answer[0] != 200]
    assert refused == []


def joins(member: str) -> Json:
    return {"op": "Add", "path": "members", "value": [{"value": member}]}


def members(entra: EntraClient, path: str) -> list[str]:
    return [member["value"] for member in entra.call("GET", path).answer.get("members", ())]


def kept(system: System, name: str) -> list[str]:
    """The members of a group as the API server has them: in it, or in its shards once these have them all."""

    def group() -> Json:
        (found,) = [one for one in system.list(f"{OURS}/scimgroups") if one["spec"]["displayName"] == name]
        return found["spec"]  # type: ignore[no-any-return]

    becomes(lambda: "pending" in group(), False, 30)
    spec = group()
    if "shards" not in spec:
        return list(spec["members"])
    used = (spec["id"], spec["shards"]["generation"])
    shards = [one["spec"] for one in system.list(f"{OURS}/scimgroupshards")]
    return [
        member for one in shards if (one["group"], one["generation"]) == used for member in one["members"]
    ]


@pytest.mark.usefixtures("conflicts")
def test_twenty_who_join_at_once_are_all_in(disturbed: Disturbed, crowd: list[str]) -> None:
    entra, name = disturbed.entra, f"twenty {len(crowd)}"
    everybody = people(entra, name, 20)
    path = f"/Groups/{group(entra, name, crowd)}"
    at_once(entra, path, [joins(one) for one in everybody])
    assert sorted(members(entra, path)) == sorted(crowd + everybody)
    assert sorted(kept(disturbed.system, name)) == sorted(crowd + everybody)


@pytest.mark.usefixtures("conflicts")
def test_two_hundred_mixed_writes_lose_nothing(disturbed: Disturbed, crowd: list[str]) -> None:
    entra, name = disturbed.entra, f"mixed {len(crowd)}"
    everybody = people(entra, name, 150)
    staying, leaving, joining = everybody[:10], everybody[10:80], everybody[80:]
    staying += crowd
    path = f"/Groups/{group(entra, name, staying + leaving)}"
    legacy = [{"op": "Remove", "path": "members", "value": [{"value": one}]} for one in leaving[:35]]
    modern = [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in leaving[35:]]
    others = [{"op": "replace", "path": f"urn:example:2.0:Group:n{n}", "value": n} for n in range(60)]
    operations: list[Json] = [*map(joins, joining), *legacy, *modern, *others]
    assert len(operations) == 200
    random.Random(7).shuffle(operations)
    at_once(entra, path, operations)
    shown = entra.call("GET", path).answer
    assert sorted(member["value"] for member in shown["members"]) == sorted(staying + joining)
    assert shown["urn:example:2.0:Group"] == {f"n{n}": n for n in range(60)}
    version = int(shown["meta"]["version"].split('"')[1])
    assert version == 201, "each had an effect, each once"
    assert sorted(kept(disturbed.system, name)) == sorted(staying + joining)


def post(entra: EntraClient, path: str, body: Json, request_id: str) -> tuple[int, Json]:
    """One try, as a client that knows its request again."""
    headers = {
        "Authorization": f"Bearer {entra.token}",
        "Content-Type": "application/scim+json",
        "X-Request-Id": request_id,
    }
    request = urllib.request.Request(entra.url + path, json.dumps(body).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, json.loads(response.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize(("path", "key"), [("/Users", "userName"), ("/Groups", "displayName")])
def test_post_comes_again_after_a_kill_before_its_answer(
    disturbed: Disturbed, path: str, key: str, moment: Moment
) -> None:
    entra, operator = disturbed.entra, disturbed.system.installation.process
    body = {key: f"again {path[1:]} {moment.value}"}
    kill: Callable[[], None] = operator.kill
    becomes(lambda: _is_quiet(disturbed.proxy), True, 180)  # statuses of a crowd are written at leisure
    with restarting(operator, disturbed.proxy):
        disturbed.proxy.strike_at(1, moment, kill)
        with pytest.raises(OSError):  # the connection breaks
            post(entra, path, body, "request-1")
        assert disturbed.proxy.struck.wait(10)
    status, made = post(entra, path, body, "request-1")
    assert status == 201, made
    assert post(entra, path, body, "request-1") == (201, made)
    assert post(entra, path, body, "request-2")[0] == 409
    found = entra.call("GET", path, query={"filter": f'{key} eq "{body[key]}"'}).answer
    assert [one["id"] for one in found["Resources"]] == [made["id"]]


def _is_quiet(proxy: FaultProxy) -> bool:
    """Whether no status or ledger is being written any more: the next write will be the test's."""
    before = len(proxy.writes)
    time.sleep(1.5)
    return len(proxy.writes) == before
