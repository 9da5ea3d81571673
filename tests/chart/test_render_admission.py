"""The admission policies that the chart makes of its values."""

from __future__ import annotations

import json
import re

import pytest

from tests.chart.renderer import Renderer


def test_admission_uses_what_kubernetes_1_30_knows(chart: Renderer) -> None:
    """CEL's functions came over time, and a server refuses a policy with one that it doesn't know.

    `flatten` and `distinct`, for example, came with 1.34; optional values with 1.28.
    """
    policies = [item["spec"] for item in chart.objects() if item["kind"] == "ValidatingAdmissionPolicy"]
    assert len(policies) == 8
    parts = ("matchConditions", "variables", "validations")
    entries = [entry for policy in policies for part in parts for entry in policy.get(part, [])]
    texts = [entry.get(key, "") for entry in entries for key in ("expression", "messageExpression")]
    # Words in CEL's strings aren't calls.
    code = re.sub(r"'[^']*'", "''", "\n".join(texts).replace(r"\'", ""))
    comprehensions = {"has", "all", "exists", "filter", "map"}
    authorizer = {"group", "resource", "namespace", "name", "check", "allowed"}
    strings = {"matches", "contains", "startsWith", "indexOf", "substring", "join", "split"}
    optional = {"of", "none", "orValue", "hasValue"}
    known = comprehensions | authorizer | strings | optional | {"size"}
    times = {"timestamp", "duration", "string"}
    assert set(re.findall(r"(\w+)\(", code)) - {"in"} <= known | times


@pytest.mark.parametrize("fence", ["identities", "bindings", "marks", "namespaces", "contents"])
def test_fences_go_with_the_release(chart: Renderer, fence: str) -> None:
    """Kept ones would leave identities that nobody may delete. That on authors of policies stays."""
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        (made,) = (
            item["metadata"]
            for item in chart.objects()
            if (item["kind"], item["metadata"]["name"]) == (kind, f"scim-scim-operator-{fence}")
        )
        assert "annotations" not in made


def test_a_user_s_name_can_hold_any_character(chart: Renderer) -> None:
    names = ["o'neill@example.com", 'a"b', "back\\slash", "<i>", "ünïcode"]
    objects = chart.objects("--set-json", f"identityEditors={json.dumps(names)}")
    (condition,) = (
        item["spec"]["matchConditions"][0]["expression"]
        for item in objects
        if item["metadata"]["name"].endswith("-identities") and "matchConditions" in item["spec"]
    )
    found = re.fullmatch(r"!\(request.userInfo.username in (\[.*\])\)", condition)
    assert found is not None
    assert json.loads(found[1]) == ["system:serviceaccount:scim-system:scim-scim-operator", *names]
