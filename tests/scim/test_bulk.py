"""The BulkRequest message and the order of its operations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.scim.bulk import (
    MAX_OPERATIONS,
    BulkOperation,
    Step,
    plan,
    read_bulk,
    references_in,
    resolved,
    what_names,
    without,
)
from scim_operator.scim.errors import ScimError


def post(bulk_id: str, *names: str) -> dict[str, Any]:
    """A group with members by bulkId."""
    data = {"displayName": bulk_id, "members": [{"value": f"bulkId:{name}"} for name in names]}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


def order(*operations: dict[str, Any]) -> list[tuple[int, set[str]]]:
    """The places of the operations as they are carried out, with what each is made without."""
    return [
        (step.operation, set(step.later)) for step in plan(read_bulk({"Operations": list(operations)})[0])
    ]


DELETE = {"method": "DELETE", "path": "/Users/1"}


@pytest.mark.parametrize(
    ("operations", "wanted"),
    [
        ([post("a"), DELETE, post("b")], [(0, set()), (1, set()), (2, set())]),
        ([post("a"), post("b", "a")], [(0, set()), (1, set())]),
        # Who names somebody waits, all else keeps its place: who is made may need the name of who is deleted.
        ([post("a", "c"), DELETE, post("b"), post("c")], [(1, set()), (2, set()), (3, set()), (0, set())]),
        ([post("a", "b"), post("b", "c"), post("c")], [(2, set()), (1, set()), (0, set())]),
        # Circles.
        ([post("a", "a")], [(0, {"a"})]),
        ([post("a", "b"), post("b", "a")], [(1, {"a"}), (0, set())]),
        ([post("a", "b"), post("b", "c"), post("c", "a", "d"), post("d")],
         [(3, set()), (2, {"a"}), (1, set()), (0, set())]),
        # Who waits for a circle isn't in it.
        ([post("x", "a"), post("a", "b"), post("b", "a")], [(2, {"a"}), (1, set()), (0, set())]),
        # What a path names.
        ([{"method": "DELETE", "path": "/Groups/bulkId:a"}, post("a")], [(1, set()), (0, set())]),
        ([{"method": "PUT", "path": "/Groups/bulkId:b?x", "data": {"y": ["bulkId:a"]}}, post("a"), post("b")],
         [(1, set()), (2, set()), (0, set())]),
        # What nothing makes is no reason to wait.
        ([post("a", "x"), {"method": "PUT", "path": "/Users/1", "bulkId": "x"}], [(0, set()), (1, set())]),
    ],
)  # fmt: skip
def test_order(operations: list[dict[str, Any]], wanted: list[tuple[int, set[str]]]) -> None:
    assert order(*operations) == wanted


@given(st.lists(st.sets(st.integers(0, 9), max_size=4), min_size=1, max_size=10))
def test_everybody_runs_once_and_after_whom_they_name(names: list[set[int]]) -> None:
    operations = [post(str(n), *(str(name) for name in sorted(wanted))) for n, wanted in enumerate(names)]
    steps = plan(read_bulk({"Operations": operations})[0])
    assert sorted(step.operation for step in steps) == list(range(len(names)))
    made: set[str] = set()
    for step in steps:
        known = {str(name) for name in names[step.operation] if name < len(names)}
        assert known - made == step.later
        made.add(str(step.operation))
    # What is completed later is completed at last.
    assert all(step.later <= made for step in steps)


def test_without_a_circle_nothing_is_left_out() -> None:
    chain = [post(str(n), str(n + 1)) for n in range(MAX_OPERATIONS - 1)] + [post(str(MAX_OPERATIONS - 1))]
    steps = plan(read_bulk({"Operations": chain})[0])
    assert steps == [Step(n, frozenset()) for n in reversed(range(MAX_OPERATIONS))]


def test_references() -> None:
    value = {
        "a": ["bulkId:x", {"b": "bulkId:y"}],
        "c": "bulkId:z",
        "bulkId:key": "bulkid:no",
        "d": " bulkId:no",
    }
    assert list(references_in(value)) == ["x", "y", "z"]
    ids = {"x": "1", "y": "2", "z": "3"}
    assert resolved(value, ids) == {**value, "a": ["1", {"b": "2"}], "c": "3"}
    assert without(value, frozenset("y")) == {**value, "a": ["bulkId:x"]}
    assert without(value, frozenset("z")) == {name: item for name, item in value.items() if name != "c"}
    assert what_names(value, frozenset("xz")) == {"a": value["a"], "c": "bulkId:z"}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/Groups", {"members": [{"value": "bulkId:x"}]}),
        ("/Groups", {"Members": "bulkId:x"}),
        ("/Users", {"urn:example:2.0:User:manager": "bulkId:x"}),
        ("/Users", {"urn:example:2.0:User": {"manager": {"value": "bulkId:x"}}}),
        (
            "/Users/1",
            {"Operations": [{"op": "add", "path": "urn:e:User:manager.value", "value": "bulkId:x"}]},
        ),
        ("/Groups/1", {"Operations": [{"op": "add", "Path": "members", "value": [{"value": "bulkId:x"}]}]}),
        ("/Groups/1", {"Operations": [{"op": "add", "value": {"members": [{"value": "bulkId:x"}]}}]}),
        ("/Groups/bulkId:x", {}),
        ("/Groups/bulkId%3Ax/", {}),
    ],
)
def test_reference_to_nothing(path: str, data: dict[str, Any]) -> None:
    operation = BulkOperation("PUT", path, "", None, data)
    assert list(operation.references) == ["x"]
    operation.check_names({"x"})
    with pytest.raises(ScimError) as caught:
        operation.check_names({"y"})
    assert caught.value.scim_type == "invalidValue"
    assert "bulkId:x" in caught.value.detail


@pytest.mark.parametrize(
    "data",
    [
        {"title": "bulkId: how it works"},
        {"emails": [{"value": "bulkId:x"}]},
        {"Operations": [{"op": "add", "path": "title", "value": "bulkId: how it works"}]},
        {"Operations": [{"op": "add", "path": 'members[value eq "y"].display', "value": 1}]},
    ],
)
def test_text_that_looks_like_a_reference(data: dict[str, Any]) -> None:
    BulkOperation("PUT", "/Users/1", "", None, data).check_names({"y"})
    assert resolved(data, {"y": "1"}) == data


def test_reference_in_a_filter() -> None:
    data = {"Operations": [{"op": "remove", "PATH": 'members[value eq "bulkId:x"]'}]}
    with pytest.raises(ScimError, match="can't stand in a filter") as caught:
        BulkOperation("PATCH", "/Groups/1", "", None, data).check_names({"x"})
    assert caught.value.scim_type == "invalidPath"


def test_depth_has_a_limit() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    with pytest.raises(ScimError) as caught:
        resolved(deep, {})
    assert caught.value.scim_type == "invalidValue"


@pytest.mark.parametrize(
    ("body", "status", "scim_type"),
    [
        ({}, 400, "invalidSyntax"),
        ({"Operations": []}, 400, "invalidSyntax"),
        ({"Operations": {}}, 400, "invalidSyntax"),
        ({"Operations": ["x"]}, 400, "invalidSyntax"),
        ({"Operations": [DELETE], "failOnErrors": 0}, 400, "invalidValue"),
        ({"Operations": [DELETE], "failOnErrors": "1"}, 400, "invalidValue"),
        ({"Operations": [DELETE], "failOnErrors": True}, 400, "invalidValue"),
        ({"Operations": [post("a"), post("a")]}, 400, "invalidValue"),
        ({"Operations": [DELETE] * (MAX_OPERATIONS + 1)}, 413, None),
    ],
)
def test_message_that_makes_no_sense(body: dict[str, Any], status: int, scim_type: str | None) -> None:
    with pytest.raises(ScimError) as caught:
        read_bulk(body)
    assert (caught.value.status, caught.value.scim_type) == (status, scim_type)


def test_names_in_any_case() -> None:
    operations, limit = read_bulk({"operations": [{"Method": "post", "PATH": "/Users"}], "FAILONERRORS": 2})
    assert (operations[0].method, operations[0].path, limit) == ("POST", "/Users", 2)
