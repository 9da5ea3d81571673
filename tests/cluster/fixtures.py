"""The pytest fixtures: one cluster for a test session; conftest.py imports them from here.

Sessions of pytest side by side (or its workers) each get a cluster of their own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.cluster.build import build
from tests.cluster.cluster import Cluster

__all__ = ["built", "cluster", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> None:
    """The programs of a cluster are there."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        build()
    else:
        # A first build takes minutes: pytest must not swallow its signs of life.
        with capture.global_and_fixture_disabled():
            build()


@pytest.fixture(scope="session")
def cluster(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster, shared by all tests of the session: make namespaces and names of your own in it."""
    # When the start fails, its error names the log; pytest keeps the folder.
    running = Cluster.start(tmp_path_factory.mktemp("cluster") / "state", tied=True)
    yield running
    running.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure names the logs of the cluster that it happened in."""
    report = yield
    used = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(used, Cluster):
        report.sections.append(("test cluster", f"logs: {used.state / 'logs'}"))
    return report
