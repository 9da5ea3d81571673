"""What the chart makes around the operator: where pods go, who reaches them, and what helm runs beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.chart.renderer import Renderer

OPERATOR = "scim-scim-operator"


def test_common_labels_and_annotations_are_everywhere_and_unhook_nothing(chart: Renderer) -> None:
    values = {
        "commonLabels": {"team": "platform", "app.kubernetes.io/name": "other"},
        "commonAnnotations": {"owner": "platform", "helm.sh/resource-policy": "delete"},
        "directories": [{"name": "entra"}],
        "ingress": {"enabled": True, "host": "scim.example.com", "annotations": {"owner": "network"}},
        "gateway": {"enabled": True, "parentRefs": [{"name": "public"}]},
        "podMonitor": {"enabled": True, "interval": "30s"},
        "networkPolicy": {"enabled": True},
    }
    more = [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
    for item in chart.objects(*more):
        metadata = item["metadata"]
        what = f"{item['kind']} {metadata['name']}"
        assert metadata["labels"]["team"] == "platform", what
        assert metadata["labels"]["app.kubernetes.io/name"].startswith("scim-operator"), what
        if "helm.sh/hook" not in metadata["annotations"]:
            owner = "network" if item["kind"] == "Ingress" else "platform"
            assert metadata["annotations"]["owner"] == owner, what
    directory = chart.one("ScimDirectory", *more)
    assert directory["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    spec = chart.one("Deployment", *more)["spec"]
    pod = spec["template"]["metadata"]
    assert pod["labels"]["team"] == pod["annotations"]["owner"] == "platform"
    assert spec["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "scim-operator",
        "app.kubernetes.io/instance": "scim",
    }


def test_replicas_go_to_different_nodes_as_the_values_say(chart: Renderer) -> None:
    def affinity(*values: str) -> dict[str, Any]:
        pod = chart.one("Deployment", *(part for value in values for part in ("--set-json", value)))
        found: dict[str, Any] = pod["spec"]["template"]["spec"].get("affinity", {})
        return found

    (preferred,) = affinity()["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    (required,) = affinity('antiAffinity="Required"')["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert preferred["podAffinityTerm"] == required
    assert required["topologyKey"] == "kubernetes.io/hostname"
    assert affinity('antiAffinity="None"') == affinity("replicas=1") == {}
    theirs: dict[str, Any] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert affinity(f"affinity={json.dumps(theirs)}") == theirs
    elsewhere: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert affinity(f"affinity={json.dumps(elsewhere)}").keys() == {"nodeAffinity", "podAntiAffinity"}


def test_a_network_policy_reaches_the_operator_and_what_tests_it(chart: Renderer) -> None:
    policy = chart.one("NetworkPolicy", "--set", "networkPolicy.enabled=true")
    selected = policy["spec"]["podSelector"]["matchLabels"].items()
    assert selected <= chart.one("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert selected <= chart.one("Pod")["metadata"]["labels"].items()
    (container,) = chart.one("Deployment")["spec"]["template"]["spec"]["containers"]
    opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert opened == {port["containerPort"] for port in container["ports"]}


def test_the_hook_may_write_our_crds_and_no_others(chart: Renderer, root: Path) -> None:
    role = chart.one("ClusterRole", "--set", "crds.upgradeHook=true", name=f"{OPERATOR}-crds")
    (rule,) = role["rules"]
    assert rule["resourceNames"] == [
        yaml.safe_load(path.read_text())["metadata"]["name"] for path in sorted((root / "crds").iterdir())
    ]
    assert rule["verbs"] == ["get", "create", "patch"]
    assert role["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == (
        "before-hook-creation,hook-succeeded"
    )


def test_helm_test_has_no_rights_but_to_make_tokens_of_directories(chart: Renderer) -> None:
    """And all that it has goes with it."""
    value = json.dumps([{"name": "entra"}, {"name": "okta"}])
    objects = chart.objects("--set-json", f"directories={value}")
    parts = [item for item in objects if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert [item["kind"] for item in parts] == ["ServiceAccount", "Role", "RoleBinding", "Pod"]
    for item in parts:
        annotations = item["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    _, role, binding, pod = parts
    make, delete = role["rules"]
    assert make == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
    names = ["scim-test-connection-entra", "scim-test-connection-okta"]
    assert delete == {**make, "verbs": ["delete"], "resourceNames": names}
    (subject,) = binding["subjects"]
    assert subject["name"] == pod["spec"]["serviceAccountName"] != OPERATOR
    # The operator's Service, disruption budget and replicas are others.
    selector = chart.one("Service", name=OPERATOR)["spec"]["selector"]
    assert not selector.items() <= pod["metadata"]["labels"].items()


def test_without_directories_helm_test_has_no_rights_at_all(chart: Renderer) -> None:
    assert chart.one("Role", name=f"{OPERATOR}-test-connection")["rules"] == []
