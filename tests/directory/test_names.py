"""Object names: readable, valid, and the same for the same person whoever writes it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.directory.names import object_name
from scim_operator.scim.attributes import fold

VALID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LOOKALIKES = st.text(alphabet="aAsS\u00df\u017f\u1e9ekK\u212aiI\u0130\u0131\ufb01fi\uff21 -.@", max_size=6)


def slug(name: str) -> str:
    return name[:-11]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("Ada@Example.com", "ada-example-com"),
        ("ada", "ada"),
        ("  Ada  ", "ada"),
        ("Zoë Müller", "zoe-muller"),
        ("\uff21\uff44\uff41", "ada"),
        ("Straße", "strasse"),
        ("../../etc", "etc"),
        ("a" * 60, "a" * 40),
        ("a" * 39 + "@b", "a" * 39),
    ],
)
def test_slug_of_a_key(key: str, expected: str) -> None:
    assert slug(object_name("entra", "User", key)) == expected


@pytest.mark.parametrize("key", ["山田太郎", "Иван", "@@@", "\U0001f600"])
def test_key_without_a_usable_letter(key: str) -> None:
    assert slug(object_name("entra", "User", key)) == "user"
    assert slug(object_name("entra", "Group", key)) == "group"


def test_name_never_changes() -> None:
    # Another name for the same person would be a second object after an upgrade.
    assert object_name("entra", "User", "Ada@Example.com") == "ada-example-com-b085815dd4"
    assert object_name("entra", "Group", "k8s-red-edit", 2) == "k8s-red-edit-b87a53ed47"


def test_everything_that_tells_people_apart_is_in_the_hash() -> None:
    names = {
        object_name(directory, kind, key, attempt)
        for directory in ("entra", "okta")
        for kind in ("User", "Group")
        for key in ("a", "b", "a.b", "a-b")
        for attempt in (0, 1)
    }
    assert len(names) == 2 * 2 * 4 * 2


def test_parts_do_not_run_into_each_other() -> None:
    assert object_name("a", "User", "b0", 1) != object_name("a", "User", "b", 1)
    assert object_name("entra", "User", "x", 11) != object_name("entra", "User", "x1", 1)


@given(st.text(max_size=80), st.integers(0, 9))
def test_any_key_makes_a_valid_name(key: str, attempt: int) -> None:
    name = object_name("entra", "User", key, attempt)
    assert VALID.fullmatch(name)
    assert len(name) <= 51


@given(LOOKALIKES, LOOKALIKES)
def test_same_name_exactly_when_the_keys_compare_equal(one: str, other: str) -> None:
    same = object_name("entra", "User", one) == object_name("entra", "User", other)
    assert same is (fold(one) == fold(other))
