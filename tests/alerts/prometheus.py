"""A Prometheus of our own on loopback: it scrapes once a second, and knows the chart's rules."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.alerts.shipped import ALERTS
from tests.cluster.build import build
from tests.cluster.ports import free_ports
from tests.cluster.process import Process
from tests.cluster.waiting import wait_for

_SECONDS = "1s"


def impatient() -> dict[str, Any]:
    """The chart's rules, but that none waits before it fires: with these waits a test would take an hour.

    How long they are is tested by promtool, with time of its own.
    """
    found: dict[str, Any] = yaml.safe_load(ALERTS.read_text())
    for group in found["groups"]:
        group["interval"] = _SECONDS
        for rule in group["rules"]:
            rule.pop("for", None)
    return found


class Prometheus:
    """Scrapes these addresses (`host:port`) under the labels that a PodMonitor's targets have."""

    def __init__(self, state: Path, targets: Sequence[str], namespace: str) -> None:
        folder = state / "prometheus"
        folder.mkdir()
        (folder / "rules.yaml").write_text(yaml.safe_dump(impatient()))
        static = [{"targets": list(targets), "labels": {"namespace": namespace}}]
        config = {
            "global": {"scrape_interval": _SECONDS, "evaluation_interval": _SECONDS},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [{"job_name": "scim-operator", "static_configs": static}],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._address = f"127.0.0.1:{free_ports(1)[0]}"
        self._process = Process.start(
            state,
            "prometheus",
            [
                build(names=["prometheus"])["prometheus"],
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self._address}",
                "--log.level=warn",
            ],
            environment={},
        )
        wait_for("Prometheus", self._is_ready, 30, watching=self._process)

    def stop(self) -> None:
        """Nothing of it stays."""
        self._process.stop()

    def values(self, expression: str) -> list[float]:
        """What an expression gives now, a number a series; those that are none are left out."""
        result = self._ask("query", query=expression)["result"]
        found = [float(series["value"][1]) for series in result]
        return [value for value in found if not math.isnan(value)]

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """Alert -> annotations and labels of each that fires."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in self._ask("alerts")["alerts"]:
            if alert["state"] == "firing":
                told = {**alert["annotations"], **alert["labels"]}
                found.setdefault(alert["labels"]["alertname"], []).append(told)
        return found

    def healthy(self) -> list[str]:
        """What went wrong with each rule's last evaluation; empty: nothing did."""
        groups = self._ask("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=3):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return False

    def _ask(self, what: str, **query: str) -> Any:
        url = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
