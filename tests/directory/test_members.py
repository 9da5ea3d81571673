"""Members in parts: the same as one dict, whatever is still to come to the parts."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from scim_operator.directory.members import Members, difference, divided, part_of, with_pending

IDS = st.integers(0, 30).map(lambda number: f"id-{number}")
PENDING = st.dictionaries(IDS, st.booleans())
COUNTS = st.sampled_from([1, 2, 4, 8])


@given(st.sets(IDS), PENDING, COUNTS)
def test_as_one_dict(ids: set[str], pending: dict[str, bool], count: int) -> None:
    members = Members(divided(ids, count), pending)
    expected = with_pending(dict.fromkeys(ids), pending)
    assert set(members) == expected.keys()
    assert len(list(members)) == len(members) == len(expected)
    assert [f"id-{number}" in members for number in range(31)] == [
        f"id-{number}" in expected for number in range(31)
    ]
    assert members == expected


@given(st.sets(IDS), PENDING, st.sets(IDS), PENDING, COUNTS, COUNTS)
def test_difference(
    one: set[str], coming: dict[str, bool], other: set[str], others: dict[str, bool], count: int, counts: int
) -> None:
    before, after = Members(divided(one, count), coming), Members(divided(other, counts), others)
    assert difference(before, after) == set(before) ^ set(after)
    assert difference(dict.fromkeys(before), after) == set(before) ^ set(after)


@given(st.sets(IDS, min_size=1), PENDING, st.data())
def test_one_part_changed(ids: set[str], pending: dict[str, bool], data: st.DataObject) -> None:
    parts = divided(ids, 4)
    before = Members(parts, pending)
    member = data.draw(st.sampled_from(sorted(ids)))
    number = part_of(member, 4)
    parts[number] = {other: None for other in parts[number] if other != member}
    after = Members(parts, pending)
    assert difference(before, after) == ({member} if pending.get(member) is None else set())


def test_what_was_to_come_has_come() -> None:
    """A part is written, then what was to come is taken away: nobody sees anything of it."""
    members = Members(divided(["a", "b"], 2), {"c": True, "a": False})
    settled = Members([with_pending(part, _of(members.pending, n)) for n, part in enumerate(members.parts)])
    assert difference(members, settled) == set()
    assert set(settled) == {"b", "c"}


def test_ids_keep_their_parts() -> None:
    """Stored objects rely on these."""
    assert [part_of(name, 64) for name in ("a", "b", "2819c223-7f76-453a-919d-413861904646")] == [3, 57, 56]


def _of(pending: Mapping[str, bool], number: int) -> dict[str, bool]:
    return {member: joins for member, joins in pending.items() if part_of(member, 2) == number}
