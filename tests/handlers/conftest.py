"""kopf in the tests' own process, which nothing may end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scim_operator.handlers import running


@pytest.fixture
def never_given_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What would end the process in the operator's place fails the test."""
    ended: list[None] = []
    monkeypatch.setattr(running, "_give_up", lambda: ended.append(None))
    yield
    assert not ended, "kopf didn't come to its end in time"
