"""Fixtures of all tests: the cluster, and the operator installed in it."""

from tests.cluster.fixtures import built, cluster, pytest_runtest_makereport
from tests.installation import operator

__all__ = ["built", "cluster", "operator", "pytest_runtest_makereport"]
