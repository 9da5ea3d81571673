"""A store over an API server that does as a test says."""

from __future__ import annotations

import pytest

from tests.directory.provider import Provider


@pytest.fixture
def provider() -> Provider:
    """An empty cluster."""
    return Provider()
