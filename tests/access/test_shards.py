"""How people are spread over a place's bindings, and that nobody is in none of them on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.access.shards import shard_count, spread, written_first, written_last

Contents = dict[int, frozenset[str]]


def people(number: int) -> frozenset[str]:
    return frozenset(f"person{n}@example.com" for n in range(number))


@pytest.mark.parametrize(
    ("current", "number", "count"),
    [
        (1, 0, 1),
        (1, 256, 1),
        (1, 257, 2),
        (1, 10_000, 64),
        (2, 257, 2),
        (2, 200, 2),  # halved only when both are small
        (2, 100, 1),
        (2, 0, 1),
        (64, 10_000, 64),
        (64, 300, 4),  # 8 would have none of 64, and so would 4 have none of 256: one step at a time
        (1024, 3, 1),
    ],
)
def test_count(current: int, number: int, count: int) -> None:
    assert shard_count(current, "User", people(number)) == count


def test_count_doesnt_flap() -> None:
    for number in range(1, 2000, 7):
        for current in (1, 2, 4, 8, 16):
            count = shard_count(current, "User", people(number))
            assert shard_count(count, "User", people(number)) == count


def test_everybody_is_in_one_shard() -> None:
    shards = spread("User", people(1000), 8)
    assert shards.keys() == set(range(8))
    assert frozenset().union(*shards.values()) == people(1000)
    assert sum(map(len, shards.values())) == 1000


def test_doubling_moves_people_to_the_upper_half_alone() -> None:
    before, after = spread("User", people(1000), 4), spread("User", people(1000), 8)
    for shard, names in before.items():
        assert after[shard] | after[shard + 4] == names


def test_one_person_changes_one_shard() -> None:
    before, after = spread("User", people(1000), 8), spread("User", people(1000) - {"person7@example.com"}, 8)
    assert len([shard for shard in before if before[shard] != after[shard]]) == 1


def test_groups_and_people_of_one_name_are_two_subjects() -> None:
    names = people(50)
    assert spread("User", names, 8) != spread("Group", names, 8)


# --- rewriting ----------------------------------------------------------------------------------------------

NAMES = st.frozensets(st.sampled_from([f"p{n}" for n in range(12)]))
SHARDS = st.integers(0, 3)
CONTENTS = st.dictionaries(SHARDS, NAMES)


@st.composite
def wanted(draw: st.DrawFn) -> Contents:
    """Everybody in one shard at most."""
    found: dict[int, set[str]] = {}
    for name in draw(NAMES):
        found.setdefault(draw(SHARDS), set()).add(name)
    return {shard: frozenset(names) for shard, names in found.items()}


def standing(contents: Contents) -> frozenset[str]:
    return frozenset().union(*contents.values())


@given(CONTENTS, wanted(), st.randoms(), st.frozensets(SHARDS))
def test_nobody_who_stays_is_ever_out(
    actual: Contents, desired: Contents, order: object, refused: frozenset[int]
) -> None:
    """Whatever the order within a stage, and whichever shards can't be added to (403, 422, 500)."""
    staying = standing(actual) & standing(desired)
    now = dict(actual)

    def write(contents: Contents) -> None:
        shards = sorted(contents)
        order.shuffle(shards)  # type: ignore[attr-defined]
        for shard in shards:
            if shard in refused and contents[shard] - now.get(shard, frozenset()):
                continue
            now[shard] = contents[shard]
            assert staying <= standing(now)

    write(written_first(now, desired))
    last = written_last(now, desired)
    write({**dict.fromkeys(now, frozenset()), **last})
    assert standing(now) <= standing(desired) | standing(
        {shard: now[shard] for shard in refused if shard in now}
    )
    if not refused:
        assert {shard: names for shard, names in now.items() if names} == desired


def test_one_shard_is_written_once() -> None:
    actual, desired = {0: frozenset({"old", "stays"})}, {0: frozenset({"new", "stays"})}
    assert written_first(actual, desired) == desired
    assert written_last(desired, desired) == desired


def test_who_leaves_a_shard_may_be_who_comes_to_another() -> None:
    """A changed template of subjects renames everybody: the old names go when all new ones are there."""
    actual = {0: frozenset({"a-old"}), 1: frozenset({"b-old"})}
    desired = {0: frozenset({"b-new"}), 1: frozenset({"a-new"})}
    assert written_first(actual, desired) == {
        0: frozenset({"a-old", "b-new"}),
        1: frozenset({"a-new", "b-old"}),
    }
    assert written_last(written_first(actual, desired), desired) == desired


def test_leaver_beside_nobody_who_comes_leaves_at_once() -> None:
    actual, desired = (
        {0: frozenset({"leaver", "a"}), 1: frozenset({"b"})},
        {0: frozenset({"a"}), 1: frozenset({"b"})},
    )
    assert written_first(actual, desired) == {}
    assert written_last(actual, desired) == desired


def test_who_cant_be_put_where_they_belong_stays_once() -> None:
    actual, desired = {0: frozenset({"a"}), 2: frozenset({"a"})}, {1: frozenset({"a"})}
    assert written_last(actual, desired) == {0: frozenset({"a"}), 1: frozenset({"a"})}
