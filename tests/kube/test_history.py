"""A cluster restored to an older state is told by its revisions, and nothing else is taken for it."""

from __future__ import annotations

import asyncio

import pytest

from scim_operator.kube.history import History
from scim_operator.kube.resources import EVENTS, SECRETS, Resource

USERS = Resource("scim-operator.io", "v1alpha1", "scimusers", "ScimUser")


async def is_over(history: History) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await history.over()
    except TimeoutError:
        return False
    return True


async def test_lower_revision_than_before_the_question_ends_it() -> None:
    history = History()
    history.saw(USERS, "100")
    since = history.newest
    history.saw(USERS, "120")  # written while the list was on its way
    history.goes_on(USERS, since, "110")
    assert not await is_over(history)
    history.goes_on(USERS, since, "99")
    assert await is_over(history)


@pytest.mark.parametrize("resource", [EVENTS, SECRETS])
async def test_built_in_kinds_may_lie_in_another_etcd(resource: Resource) -> None:
    history = History()
    history.saw(resource, "1000000")
    assert history.newest == 0
    history.goes_on(resource, 100, "1")
    assert not await is_over(history)


@pytest.mark.parametrize("version", ["", "opaque"])
async def test_what_is_no_revision_says_nothing(version: str) -> None:
    history = History()
    history.goes_on(USERS, 100, version)
    assert not await is_over(history)
