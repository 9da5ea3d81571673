"""The alert rules and the dashboard as the chart ships them, and what their expressions name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.installation import CHART

ALERTS = CHART / "alerts.yaml"
DASHBOARD = CHART / "dashboards" / "scim-operator.json"
Rule = dict[str, Any]

# What of PromQL is used, besides metrics and labels.
_WORDS = {
    *("absent", "count", "histogram_quantile", "increase", "max", "min", "rate", "sum", "time"),
    *("and", "by", "on", "or", "unless"),
}
_STRING = re.compile(r'"[^"]*"')
_SELECTOR = re.compile(r"(\w+)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")


def rules() -> dict[str, Rule]:
    """By the alert's name."""
    found = yaml.safe_load(ALERTS.read_text())
    return {rule["alert"]: rule for group in found["groups"] for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    """The JSON that Grafana takes."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    """Those with data: rows have none."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """(panel, expression) of all panels."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def metrics_of(expression: str) -> set[str]:
    """The names of its metrics: whatever stands in it and is neither a label nor a word of PromQL."""
    bare = _STRING.sub("", expression)
    for part in (_GROUPING, _RANGE):
        bare = part.sub(" ", bare)
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    return set(re.findall(r"[A-Za-z_:][\w:]*", bare)) - _WORDS


def labels_of(expression: str) -> Iterator[tuple[str, set[str]]]:
    """(metric, labels) of each selector in it; ("", labels) of what is grouped or matched by."""
    bare = _STRING.sub('""', expression)
    for metric, selector in _SELECTOR.findall(bare):
        yield metric, set(re.findall(r"(\w+)\s*[=!]", selector))
    for names in _GROUPING.findall(bare):
        yield "", {name.strip() for name in names.split(",")}
