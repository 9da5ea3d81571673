"""Entity tags and the conditions that are made of them."""

from __future__ import annotations

import pytest

from scim_operator.scim.errors import ScimError
from scim_operator.scim.versions import Conditions, entity_tag, read_tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('W/"3"', {"3"}),
        ('w/"3"', {"3"}),
        ('"3"', {"3"}),
        ('W/"3", "4" ,W/"5"', {"3", "4", "5"}),
        ('W/"3","a,b"', {"3", "a,b"}),
        (',W/"3",,', {"3"}),
        ('W/""', {""}),
        ('"*"', {"*"}),
    ],
)
def test_tags(text: str, tags: set[str]) -> None:
    assert read_tags("If-Match", text) == {f'"{tag}"' for tag in tags}


@pytest.mark.parametrize("text", ["", "3", "W/3", 'W/"3', '"3" or "4"', "*, *", '* "3"', 'W/ "3"', "\x00"])
def test_what_is_no_list_of_tags(text: str) -> None:
    with pytest.raises(ScimError) as caught:
        read_tags("If-Match", text)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidValue")
    assert "If-Match" in caught.value.detail


@pytest.mark.parametrize(
    ("match", "none_match", "holds"),
    [
        (None, None, True),
        ('W/"3"', None, True),
        ('"2", W/"3"', None, True),
        ('W/"2"', None, False),
        ('W/"33"', None, False),
        (" * ", None, True),
        ('"*"', None, False),
        (None, 'W/"3"', False),
        (None, 'W/"2"', True),
        (None, "*", False),
        ('W/"3"', 'W/"2"', True),
        ('W/"3"', 'W/"3"', False),
    ],
)
def test_conditions_of_a_change(match: str | None, none_match: str | None, holds: bool) -> None:
    conditions = Conditions(
        None if match is None else read_tags("If-Match", match),
        None if none_match is None else read_tags("If-None-Match", none_match),
    )
    if holds:
        conditions.check("3")
        return
    with pytest.raises(ScimError) as caught:
        conditions.check("3")
    assert caught.value.status == 412
    assert entity_tag("3") in caught.value.detail
