"""What rules and dashboard name exists; every alert is explained; the dashboard is one that Grafana takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.shipped import dashboard, labels_of, metrics_of, panels, queries, rules
from tests.test_metrics import documented, registered

RUNBOOK = Path(__file__).parents[2] / "docs" / "alerts.md"
# Of a Python process, as the client library has them.
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
# Whoever scrapes puts these on; `le` is a bucket's.
SCRAPED = {"cluster", "namespace", "pod", "job", "instance", "le"}
EXPRESSIONS = [rule["expr"] for rule in rules().values()] + [expression for _, expression in queries()]
_SERIES = ("_bucket", "_sum", "_count")


def metric_of(series: str) -> str:
    """A histogram's series are named after it."""
    kinds = registered()
    whole = next((series.removesuffix(end) for end in _SERIES if series.endswith(end)), series)
    return whole if kinds.get(whole) == "histogram" else series


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_metrics_and_labels_exist(expression: str) -> None:
    known = documented()
    named = {metric_of(series) for series in metrics_of(expression)}
    assert named
    assert named <= known.keys() | PROCESS
    labels = SCRAPED.union(*(known[metric][1] for metric in named & known.keys()))
    for series, used in labels_of(expression):
        assert used <= (SCRAPED | known[metric_of(series)][1] if series else labels)


def test_an_unknown_metric_is_seen() -> None:
    expression = 'sum by (directory) (rate(scim_operator_reqests_total{status="5.."}[5m])) unless on (x) y'
    assert metrics_of(expression) == {"scim_operator_reqests_total", "y"}
    assert list(labels_of(expression)) == [
        ("scim_operator_reqests_total", {"status"}),
        ("", {"directory"}),
        ("", {"x"}),
    ]


# --- alerts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", rules())
def test_an_alert_says_what_is_wrong_and_what_to_type(name: str) -> None:
    rule = rules()[name]
    assert name.startswith("ScimOperator")
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert rule["annotations"].keys() == {"summary", "description"}
    assert len(rule["annotations"]["summary"]) <= 120
    assert re.search(r"kubectl |scim-operator token ", rule["annotations"]["description"])
    # Only what the expression keeps can be told.
    told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    kept = set().union(*(labels for series, labels in labels_of(rule["expr"]) if not series))
    assert told <= kept


def test_every_alert_is_in_the_runbook_and_no_other() -> None:
    headings = re.findall(r"^### (ScimOperator\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert headings == list(rules())


# --- dashboard ---------------------------------------------------------------------------------------------


def test_panels_lie_side_by_side() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_panels_have_what_grafana_asks_for() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({panel["title"] for panel in panels()}) == len(panels())
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == [
        *("At a glance", "Provisioning", "Access", "Guard", "Tokens", "Leadership", "Process"),
    ]
    for panel in panels():
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert _source(panel) == SOURCE
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        assert all(_source(target) == SOURCE for target in panel["targets"])


SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _source(item: dict[str, Any]) -> Any:
    return item["datasource"]


def test_variables_are_defined() -> None:
    """One to choose the data source by; no Prometheus is written into the file."""
    board = dashboard()
    variables = {item["name"]: item for item in board["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "directory"]
    assert variables["datasource"]["type"] == "datasource"
    assert all(_source(variables[name]) == SOURCE for name in ("namespace", "directory"))
    used = {name for _, expression in queries() for name in re.findall(r"\$\{?(\w+)", expression)}
    assert used == {"namespace", "directory", "__rate_interval"}


def test_every_panel_can_be_narrowed_to_a_namespace() -> None:
    for title, expression in queries():
        assert 'namespace=~"$namespace"' in expression, title
