"""A replica that stands by, and kinds that weren't there when it began."""

from __future__ import annotations

from typing import Any, cast

import pytest

from scim_operator.directory import feed
from scim_operator.directory.directories import Directories
from scim_operator.directory.standby import Standby
from scim_operator.kube.errors import ApiError
from tests.directory.provider import Provider


@pytest.mark.parametrize(("status", "tells"), [(404, True), (503, False)])
async def test_a_kind_that_comes_later_is_told_of(
    monkeypatch: pytest.MonkeyPatch, status: int, tells: bool
) -> None:
    """The watches don't know it: only a new process does. An API server that was away is no such thing."""
    monkeypatch.setattr(feed, "_FIRST_PAUSE", 0.01)
    provider, told, tries = Provider(), [], 0
    listing = provider.api.list

    async def list_later(*arguments: Any, **more: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ApiError(status, "NotNow", "")
        return await listing(*arguments, **more)

    provider.api.list = list_later  # type: ignore[method-assign]
    stands_by = Standby(cast(Any, provider.api), provider.index, Directories(), lambda: told.append(tries))
    await stands_by.list_until_listed()
    assert stands_by.listed
    assert bool(told) is tells
