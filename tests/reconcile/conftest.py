"""The plant that most tests work on."""

from __future__ import annotations

import pytest

from tests.reconcile.watched import Watched


@pytest.fixture
def plant() -> Watched:
    """Two people in k8s-red-edit, and the policy that makes team-red for them."""
    return Watched.usual_one()
