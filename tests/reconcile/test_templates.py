"""Templates in their namespaces: brought, kept up, rolled out, taken away; adoption and unused namespaces."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import GROUPS, USERS
from scim_operator.kube.errors import ApiError
from scim_operator.kube.resources import LIMIT_RANGES, NAMESPACES, NETWORK_POLICIES, RESOURCE_QUOTAS
from scim_operator.reconcile.resources import POLICIES, TEMPLATES
from tests.reconcile.plant import PLACE
from tests.reconcile.watched import Watched
from tests.reconcile.worlds import CONFIG_MAPS, SETTINGS, group, policy, user

SPACE = PLACE.namespace
SINCE = "scim-operator.io/unused-since"
EVERYBODY = {"person0", "person1"}
TEMPLATE: dict[str, Any] = {
    "labels": {"tier": "team"},
    "podSecurity": {"enforce": "baseline"},
    "resourceQuota": {"hard": {"pods": "10"}},
    "networkPolicy": {},
}


def making(name: str = "team-{team}", **create: Any) -> dict[str, Any]:
    return policy({"clusterRole": "{role}", "namespaces": {"name": name, "create": create}})


@pytest.fixture
def plant(plant: Watched) -> Watched:
    """The usual one, whose policy makes team-red from a template."""
    plant.api.watcher, hear = None, plant.api.watcher
    plant.put(TEMPLATES, "team", spec=TEMPLATE)
    plant.put(POLICIES, "teams", spec=making(template="team"))
    plant.api.watcher = hear
    return plant


def metadata(plant: Watched) -> dict[str, Any]:
    found: dict[str, Any] = plant.api.objects[NAMESPACES.plural, "", SPACE]["metadata"]
    return found


def content(plant: Watched, resource: Any, name: str = "scim-template") -> dict[str, Any]:
    """An object in the namespace; empty when it isn't there."""
    found: dict[str, Any] = plant.api.objects.get((resource.plural, SPACE, name), {})
    return found


def furnished(plant: Watched) -> bool:
    return bool(content(plant, RESOURCE_QUOTAS) and content(plant, NETWORK_POLICIES))


def applied(plant: Watched) -> int:
    return len([verb for verb, _, _ in plant.api.writes if verb == "apply"])


