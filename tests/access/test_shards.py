"""How people are spread over a place's bindings, and that nobody is in none of them on the way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.access.bindings import Who
from scim_operator.access.shards import shard_count, spread, written_first, written_last

Contents = dict[int, frozenset[Who]]


def who(*names: str) -> frozenset[Who]:
    return frozenset(("User", name) for name in names)


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
    assert frozenset().union(*shards.values()) == who(*people(1000))
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
    users, groups = spread("User", names, 8), spread("Group", names, 8)
    assert {s: {n for _, n in found} for s, found in users.items()} != {
        s: {n for _, n in found} for s, found in groups.items()
    }


# --- rewriting ----------------------------------------------------------------------------------------------

EVERYBODY: list[Who] = [*(("User", f"p{n}") for n in range(9)), ("Group", "p0"), ("Group", "g")]
NAMES = st.frozensets(st.sampled_from(EVERYBODY))
SHARDS = st.integers(0, 3)
CONTENTS = st.dictionaries(SHARDS, NAMES)


@st.composite
def wanted(draw: st.DrawFn) -> Contents:
    """Everybody in one shard at most."""
    found: dict[int, set[Who]] = {}
    for name in draw(NAMES):
        found.setdefault(draw(SHARDS), set()).add(name)
    return {shard: frozenset(names) for shard, names in found.items()}


def standing(contents: Contents) -> frozenset[Who]:
    return frozenset().union(*contents.values())


@given(CONTENTS, wanted(), NAMES, st.randoms(), st.frozensets(SHARDS), st.booleans())
def test_nobody_who_stays_is_ever_out(
    actual: Contents,
    desired: Contents,
    known: frozenset[Who],
    order: random.Random,
    refused: frozenset[int],
    failed: bool,
) -> None:
    """Whatever the order within a stage, and whichever shards can't be added to (403, 422, 500)."""
    leaving = known - standing(desired)
    unknown = standing(actual) - standing(desired) - leaving
    staying = standing(actual) & standing(desired)
    now = dict(actual)

    def write(contents: Contents) -> None:
        shards = sorted(contents)
        order.shuffle(shards)
        for shard in shards:
            if shard in refused and contents[shard] - now.get(shard, frozenset()):
                continue
            now[shard] = contents[shard]
            assert staying <= standing(now)
            if several and not comers <= standing(now) and (failed or not refused):
                assert unknown <= standing(now), "they may be those who come"

    several = len(written_first(actual, desired, leaving)) > 1
    comers = standing(desired) if failed else standing(desired) - standing(actual)
    write(written_first(now, desired, leaving))
    write(written_last(now, desired, unknown if failed else frozenset()))
    if not refused and not failed:
        assert {shard: names for shard, names in now.items() if names} == desired
    if not refused:
        assert not standing(now) & leaving, "who is known to leave waits for nobody"


def test_one_shard_is_written_once() -> None:
    actual, desired = {0: who("old", "stays")}, {0: who("new", "stays")}
    assert written_first(actual, desired, frozenset()) == desired
    assert written_last(desired, desired) == desired


def test_who_leaves_a_shard_may_be_who_comes_to_another() -> None:
    """A changed template of subjects renames everybody: the old names go when all new ones are there."""
    actual, desired = {0: who("a-old"), 1: who("b-old")}, {0: who("b-new"), 1: who("a-new")}
    first = written_first(actual, desired, frozenset())
    assert first == {0: who("a-old", "b-new"), 1: who("a-new", "b-old")}
    assert written_last(first, desired) == desired


def test_who_is_known_to_leave_leaves_with_the_first_writes() -> None:
    actual, desired = {0: who("leaver", "a-old")}, {0: who("b-new"), 1: who("a-new")}
    assert written_first(actual, desired, who("leaver"))[0] == who("a-old", "b-new")


def test_people_stay_until_their_group_stands_there_and_the_other_way_round() -> None:
    group: frozenset[Who] = frozenset({("Group", "g")})
    assert written_first({0: group}, {0: who("a"), 1: who("b")}, frozenset())[0] == group | who("a")
    assert written_first({0: who("a"), 1: who("b")}, {0: group}, frozenset()) == {0: group}


def test_leaver_beside_nobody_who_comes_leaves_at_once() -> None:
    actual, desired = {0: who("leaver", "a"), 1: who("b")}, {0: who("a"), 1: who("b")}
    assert written_first(actual, desired, frozenset()) == {}
    assert written_last(actual, desired) == desired


def test_who_cant_be_put_where_they_belong_stays_once() -> None:
    actual, desired = {0: who("a"), 2: who("a")}, {1: who("a")}
    assert written_last(actual, desired) == {0: who("a"), 1: who("a"), 2: frozenset()}


def test_names_chosen_to_meet_make_no_thousand_shards() -> None:
    meeting: list[str] = []
    number = 0
    while len(meeting) < 257:
        if spread("User", frozenset({f"x{number}"}), 64).keys() == {0}:
            meeting.append(f"x{number}")
        number += 1
    assert shard_count(1, "User", frozenset(meeting)) <= 16
