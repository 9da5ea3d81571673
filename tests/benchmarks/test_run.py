"""`make bench` in small: every section runs, table, JSON and charts have their shape. No speed counts."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sections.operations import OPERATIONS
from benchmarks.sizes import SECTIONS
from tests.cluster.build import build
from tests.leftovers import processes_that_know

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SMALL = (
    *("--clients=2", "--rounds=1", "--seconds=0.1", "--lifecycle=0.1", "--cycle=30", "--leavers=2"),
    *("--growth=20,30", "--restarts=40", "--crowd=40", "--changes=2"),
)


@dataclass(frozen=True)
class Run:
    """What was printed, and the folder with what was written."""

    printed: str
    folder: Path

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "figures.json").read_text())
        return found

    def section(self, letter: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document["sections"][letter]
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    build()
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", f"--out={folder / 'new'}", *SMALL],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert processes_that_know(folder) == []
    return Run(done.stdout, folder / "new")


def test_all_is_written(run: Run) -> None:
    charts = {f"{letter}.svg" for letter in SECTIONS}
    assert {path.name for path in run.folder.iterdir()} == {"figures.json", "figures.md", *charts}
    for chart in charts:
        assert ET.parse(run.folder / chart).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    page = (run.folder / "figures.md").read_text()
    assert all(f"({chart})" in page for chart in charts)


def test_json_says_what_was_measured_where(run: Run) -> None:
    found = run.document
    assert list(found["sections"]) == list(SECTIONS)
    assert found["machine"]["cores"] > 0
    assert {"scim-operator", "commit", "kube-apiserver", "etcd"} <= set(found["versions"])


def test_requests(run: Run) -> None:
    rows = run.section("a")["rows"]
    assert [(row["operation"], row["clients"]) for row in rows] == [(name, 2) for name in OPERATIONS]
    for row in rows:
        reads = row["operation"].startswith(("get", "filter", "list"))
        assert (row["handler"] is not None) == reads
        for side in (row["scim"], row["bare"], *([row["handler"]] if reads else [])):
            assert side["requests"] > 0
            assert 0 < side["p50_ms"] <= side["p99_ms"]
            assert math.isclose(side["per_second"], side["requests"] / side["seconds"], rel_tol=0.05)
        assert math.isclose(row["ratio"], row["scim"]["per_second"] / row["bare"]["per_second"], abs_tol=0.01)
    assert len(run.section("b")["steps"]) == 13


def test_company(run: Run) -> None:
    cycle = run.section("c")
    assert (cycle["users"], cycle["groups"]) == (30, 3)
    assert [step["users"] for step in cycle["steps"]] == [20, 30]
    # Each user and group is looked up and posted; each group's few members come in one PATCH.
    assert [step["requests"] for step in cycle["steps"]] == [2 * 20 + 3 * 2, 2 * 10 + 3]
    assert sum(step["writes"]["scimusers"] for step in cycle["steps"]) == 30
    assert cycle["second"]["requests"] == 30 + 2 * 3
    assert not {"scimusers", "scimgroups", "rolebindings", "namespaces"} & set(cycle["second"]["writes"])
    assert run.section("d")["from_answer"]["count"] == 2
    assert 0 < run.section("d")["bindings"] <= 3
    assert [(one["users"], one["groups"]) for one in run.section("f")["restarts"]] == [(40, 4)]
    for one in run.section("f")["restarts"]:
        assert 0 < one["answering_seconds"] <= one["converged_seconds"]
        assert 20 < one["memory_mib"] <= one["most_memory_mib"]
        assert one["index_bytes_per_user"] > 1000
    assert [stop["users"] for stop in run.section("g")["stops"]] == [20, 30]
    late = run.section("h")["sections"]
    assert list(late) == ["c, up to 20 users", "c, up to 30 users", "e"]
    for one in late.values():
        assert 0 <= one["above_ms"] < one["at_most_ms"]
        assert 0 <= one["later"] <= one["samples"]
    crowd = run.section("e")
    assert (crowd["members"], len(crowd["operations"]), crowd["bare"]["count"]) == (40, 7, 2)


def test_the_table_shows_the_goals(run: Run) -> None:
    lines = run.printed.splitlines()
    assert all(len(line) <= 120 for line in lines), max(lines, key=len)
    shown = [line for line in lines if ">=" in line or "<=" in line]
    goals = [goal for section in run.document["sections"].values() for goal in section["goals"]]
    assert [(goal["goal"], goal["met"]) for goal in goals] == [
        (line[2:60].rstrip(), line.endswith(" met")) for line in shown
    ]
