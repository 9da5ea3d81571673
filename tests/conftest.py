"""Fixtures of all tests: the cluster, and the operator installed in it; and what is compared after all.

Hypothesis draws the same examples in every run: a change isn't judged by what another one left. New ones are
looked for by `HYPOTHESIS_PROFILE=search`; what that finds becomes an `@example`.
"""

import os

from hypothesis import settings

from tests.audited import (
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_unconfigure,
)
from tests.cluster.fixtures import built, cluster, pytest_runtest_makereport
from tests.installation import operator

settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

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
