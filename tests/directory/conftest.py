"""A store over an API server that does as a test says."""

from __future__ import annotations

import pytest

from scim_operator.directory import layout
from tests.directory.provider import Provider


@pytest.fixture
def provider() -> Provider:
    """An empty cluster."""
    return Provider()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of nothing: four members fit into a ScimGroup, two to four into a shard, six into an intent."""
    for name, value in {"MOST_INLINE": 4, "_INLINE_AGAIN": 2, "_AIM": 2, "_MOST": 4, "_FEWEST": 1}.items():
        monkeypatch.setattr(layout, name, value)
    monkeypatch.setattr(layout, "MAX_PENDING", 6)
