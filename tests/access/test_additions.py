"""`maxAdditions` as tables: who may gain a right in a window, who waits, what an approval covers."""

from __future__ import annotations

import json

import pytest

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Ledger, Setting, admit, decide
from scim_operator.access.ledger import from_status, to_status
from scim_operator.access.tally import who_key
from scim_operator.api.directory import GuardSpec

NOON, LATER, NEXT = "2026-01-01T12:00:00Z", "2026-01-01T12:09:59Z", "2026-01-01T12:10:00Z"
UID = "uid-1"


def people(*numbers: int) -> set[Who]:
    return {("User", f"p{number:03}") for number in numbers}


def setting(most: int | None = 2, now: str = NOON) -> Setting:
    return Setting(GuardSpec(max_additions=most), holders=10, now=now)


def names(barred: frozenset[Who]) -> list[int]:
    return sorted(int(name[1:]) for _, name in barred)


@pytest.mark.parametrize(
    ("most", "barred"), [(None, []), (0, [1, 2, 3, 4]), (1, [2, 3, 4]), (3, [4]), (4, []), (9, [])]
)
def test_so_many_come_by_name_and_the_others_wait(most: int | None, barred: list[int]) -> None:
    ledger = Ledger()
    assert names(admit(ledger, people(4, 2, 3, 1), setting(most))) == barred
    assert [entry.name for entry in ledger.additions.waiting] == [f"p{number:03}" for number in barred]
    assert {entry.reason for entry in ledger.additions.waiting} <= {"Limit"}
    assert not ledger.removals.entries


def test_somebody_counts_once_in_a_window_wherever_they_come() -> None:
    ledger = Ledger()
    assert not admit(ledger, people(1, 2), setting())
    assert not admit(ledger, people(2), setting(now=LATER))
    assert names(admit(ledger, people(3), setting(now=LATER))) == [3]


def test_after_the_window_others_come_while_those_who_wait_go_on_waiting() -> None:
    ledger = Ledger()
    assert names(admit(ledger, people(1, 2, 3), setting())) == [3]
    assert names(admit(ledger, people(3, 4), setting(now=NEXT))) == [3]


def test_approval_lets_in_who_was_read_and_isn_t_counted() -> None:
    ledger = Ledger()
    admit(ledger, people(1, 2, 3), setting())
    read = ledger.additions.hash(UID)
    admit(ledger, people(4), setting())
    assert ledger.additions.approve(read, UID)
    ledger = from_status(json.loads(json.dumps(to_status(ledger, UID))))  # a restart in the middle
    assert names(admit(ledger, people(3, 4), setting())) == [4]
    assert ledger.additions.spent() == 2


def test_who_has_come_and_comes_again_is_a_new_question() -> None:
    ledger = Ledger()
    admit(ledger, people(3), setting(0))
    assert ledger.additions.approve(ledger.additions.hash(UID), UID)
    ledger.additions.close([who_key(("User", "p003"))])
    assert names(admit(ledger, people(3), setting(0))) == [3]


def test_a_person_and_a_group_of_one_name_are_two() -> None:
    ledger = Ledger()
    both: set[Who] = {("Group", "p001"), ("User", "p001")}
    assert admit(ledger, both, setting(1)) == {("User", "p001")}


def test_removals_and_additions_are_counted_apart() -> None:
    ledger, guard = Ledger(), setting(1)
    assert not admit(ledger, people(1), guard)
    assert not decide(ledger, dict.fromkeys(people(2, 3), 1), guard)
    assert (ledger.additions.spent(), ledger.removals.spent()) == (1, 2)
