"""The run that `python -m tests.node` prepared: its folder, its node, the chart's release on it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.node import node
from tests.node.figures import Figures
from tests.node.isolation import VARIABLE
from tests.node.release import Release


@pytest.fixture(scope="session")
def folder() -> Path:
    if VARIABLE not in os.environ:
        pytest.fail("these tests need a network and images of their own: run `make e2e`", pytrace=False)
    return Path(os.environ[VARIABLE])


@pytest.fixture(scope="session")
def figures(folder: Path) -> Figures:
    return Figures(folder)


@pytest.fixture(scope="session")
def cluster(folder: Path, figures: Figures) -> Cluster:
    """A node, on which nothing runs yet."""
    began = time.monotonic()
    running = node.start(folder)
    figures.add("node Ready, from nothing", time.monotonic() - began, "s")
    return running


@pytest.fixture(scope="session")
def release(cluster: Cluster, figures: Figures) -> Release:
    """`helm install --wait`."""
    began = time.monotonic()
    installed = Release.install(cluster)
    figures.add("helm install --wait", time.monotonic() - began, "s")
    return installed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what is on the node."""
    report = yield
    found = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(found, Cluster):
        for what in ("pods", "events"):
            report.sections.append((what, found.kubectl("get", what, "-A", "-o", "wide", check=False)))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Each step's time, less its fixtures'."""
    if report.when == "call" and report.duration >= 1 and VARIABLE in os.environ:
        name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
        Figures(Path(os.environ[VARIABLE])).add(name, report.duration, "s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures."""
    if VARIABLE in os.environ:
        terminalreporter.section("figures")
        for line in Figures(Path(os.environ[VARIABLE])).table():
            terminalreporter.line(line)