async def test_template_comes_with_the_namespace(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY and furnished(plant))
        await plant.until(lambda: plant.status(TEMPLATES, "team").get("namespaces") == 1)
        await asyncio.sleep(0.2)
    assert metadata(plant)["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    written = [(verb, kind) for verb, kind, _ in plant.api.writes if kind != "events"]
    assert written.count(("patch", "namespaces")) == 0, "all of it was in the first POST"
    assert written.count(("apply", "resourcequotas")) == 1
    assert written.index(("create", "namespaces")) < written.index(("apply", "resourcequotas"))
    assert plant.condition(TEMPLATES, "team")["status"] == "True"


async def test_change_reaches_the_namespaces_and_what_was_dropped_goes(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY and furnished(plant))
        changed = {
            "labels": {"tier": "gold"},
            "resourceQuota": {"hard": {"pods": "20"}},
            "limitRange": LIMITS,
        }
        plant.put(TEMPLATES, "team", spec=changed)
        await plant.until(lambda: metadata(plant)["labels"].get("tier") == "gold")
        await plant.until(lambda: content(plant, RESOURCE_QUOTAS).get("spec") == {"hard": {"pods": "20"}})
        await plant.until(lambda: bool(content(plant, LIMIT_RANGES)) and not content(plant, NETWORK_POLICIES))
    assert "pod-security.kubernetes.io/enforce" not in metadata(plant)["labels"]
    assert plant.subjects() == EVERYBODY


LIMITS = {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}


async def test_drift_is_put_right_and_a_status_of_a_quota_is_none(plant: Watched) -> None:
    async with plant.running():
        await plant.until(lambda: furnished(plant))
        plant.api.drop(RESOURCE_QUOTAS, "scim-template", SPACE)
        await plant.until(lambda: furnished(plant))
        quota = content(plant, RESOURCE_QUOTAS)
        plant.api.put(RESOURCE_QUOTAS, {**quota, "spec": {"hard": {"pods": "9999"}}}, SPACE)
        await plant.until(lambda: content(plant, RESOURCE_QUOTAS)["spec"] == {"hard": {"pods": "10"}})
        stripped = {"metadata": {**content(plant, NETWORK_POLICIES)["metadata"], "labels": {}}}
        plant.api.put(NETWORK_POLICIES, {**content(plant, NETWORK_POLICIES), **stripped}, SPACE)
        await plant.until(lambda: bool(content(plant, NETWORK_POLICIES)["metadata"]["labels"]))
        before = applied(plant)
        plant.api.put(
            RESOURCE_QUOTAS, {**content(plant, RESOURCE_QUOTAS), "status": {"used": {"pods": 1}}}, SPACE
        )
        await asyncio.sleep(0.2)
        assert applied(plant) == before


async def test_namespace_waits_for_its_template(plant: Watched) -> None:
    plant.api.drop(TEMPLATES, "team")
    async with plant.running():
        for resource, name in ((POLICIES, "teams"), (GROUPS, "g")):
            await plant.until(lambda r=resource, n=name: plant.condition(r, n, "TemplateMissing") != {})  # type: ignore[misc]
        assert (NAMESPACES.plural, "", SPACE) not in plant.api.objects
        plant.put(TEMPLATES, "team", spec=TEMPLATE)
        await plant.until(lambda: plant.subjects() == EVERYBODY and furnished(plant))
        await plant.until(lambda: plant.condition(POLICIES, "teams").get("status") == "True")


@pytest.mark.parametrize("gone", ["template", "policy"])
async def test_nothing_goes_with_the_template_object_or_the_policy(plant: Watched, gone: str) -> None:
    async with plant.running():
        await plant.until(lambda: furnished(plant))
        before = metadata(plant)["labels"]
        plant.api.drop(*((TEMPLATES, "team") if gone == "template" else (POLICIES, "teams")))
        await asyncio.sleep(0.4)
    assert metadata(plant)["labels"] == before
    assert furnished(plant)


async def test_foreign_object_of_that_name_is_left_alone(plant: Watched) -> None:
    plant.put(NAMESPACES, SPACE, labels={"owner": "ops"})
    plant.put(POLICIES, "teams", spec=making(template="team", adopt=True))
    theirs = {"metadata": {"name": "scim-template"}, "spec": {"hard": {"pods": "1"}}}
    plant.api.put(RESOURCE_QUOTAS, theirs, SPACE)
    async with plant.running():
        await plant.until(lambda: plant.condition(TEMPLATES, "team", "Conflict") != {})
        assert "team-red/scim-template" in plant.condition(TEMPLATES, "team", "Conflict")["message"]
        assert plant.subjects() == EVERYBODY, "access doesn't hang on it"
        assert content(plant, RESOURCE_QUOTAS)["spec"] == {"hard": {"pods": "1"}}
        plant.put(TEMPLATES, "team", spec={"labels": {"tier": "team"}})
        await plant.until(lambda: plant.condition(TEMPLATES, "team", "Conflict") == {})
    assert content(plant, RESOURCE_QUOTAS)["spec"] == {"hard": {"pods": "1"}}


async def test_further_objects_of_allowed_kinds(plant: Watched) -> None:
    hints = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hints"}, "data": {"a": "b"}}
    odd = {"apiVersion": "example.com/v1", "kind": "Odd", "metadata": {"name": "odd"}}
    plant.put(TEMPLATES, "team", spec={"objects": [hints, odd]})
    async with plant.running():
        await plant.until(lambda: content(plant, CONFIG_MAPS, "hints").get("data") == {"a": "b"})
        await plant.until(lambda: plant.condition(TEMPLATES, "team", "Stalled") != {})
        assert "`templateKinds`" in plant.condition(TEMPLATES, "team", "Stalled")["message"]
        plant.put(TEMPLATES, "team", spec={})
        await plant.until(lambda: not content(plant, CONFIG_MAPS, "hints"))


async def test_refused_object_is_told_and_keeps_nobody_out(plant: Watched) -> None:
    plant.api.refuse["apply", "resourcequotas"] = ApiError(422, "Invalid", "hard[x]: odd")
    async with plant.running():
        await plant.until(lambda: plant.condition(TEMPLATES, "team", "Stalled") != {})
        said = plant.condition(TEMPLATES, "team", "Stalled")["message"]
        assert said == "ResourceQuota team-red/scim-template: 422 Invalid: hard[x]: odd"
        assert plant.subjects() == EVERYBODY
        plant.api.refuse.clear()
        plant.put(TEMPLATES, "team", spec={**TEMPLATE, "labels": {}})
        await plant.until(lambda: furnished(plant))
        await plant.until(lambda: plant.condition(TEMPLATES, "team", "Stalled") == {})


async def test_two_policies_with_two_templates_dont_flap(plant: Watched) -> None:
    plant.put(TEMPLATES, "small", spec={"labels": {"tier": "small"}})
    async with plant.running():
        await plant.until(lambda: furnished(plant))
        plant.put(POLICIES, "a-other", spec=making(template="small"))
        await plant.until(lambda: plant.condition(POLICIES, "a-other", "TemplateConflict") != {})
        before = len([write for write in plant.api.writes if write[1] == "namespaces"])
        await asyncio.sleep(0.3)
        assert len([write for write in plant.api.writes if write[1] == "namespaces"]) == before
        assert plant.condition(POLICIES, "teams")["status"] == "True"
        plant.api.drop(POLICIES, "teams")
        await plant.until(lambda: metadata(plant)["labels"].get("tier") == "small")
        await plant.until(lambda: plant.condition(POLICIES, "a-other", "TemplateConflict") == {})


async def test_adoption_of_a_foreign_namespace(plant: Watched) -> None:
    plant.put(NAMESPACES, SPACE, labels={"tier": "gold"})
    async with plant.running():
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") != {})
        plant.put(POLICIES, "teams", spec=making(template="team", adopt=True))
        await plant.until(lambda: plant.subjects() == EVERYBODY and furnished(plant))
        await plant.until(lambda: plant.condition(POLICIES, "teams", "Conflict") == {})
    assert metadata(plant)["labels"]["tier"] == "gold"
    assert metadata(plant)["annotations"]["scim-operator.io/adopted"] == "true"
    assert "scim-operator.io/made" not in metadata(plant)["annotations"]


# --- unused ------------------------------------------------------------------------------------------------

NOBODY = group("k8s-red-edit", [])


def marked(plant: Watched) -> bool:
    return SINCE in (metadata(plant).get("annotations") or {})


@pytest.mark.parametrize("way", ["left", "disabled", "group gone", "policy gone"])
async def test_unused_namespace_is_marked_and_kept(plant: Watched, way: str) -> None:
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        assert not marked(plant)
        if way == "left":
            plant.put(GROUPS, "g", spec=NOBODY)
        elif way == "group gone":
            plant.api.drop(GROUPS, "g")
        elif way == "policy gone":
            plant.api.drop(POLICIES, "teams")
        else:
            for number in range(2):
                plant.put(USERS, f"u{number}", spec=user(number, active=False))
        await plant.until(lambda: marked(plant))
        assert metadata(plant)["annotations"][SINCE] == "2026-01-01T00:00:00Z"
        plant.now += timedelta(days=999)
        plant.put(POLICIES, "teams", spec=making(template="team"))
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [2]))
        plant.put(USERS, "u2", spec=user(2))
        await plant.until(lambda: not marked(plant))
        await plant.until(lambda: plant.subjects() == {"person2"})


