"""Fixtures of all tests: the cluster, and the operator installed in it; and what is compared after all."""

from tests.audited import (
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_unconfigure,
)
from tests.cluster.fixtures import built, cluster, pytest_runtest_makereport
from tests.installation import operator

__all__ = [
    "built",
    "cluster",
    "operator",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_unconfigure",
]
