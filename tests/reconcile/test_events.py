"""Events: when something changes for the worse or is well again, and no more of them than anybody reads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.resources import CLUSTER_ROLES
from scim_operator.reconcile.events import news
from scim_operator.reconcile.resources import POLICIES
from scim_operator.reconcile.statuses import Subject
from tests.reconcile.plant import Plant
from tests.reconcile.worlds import group

Object = dict[str, Any]


def status(*conditions: tuple[str, str, str, str], **fields: Any) -> Object:
    """With conditions (type, status, reason, message)."""
    names = ("type", "status", "reason", "message")
    return {"conditions": [dict(zip(names, item, strict=True)) for item in conditions], **fields}


FINE = ("Ready", "True", "Reconciled", "access is in place")
RED = ("Ready", "False", "RoleMissing", "no edit")
MISSING = ("RoleMissing", "True", "NotFound", "no edit")
TORN = ("TokenUnusable", "True", "Malformed", "Secret a")


@pytest.mark.parametrize(
    ("known", "after", "told"),
    [
        ({}, status(FINE), []),
        (status(FINE), status(FINE), []),
        ({}, status(RED, MISSING), ["Warning RoleMissing: no edit"]),
        (status(FINE), status(RED, MISSING), ["Warning RoleMissing: no edit"]),
        (status(RED, MISSING), status(RED, MISSING), []),
        (status(RED, MISSING), status(RED, (*MISSING[:3], "no edit and no view")), []),
        (
            status(RED, MISSING),
            status(RED, ("RoleMissing", "True", "Gone", "vanished")),
            ["Warning RoleMissing: vanished"],
        ),
        (status(RED, MISSING), status(FINE), ["Normal Ready: access is in place"]),
        (status(FINE), status(FINE, TORN), ["Warning TokenUnusable: Secret a"]),
        (status(FINE, TORN), status(FINE, (*TORN[:3], "Secret b")), ["Warning TokenUnusable: Secret b"]),
        (status(FINE, TORN), status(FINE), []),
        (
            status(FINE),
            status(FINE, lastRequestTime="T"),
            ["Normal FirstRequest: the provider sent its first valid request"],
        ),
        (status(FINE, lastRequestTime="T"), status(FINE, lastRequestTime="U"), []),
    ],
)
def test_transitions_are_news_and_nothing_else(known: Object, after: Object, told: list[str]) -> None:
    assert [f"{item.type} {item.reason}: {item.note}" for item in news(known, after)] == told


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    watcher, made.api.watcher = made.api.watcher, None
    made.usual()
    made.api.watcher = watcher
    return made


def events(plant: Plant) -> list[tuple[str, str, str]]:
    """(kind, name, reason) in the order of writing."""
    found = [obj for key, obj in plant.api.objects.items() if key[0] == "events"]
    return [(obj["regarding"]["kind"], obj["regarding"]["name"], obj["reason"]) for obj in found]


async def test_each_transition_is_told_once(plant: Plant) -> None:
    plant.api.drop(CLUSTER_ROLES, "edit")
    async with plant.running():
        await plant.until(lambda: len(events(plant)) == 2)
        assert set(events(plant)) == {
            ("AccessPolicy", "teams", "RoleMissing"),
            ("ScimGroup", "g", "RoleMissing"),
        }
        for number in range(3):
            spec = group("k8s-red-edit", [0, 1, number + 5])
            plant.put(GROUPS, "g", spec=spec, status=plant.status(GROUPS, "g"))
            await asyncio.sleep(0.4)
        assert len(events(plant)) == 2
        plant.put(CLUSTER_ROLES, "edit")
        await plant.until(lambda: len(events(plant)) == 4)
        assert set(events(plant)[2:]) == {("AccessPolicy", "teams", "Ready"), ("ScimGroup", "g", "Ready")}
        await asyncio.sleep(0.5)
        assert len(events(plant)) == 4


async def test_people_get_none(plant: Plant) -> None:
    plant.api.drop(DIRECTORIES, "entra")
    async with plant.running():
        await plant.until(lambda: plant.condition(USERS, "u0").get("status") == "False")
        await plant.until(lambda: ("AccessPolicy", "teams", "Stalled") in events(plant))
    assert "ScimUser" not in {kind for kind, _, _ in events(plant)}


async def test_ten_thousand_bad_groups_are_no_flood(plant: Plant) -> None:
    plant.api.drop(CLUSTER_ROLES, "edit")
    for number in range(120):
        spec = group(f"k8s-t{number}-edit", [0], identifier=f"bad-{number}")
        plant.put(GROUPS, f"bad-{number}", spec=spec)
    async with plant.running():
        last = Subject(GROUPS, "bad-119")
        await plant.until(lambda: plant.condition(GROUPS, last.name).get("status") == "False", 10)
        await plant.until(lambda: ("AccessPolicy", "teams", "RoleMissing") in events(plant), 10)
        await asyncio.sleep(0.3)
    assert len([event for event in events(plant) if event[0] == "ScimGroup"]) == 50
    assert plant.condition(POLICIES, "teams")["status"] == "False"
