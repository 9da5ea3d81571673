"""The pytest fixture: one cluster for a test session; conftest.py imports it from here.

Sessions of pytest side by side (or its workers) each get a cluster of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster.build import build
from tests.cluster.cluster import Cluster

__all__ = ["cluster"]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster, shared by all tests of the session: make namespaces and names of your own in it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        build()
    else:
        # A first build takes minutes: pytest must not swallow its signs of life.
        with capture.global_and_fixture_disabled():
            build()
    # On failure the error names the log, which lies under pytest's own temporary folder and is kept there.
    running = Cluster.start(tmp_path_factory.mktemp("cluster") / "state", tied=True)
    failed_before = request.session.testsfailed
    yield running
    running.stop()
    if request.session.testsfailed > failed_before:
        print(f"\nthe test cluster's logs: {running.state / 'logs'}")
