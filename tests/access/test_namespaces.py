"""What a namespace should be, for every state it may be found in."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from scim_operator.access.namespaces import (
    Maker,
    NamespaceFacts,
    NamespacePlan,
    is_made_by_us,
    plan_namespace,
)

NAME = "team-red"
TEAMS = Maker("teams", "entra")
OURS = {
    "app.kubernetes.io/managed-by": "scim-operator",
    "scim-operator.io/policy": "teams",
    "scim-operator.io/directory": "entra",
}
MADE = {"scim-operator.io/made": "true"}


def namespace(labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": NAME, **({"labels": labels} if labels else {}), **metadata}}


def planned(there: dict[str, Any] | None, *makers: Maker) -> NamespacePlan:
    return plan_namespace(NAME, NamespaceFacts(frozenset(makers), there))


def test_missing_namespace_is_made_without_an_owner() -> None:
    assert planned(None, TEAMS) == NamespacePlan(
        create={"metadata": {"name": NAME, "labels": OURS, "annotations": MADE}}
    )


@pytest.mark.parametrize("there", [None, namespace(), namespace(OURS), namespace(annotations=MADE)])
def test_nothing_is_done_for_nobody(there: dict[str, Any] | None) -> None:
    assert planned(there) == NamespacePlan()


def test_of_several_makers_always_the_same_one_is_named() -> None:
    makers = [TEAMS, Maker("all", "okta"), Maker("zoo", "entra")]
    for order in itertools.permutations(makers):
        made = planned(None, *order).create
        assert made is not None
        assert made["metadata"]["labels"]["scim-operator.io/policy"] == "all"
        assert made["metadata"]["labels"]["scim-operator.io/directory"] == "okta"


@pytest.mark.parametrize("labels", [None, {"app.kubernetes.io/managed-by": "Helm"}, {"team": "red"}])
def test_namespace_of_others_is_left_alone(labels: dict[str, str] | None) -> None:
    assert planned(namespace(labels), TEAMS) == NamespacePlan()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_labels_stripped_from_our_namespace_come_back(number: int) -> None:
    for stripped in itertools.combinations(OURS, number):
        left = {key: value for key, value in OURS.items() if key not in stripped}
        assert planned(namespace(left), TEAMS).relabel == {key: OURS[key] for key in stripped}


def test_all_labels_stripped_from_our_namespace_come_back() -> None:
    assert planned(namespace(annotations=MADE), TEAMS).relabel == OURS


def test_labels_that_others_chose_are_left_alone() -> None:
    chosen = {**OURS, "app.kubernetes.io/managed-by": "Helm", "scim-operator.io/policy": "other"}
    assert planned(namespace(chosen), TEAMS) == NamespacePlan()


def test_namespace_that_is_going_is_let_go() -> None:
    going = namespace(deletionTimestamp="2026-01-01T00:00:00Z", annotations=MADE)
    assert planned(going, TEAMS) == NamespacePlan()


@pytest.mark.parametrize(
    ("metadata", "ours"),
    [
        ({}, False),
        ({"labels": {"scim-operator.io/allow-policy": "any"}}, False),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({"annotations": MADE}, True),
        ({"labels": {"scim-operator.io/policy": "teams"}}, True),
        ({"labels": {"scim-operator.io/directory": "entra"}}, True),
        ({"labels": {"app.kubernetes.io/managed-by": "scim-operator"}}, True),
    ],
)
def test_marks(metadata: dict[str, Any], ours: bool) -> None:
    assert is_made_by_us({"metadata": {"name": NAME, **metadata}}) is ours
