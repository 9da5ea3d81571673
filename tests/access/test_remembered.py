"""Of large sets only the last few are kept: a place of 50,000 people is another set with each change."""

from __future__ import annotations

import gc
import weakref

import pytest

from scim_operator.access.remembered import remembered


class Answer:
    """Something that can be seen to go."""


@pytest.mark.parametrize(("people", "kept"), [(500, 100), (501, 8)])
def test_many_people_are_remembered_a_few_times(people: int, kept: int) -> None:
    @remembered
    def work(names: frozenset[str], number: int) -> Answer:
        return Answer()

    everybody = frozenset(map(str, range(people)))
    answers = [weakref.ref(work(everybody, number)) for number in range(100)]
    gc.collect()
    assert sum(answer() is not None for answer in answers) == kept


def test_the_same_question_is_answered_from_memory() -> None:
    asked = []

    @remembered
    def work(number: int, names: frozenset[str]) -> int:
        asked.append(number)
        return number

    assert [work(number, frozenset("ab")) for number in (1, 2, 1)] == [1, 2, 1]
    assert asked == [1, 2]
