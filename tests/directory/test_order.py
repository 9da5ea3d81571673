"""The order of pages: by age, whatever comes and goes, and whenever it is first asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scim_operator.directory.order import Age, Order

STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "ask"]), st.integers(0, 3), st.integers(0, 9)), max_size=60
)


@given(STEPS)
def test_is_what_sorting_everybody_gives(steps: list[tuple[str, int, int]]) -> None:
    there: set[Age] = set()
    order = Order(lambda: there)
    for what, moment, identifier in steps:
        age = (f"2026-01-01T00:00:0{moment}Z", str(identifier))
        if what == "add" and age not in there:
            there.add(age)
            order.add(age)
        elif what == "remove" and age in there:
            there.remove(age)
            order.remove(age)
        elif what == "ask":
            assert list(order()) == sorted(there)
    assert list(order()) == sorted(there)
