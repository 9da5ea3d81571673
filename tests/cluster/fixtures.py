"""The pytest fixtures: one cluster for a test session; conftest.py imports them from here.

Sessions of pytest side by side (or its workers) each get a cluster of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.build import build
from tests.cluster.cluster import Cluster

__all__ = ["built", "cluster"]


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
def cluster(
    request: pytest.FixtureRequest, built: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A running cluster, shared by all tests of the session: make namespaces and names of your own in it."""
    # When the start fails, its error names the log; pytest keeps the folder.
    running = Cluster.start(tmp_path_factory.mktemp("cluster") / "state", tied=True)
    yield running
    running.stop()
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    if request.session.testsfailed and reporter is not None:
        reporter.write_line(f"\nlogs of the test cluster: {running.state / 'logs'}")
