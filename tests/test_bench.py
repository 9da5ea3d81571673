"""`make bench` in small: it runs, its table and JSON have their shape. Speed is nobody's to assert here."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Comparison, Rate, Spread, percentile
from tests.cluster.build import build
from tests.leftovers import processes_that_know

ROOT = Path(__file__).parents[1]
SMALL = (
    *("--seconds=0.3", "--rounds=2", "--clients=1,3", "--users=6", "--groups=3", "--leavers=2"),
    *("--members=3000", "--changes=6"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """-> what was printed, what was written."""
    build()
    folder = tmp_path_factory.mktemp("bench")
    file = folder / "new" / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", f"--json={file}", *SMALL],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert processes_that_know(folder) == []
    document: dict[str, Any] = json.loads(file.read_text())
    return done.stdout, document


def test_json_says_what_was_measured_where(run: tuple[str, dict[str, Any]]) -> None:
    _, found = run
    sections = {"requests", "leaver", "crowd", "engine"}
    assert set(found) == {"format", "date", "seconds", "machine", "versions", *sections}
    assert found["machine"]["cores"] > 0
    assert {"scim-operator", "kube-apiserver", "etcd"} <= set(found["versions"])
    rows = {(row["operation"], row["clients"]) for row in found["requests"]}
    assert rows == {(name, n) for name in ("create", "get", "filter", "patch") for n in (1, 3)}
    for row in found["requests"]:
        for side in (row["scim"], row["bare"]):
            assert side["requests"] > 0
            assert 0 < side["p50_ms"] <= side["p99_ms"]
            assert math.isclose(side["per_second"], side["requests"] / side["seconds"], rel_tol=0.05)
        assert math.isclose(row["ratio"], row["scim"]["per_second"] / row["bare"]["per_second"], abs_tol=0.01)
    crowd = found["crowd"]
    assert (crowd["members"], crowd["scim"]["count"], crowd["bare"]["count"]) == (3000, 6, 6)
    assert 0 < crowd["scim"]["p50_ms"] <= crowd["scim"]["p99_ms"]
    leaver = found["leaver"]
    assert (leaver["users"], leaver["groups"], leaver["from_answer"]["count"]) == (6, 3, 2)
    assert 0 < leaver["from_answer"]["p50_ms"] < leaver["from_request"]["max_ms"]


def test_the_table_shows_the_same(run: tuple[str, dict[str, Any]]) -> None:
    printed, found = run
    lines = printed.splitlines()
    assert all(len(line) <= 110 for line in lines)
    for row in found["requests"]:
        (line,) = (item for item in lines if item.split()[:2] == [row["operation"], str(row["clients"])])
        shown = [float(word) for word in line.split()[2:]]
        assert shown[-1] == row["ratio"]
        assert math.isclose(shown[0], row["scim"]["per_second"], abs_tol=0.51)
        assert math.isclose(shown[3], row["bare"]["per_second"], abs_tol=0.51)
    assert "until the first 403" in printed


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == 7
    assert Spread.of([0.001, 0.002, 0.003]) == Spread(3, 2.0, 3.0, 3.0)


def test_a_ratio_is_of_rates() -> None:
    assert Comparison("get", 1, Rate.of([0.1] * 10, 1.0), Rate.of([0.1] * 4, 2.0)).ratio == 5.0
