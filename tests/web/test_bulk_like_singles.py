"""A Bulk does what its operations do one by one: the same statuses, errors, versions and cluster after it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scim_operator.scim.schemas import ENTERPRISE_URN
from tests.directory.provider import add, remove, replace
from tests.web.endpoint import Endpoint

_IDS_OF_REQUESTS = ("request", "createdBy")
_NAMES = ("ada", "Ada", "bob", "", "x y")
_IDS = [f"id-{number}" for number in range(1, 9)] + ["none", "bulkId", "é"]


def random_operation(choose: random.Random) -> dict[str, Any]:
    """Of any method, on anybody who may or may not be there, sense or nonsense."""
    kind = choose.choice(["Users", "Groups"])
    members = [{"value": choose.choice(_IDS)} for _ in range(choose.randint(0, 2))]
    name = choose.choice(_NAMES)
    body: dict[str, Any] = (
        {"userName": name, "active": choose.choice([True, "False", "?"]), ENTERPRISE_URN: {"manager": "id-1"}}
        if kind == "Users"
        else {"displayName": name, "members": members}
    )
    changes = [
        replace("displayName", choose.choice(_NAMES)),
        add(choose.choice(_IDS)),
        remove(choose.choice(_IDS)),
        {"op": "remove"},
        replace("id", "x"),
    ]
    path = f"/{kind}/{choose.choice(_IDS)}"
    version = choose.choice([{}, {}, {"version": f'W/"{choose.randint(1, 3)}"'}])
    return choose.choice(
        [
            {"method": "POST", "path": f"/{kind}", "bulkId": str(choose.random()), "data": body},
            {"method": "PUT", "path": path, "data": body, **version},
            {"method": "PATCH", "path": path, "data": {"Operations": choose.sample(changes, 2)}, **version},
            {"method": "DELETE", "path": path, **version},
        ]
    )


async def one_by_one(endpoint: Endpoint, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a Bulk should answer, by requests of their own."""
    results = []
    for operation in operations:
        headers = {"If-Match": operation["version"]} if "version" in operation else {}
        answer = await endpoint.ask(
            operation["method"], operation["path"], operation.get("data"), headers=headers
        )
        content = await answer.read()
        result: dict[str, Any] = {"status": str(answer.status)}
        if answer.status >= 400:
            result["response"] = await answer.json(content_type=None)
        elif content:
            result["version"] = answer.headers["ETag"]
        results.append(result)
    return results


def stored(endpoint: Endpoint) -> dict[tuple[str, str], Any]:
    """Everything in the cluster, by SCIM id, without the ids of requests."""
    found = {}
    for (plural, _, _), obj in endpoint.api.objects.items():
        if plural in ("scimusers", "scimgroups"):
            spec = dict(obj["spec"])
            meta = {name: value for name, value in spec.pop("meta").items() if name not in _IDS_OF_REQUESTS}
            found[plural, spec["id"]] = spec | {"meta": meta}
    return found


@pytest.mark.parametrize("seed", range(12))
async def test_bulk_and_single_requests_agree(seed: int) -> None:
    choose = random.Random(seed)
    operations = [random_operation(choose) for _ in range(60)]
    singles, bulk = Endpoint(), Endpoint()
    async with singles.http, bulk.http:
        wanted = await one_by_one(singles, operations)
        answer = await bulk.ask("POST", "/Bulk", {"Operations": operations})
        results = (await answer.json(content_type=None))["Operations"]
    for operation, result, single in zip(operations, results, wanted, strict=True):
        shown = {name: value for name, value in result.items() if name in ("status", "response", "version")}
        assert shown == single, operation
    assert stored(bulk) == stored(singles)
    assert {result["status"] for result in results} > {"201", "404", "400"}
