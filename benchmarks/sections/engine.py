"""The SCIM engine alone, beside its budgets: no HTTP, no Kubernetes; the processor time of one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import orjson

from benchmarks.chart import Chart, Panel, Series
from benchmarks.figures import Spread
from benchmarks.goals import Goal
from scim_operator.directory.index import Index
from scim_operator.directory.layout import delta_of, merged, shard_count
from scim_operator.directory.members import Members, divided
from scim_operator.directory.records import Meta, object_of, spec_of
from scim_operator.scim.messages import list_response
from scim_operator.scim.normalise import normalise
from scim_operator.scim.patch import patch
from scim_operator.scim.project import projection
from scim_operator.scim.schemas import GROUP, USER
from scim_operator.web.rendering import Renderer

_DIRECTORY, _TIME = "entra", "2026-01-01T00:00:00Z"
_CORE, _ENTERPRISE = USER.core.urn, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_MANY, _SOME, _PAGE, _CHANGED = 50_000, 10_000, 100, 100
# Of each operation, at most.
_TIMES = 2000


@dataclass(frozen=True)
class Budget:
    """One operation, what it took, and what it may take in the middle."""

    operation: str
    took: Spread
    budget_ms: float


@dataclass(frozen=True)
class Figures:
    """Of all operations."""

    letter: ClassVar[str] = "engine"
    title: ClassVar[str] = "The SCIM engine alone"
    budgets: Sequence[Budget]

    def table(self) -> list[str]:
        """110 columns."""
        return [
            f"  {row.operation:36} p50 {row.took.p50_ms:.3f} ms, p99 {row.took.p99_ms:.3f} ms"
            for row in self.budgets
        ]

    def goals(self) -> list[Goal]:
        """The budgets."""
        return [Goal(f"{row.operation}: p50", row.took.p50_ms, row.budget_ms, " ms") for row in self.budgets]

    def chart(self) -> Chart:
        """In relation to the budgets."""
        labels = [row.operation for row in self.budgets]
        shares = [round(row.took.p50_ms / row.budget_ms, 3) for row in self.budgets]
        return Chart(self.title, [Panel("p50, of its budget", "", labels, [Series("p50", shares)], "bars")])


def measure(seconds: float) -> Figures:
    """So long at most for each operation, and some seconds for making 50,000 people."""
    return Figures([Budget(name, _timed(work, seconds), budget) for name, budget, work in _operations()])


def _operations() -> Iterator[tuple[str, float, Callable[[], object]]]:
    body = _user(7)
    document = normalise(USER, body).document
    changes = {
        "Operations": [
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
            {"op": "Add", "path": f"{_ENTERPRISE}:department", "value": "Retail"},
            {"op": "Replace", "path": "active", "value": "False"},
        ]
    }
    yield "POST of a user", 0.2, lambda: normalise(USER, body)
    yield "PATCH of three operations", 0.1, lambda: patch(USER, document, changes)

    some, many = _index(_SOME), _index(_MANY)
    yield "list of 100 users", 3.0, lambda: _listed(some)
    yield "userName eq, of 50,000 users", 0.1, partial(_found, many, 'userName eq "P777@X.ORG"', 1)
    yield "filter without index, of 10,000", 25.0, partial(_found, some, 'title co "no such"', 0)

    parts = divided((f"id-{number}" for number in range(_MANY)), shard_count(_MANY, 0))
    members = Members(parts)
    yield "add 100 members, to 50,000", 1.0, partial(_change, members, "Add", _MANY)
    yield "remove 100 members, of 50,000", 1.0, partial(_change, members, "Remove", 1000)


def _found(index: Index, text: str, count: int) -> None:
    """A look-up lets others work now and then, of whom there are none here."""
    looking = index.find(_DIRECTORY, "User", text)
    try:
        while True:
            looking.send(None)
    except StopIteration as done:
        assert len(done.value) == count


def _change(members: Members, op: str, first: int) -> Members:
    value = [{"value": f"id-{number}"} for number in range(first, first + _CHANGED)]
    message = {"Operations": [{"op": op, "path": "members", "value": value}]}
    delta = delta_of(patch(GROUP, {"displayName": "g"}, message).members, members)
    return Members(members.parts, merged(members.pending, delta))


def _timed(work: Callable[[], object], seconds: float) -> Spread:
    took: list[float] = []
    until = time.process_time() + seconds
    while len(took) < _TIMES and time.process_time() < until:
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return Spread.of(took)


def _listed(index: Index) -> bytes:
    renderer, wanted = Renderer(index, "https://scim.example.com/scim/v2/entra"), projection(USER, None, None)
    page = index.page(_DIRECTORY, "User", 500, 500 + _PAGE)
    shown = [renderer.resource(record, wanted) for record in page]
    return orjson.dumps(list_response(shown, index.count(_DIRECTORY, "User"), start_index=501))


def _index(users: int) -> Index:
    index = Index(lambda: 0.0)
    for number in range(users):
        index.put_listed(_object(number))
    for resource_type in ("User", "Group"):
        index.complete(resource_type, {f"uid-{n}" for n in range(users)}, str(users + 1))
    assert index.count(_DIRECTORY, "User") == users
    return index


def _object(number: int) -> dict[str, Any]:
    document = normalise(USER, _user(number)).document
    spec = spec_of(_DIRECTORY, f"id-{number}", document, {}, Meta(_TIME, _TIME, 1, "request"))
    made = object_of(f"p{number}", spec)
    made["metadata"] |= {"uid": f"uid-{number}", "resourceVersion": str(number + 1)}
    return {"kind": "ScimUser", **made}


def _user(number: int) -> dict[str, Any]:
    """As Entra sends it."""
    name = f"p{number}@x.org"
    return {
        "schemas": [_CORE, _ENTERPRISE],
        "externalId": f"0a21f0f2-8d2a-4f8e-bf98-{number:012}",
        "userName": name,
        "active": "True",
        "displayName": f"Person {number}",
        "title": "Engineer",
        "emails": [{"primary": True, "type": "work", "value": name}],
        "name": {"formatted": f"Person {number}", "familyName": str(number), "givenName": "Person"},
        "addresses": [{"type": "work", "formatted": "18/2111"}],
        _ENTERPRISE: {"department": "Retail", "employeeNumber": str(number)},
    }