def deleting(after: str = "1h") -> dict[str, Any]:
    return making(whenUnused="Delete", after=after)


async def test_unused_namespace_goes_when_its_time_has_come(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=deleting("1s"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.api.drop(GROUPS, "g")
        await plant.until(lambda: marked(plant))
        await asyncio.sleep(0.3)
        assert (NAMESPACES.plural, "", SPACE) in plant.api.objects
        plant.now += timedelta(seconds=1)
        await plant.until(lambda: (NAMESPACES.plural, "", SPACE) not in plant.api.objects)
        # And it is made again for those who return.
        plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
        await plant.until(lambda: plant.subjects() == {"person0"})


async def test_mark_outlives_a_restart(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=deleting())
    labels = {"app.kubernetes.io/managed-by": "scim-operator", "scim-operator.io/policy": "teams"}
    marks = {"scim-operator.io/made": "true", SINCE: "2025-12-31T22:59:00Z"}
    plant.put(NAMESPACES, SPACE, labels=labels, annotations=marks)
    plant.put(NAMESPACES, "team-new", labels=labels, annotations={**marks, SINCE: "2026-01-01T00:01:00Z"})
    plant.put(GROUPS, "g", spec=NOBODY)
    async with plant.running():
        await asyncio.sleep(0.3)
        assert (NAMESPACES.plural, "", SPACE) in plant.api.objects, "a new process can't tell about its clock"
        plant.now += timedelta(hours=1)
        plant.reconciler._namespaces.tend([SPACE, "team-new"])
        await plant.until(lambda: (NAMESPACES.plural, "", SPACE) not in plant.api.objects)
        await asyncio.sleep(0.3)
    assert (NAMESPACES.plural, "", "team-new") in plant.api.objects


async def test_clock_that_is_set_deletes_nothing_before_an_hour_has_passed(plant: Watched) -> None:
    plant.put(POLICIES, "teams", spec=deleting("720h"))
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(GROUPS, "g", spec=NOBODY)
        await plant.until(lambda: marked(plant))
        plant.now += timedelta(hours=2)
        plant.clock_set = timedelta(days=365)
        for minutes in (0, 59):
            plant.now += timedelta(minutes=minutes)
            plant.reconciler._namespaces.tend([SPACE])
            await asyncio.sleep(0.2)
            assert (NAMESPACES.plural, "", SPACE) in plant.api.objects
        plant.now += timedelta(minutes=1)
        plant.reconciler._namespaces.tend([SPACE])
        await plant.until(lambda: (NAMESPACES.plural, "", SPACE) not in plant.api.objects)


@pytest.mark.parametrize("way", ["somebody is back", "policy gone", "policy keeps it", "no directory", "off"])
async def test_namespace_stays_after_all(way: str) -> None:
    plant = Watched.usual_one()
    if way == "off":
        plant.world.settings = replace(SETTINGS, deletion=False)
    plant.put(POLICIES, "teams", spec=deleting())
    async with plant.running():
        await plant.until(lambda: plant.subjects() == EVERYBODY)
        plant.put(GROUPS, "g", spec=NOBODY)
        await plant.until(lambda: marked(plant))
        if way == "somebody is back":
            plant.put(GROUPS, "g", spec=group("k8s-red-edit", [0]))
            await plant.until(lambda: not marked(plant))
        elif way == "policy gone":
            plant.api.drop(POLICIES, "teams")
        elif way == "policy keeps it":
            plant.put(POLICIES, "teams", spec=making())
        elif way == "no directory":
            plant.api.drop(DIRECTORIES, "entra")
        else:
            await plant.until(lambda: plant.condition(POLICIES, "teams", "Stalled") != {})
            assert "`namespaceDeletion`" in plant.condition(POLICIES, "teams", "Stalled")["message"]
        await asyncio.sleep(0.2)
        plant.now += timedelta(days=1)
        plant.reconciler._namespaces.tend([SPACE])
        await asyncio.sleep(0.3)
        assert ("delete", "namespaces", SPACE) not in plant.api.writes
        if way == "no directory":
            plant.put(DIRECTORIES, "entra", spec={})
            await plant.until(lambda: (NAMESPACES.plural, "", SPACE) not in plant.api.objects)
