"""Where the members of a group are stored, and which writes carry out a change."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.directory.layout import Delta, Way, delta_of, left_over, merged, shard_count, way
from scim_operator.directory.members import Members, divided, part_of
from scim_operator.scim.members import MemberChange

IDS = st.integers(0, 12).map(str)
DELTAS = st.tuples(st.sets(IDS), st.sets(IDS)).map(
    lambda sets: Delta(tuple(sorted(sets[0])), tuple(sorted(sets[1] - sets[0])))
)


@pytest.mark.parametrize(
    ("members", "current", "count"),
    [
        (0, 0, 0),
        (2_000, 0, 0),
        (2_001, 0, 4),
        (50_000, 0, 64),
        (100_000, 0, 128),
        # as many as are near enough stay
        (2_001, 4, 4),
        (8_000, 4, 4),
        (8_001, 4, 16),
        (1_001, 4, 4),
        (1_000, 4, 0),
        (16_000, 64, 64),
        (15_999, 64, 16),
    ],
)
def test_shard_count(members: int, current: int, count: int) -> None:
    assert shard_count(members, current) == count


@given(st.integers(0, 300_000), st.sampled_from([0, 1, 2, 4, 16, 64, 256]))
def test_a_new_count_is_one_that_stays(members: int, current: int) -> None:
    count = shard_count(members, current)
    assert shard_count(members, count) == count
    assert count == 0 or count & (count - 1) == 0


def ids(part: int, number: int, count: int = 4) -> tuple[str, ...]:
    """So many ids of one part."""
    found = (str(candidate) for candidate in range(100_000))
    return tuple(islice((name for name in found if part_of(name, count) == part), number))


@pytest.mark.parametrize(
    ("current", "members", "pending", "delta", "document", "expected"),
    [
        (0, 2_000, {}, Delta(("a",)), False, Way.INLINE),
        (0, 2_001, {}, Delta(("a",)), False, Way.GENERATION),
        (4, 3_000, {}, Delta(ids(1, 3)), False, Way.SHARD),
        (4, 3_000, {}, Delta(ids(1, 1), ids(1, 2)[1:]), False, Way.SHARD),
        # what is to come goes first, and a description is in the ScimGroup
        (4, 3_000, {"x": True}, Delta(ids(1, 3)), False, Way.INTENT),
        (4, 3_000, {}, Delta(ids(1, 3)), True, Way.INTENT),
        (4, 3_000, {}, Delta(), True, Way.INTENT),
        (4, 3_000, {}, Delta((*ids(1, 1), *ids(2, 1))), False, Way.INTENT),
        (16, 20_000, {}, Delta(tuple(map(str, range(10_000)))), False, Way.INTENT),
        (16, 20_000, {}, Delta(tuple(map(str, range(10_001)))), False, Way.GENERATION),
        (16, 20_000, {"x": True}, Delta(tuple(map(str, range(10_000)))), False, Way.GENERATION),
        (4, 8_001, {}, Delta(ids(1, 1)), False, Way.GENERATION),
        (4, 1_000, {}, Delta((), ids(1, 1)), False, Way.GENERATION),
    ],
)
def test_way(
    current: int, members: int, pending: dict[str, bool], delta: Delta, document: bool, expected: Way
) -> None:
    chosen = way(current=current, members=members, pending=pending, delta=delta, document_changes=document)
    assert chosen is expected


@given(st.sets(IDS), st.lists(IDS, unique=True), st.lists(IDS, unique=True), st.booleans())
def test_a_delta_is_what_a_change_comes_to(
    ids: set[str], added: list[str], removed: list[str], replaced: bool
) -> None:
    members = dict.fromkeys(sorted(ids))
    change = MemberChange(replaced, tuple(added), tuple(name for name in removed if name not in added))
    delta = delta_of(change, members)
    assert (ids | {*delta.joining}) - {*delta.leaving} == change.apply(members).keys()
    assert ids.isdisjoint(delta.joining)
    assert ids.issuperset(delta.leaving)


@given(st.sets(IDS), DELTAS, DELTAS)
def test_a_later_change_counts(ids: set[str], first: Delta, second: Delta) -> None:
    pending = merged(merged({}, first), second)
    found = set(Members(divided(ids, 2), pending))
    between = (ids | {*first.joining}) - {*first.leaving}
    assert found == (between | {*second.joining}) - {*second.leaving}


@given(st.dictionaries(IDS, st.booleans()), DELTAS)
def test_what_came_in_between_is_left_over(done: dict[str, bool], later: Delta) -> None:
    """What has reached the shards is taken away, and what a change said meanwhile is still to come."""
    left = left_over(merged(done, later), done)
    assert all(done.get(member) is not joins for member, joins in left.items())
    assert {**done, **left} == merged(done, later)
