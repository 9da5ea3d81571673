"""docs/scim.md shows what is really answered."""

from __future__ import annotations

import itertools

from tests.web.documented import exchanges, identifier
from tests.web.endpoint import Endpoint


async def test_what_the_page_shows_is_answered() -> None:
    endpoint = Endpoint("https://HOST")
    numbers = itertools.count()
    endpoint.store._new_id = lambda: identifier(next(numbers))
    shown = exchanges()
    assert len(shown) >= 6
    async with endpoint.http:
        for one in shown:
            answer = await endpoint.ask(one.method, one.path, one.body, headers=one.headers)
            content = await answer.read()
            assert answer.status == one.status, (one.path, content)
            assert (await answer.json(content_type=None) if content else None) == one.answer
