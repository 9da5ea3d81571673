"""What the operator's own token can do to the objects that templates bring."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.chart.attacker import MANAGED, NAMESPACES, OURS, PROTECTED, TARGET, Attacker, attacking, refused
from tests.chart.release import Release
from tests.eventually import eventually

Object = dict[str, Any]
MARKED = {**MANAGED, "scim-operator.io/template": "team"}
SPACE = "fence-contents"


@pytest.fixture(scope="module")
def attacker(release: Release) -> Iterator[Attacker]:
    """Somebody with the operator's token, and a namespace that the operator made."""
    with attacking(release) as made:
        body = {"metadata": {"name": SPACE, "labels": OURS, "annotations": {"scim-operator.io/made": "true"}}}
        assert made.request("POST", NAMESPACES, body).status == 201
        eventually(
            lambda: made.request("POST", f"{quotas(SPACE)}?dryRun=All", quota(labels={})),
            lambda answer: answer.status == 403,
            10,
        )
        yield made
        release.cluster.kubectl("delete", "namespace", SPACE)


def quotas(namespace: str) -> str:
    return f"{NAMESPACES}/{namespace}/resourcequotas"


def quota(name: str = "scim-template", labels: Mapping[str, str] = MARKED) -> Object:
    return {"metadata": {"name": name, "labels": dict(labels)}, "spec": {"hard": {"pods": "1"}}}


def test_an_object_as_a_template_brings_it(attacker: Attacker) -> None:
    assert attacker.request("POST", f"{quotas(SPACE)}?dryRun=All", quota()).status == 201


@pytest.mark.parametrize("labels", [{}, MANAGED, {"scim-operator.io/template": "team"}])
def test_no_object_without_its_labels(attacker: Attacker, labels: Mapping[str, str]) -> None:
    answer = attacker.request("POST", f"{quotas(SPACE)}?dryRun=All", quota(labels=labels))
    refused(answer, "would lack scim-operator's labels")


@pytest.mark.parametrize("namespace", [TARGET, "kube-system", PROTECTED])
def test_no_object_in_a_namespace_of_others(attacker: Attacker, namespace: str) -> None:
    answer = attacker.request("POST", f"{quotas(namespace)}?dryRun=All", quota())
    refused(answer, "only to namespaces that it made or adopted")


def test_what_others_made_stays(release: Release, attacker: Attacker) -> None:
    foreign = quota("own", labels={"team": "ops"})
    assert release.cluster.request("POST", quotas(SPACE), body=foreign).status == 201
    refused(attacker.request("DELETE", f"{quotas(SPACE)}/own"), "was not made by scim-operator")
    patch = json.dumps({"metadata": {"labels": MARKED}})
    said = attacker.kubectl("patch", "resourcequota", "own", "-n", SPACE, "--type=merge", "-p", patch)
    assert "was not made by scim-operator" in said


def test_what_was_stripped_can_be_put_right_and_taken_away(release: Release, attacker: Attacker) -> None:
    assert attacker.request("POST", quotas(SPACE), quota()).status == 201
    assert attacker.request("DELETE", f"{quotas(SPACE)}/scim-template").status == 200
