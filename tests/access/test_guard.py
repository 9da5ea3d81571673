"""The guard's decisions, as tables: who goes, who waits, what an approval covers."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scim_operator.access.bindings import Who
from scim_operator.access.guard import Freeze, Ledger, Setting, decide, limit_of
from scim_operator.access.ledger import from_status, pack, to_status, unpack
from scim_operator.access.tally import Tally, who_key
from scim_operator.api.directory import GuardSpec, SubjectTemplate
from scim_operator.api.removal_hold import RemovalHoldStatus

NOON, LATER, NEXT = "2026-01-01T12:00:00Z", "2026-01-01T12:09:59Z", "2026-01-01T12:10:00Z"
UID = "uid-1"


def people(*numbers: int) -> dict[Who, int | None]:
    return {("User", f"p{number:03}"): 1 for number in numbers}


def setting(holders: int = 1000, now: str = NOON, *, moving: bool = False, **spec: int | None) -> Setting:
    made = GuardSpec.model_validate(spec)
    return Setting(made, holders, now, moving)


@pytest.mark.parametrize("window", ["0s", "00m", "9s", "0h0m9s"])
def test_window_of_no_length_is_no_guard(window: str) -> None:
    with pytest.raises(ValidationError, match="10s or longer"):
        GuardSpec.model_validate({"window": window})


def names(kept: frozenset[Who]) -> list[int]:
    return sorted(int(name[1:]) for _, name in kept)


@pytest.mark.parametrize(
    ("spec", "people_with_access", "limit"),
    [
        ({}, 1000, 20),
        ({}, 100, 10),
        ({}, 40, 5),
        ({}, 1, 5),
        ({"maxRemovals": 3}, 1000, 3),
        ({"maxRemovals": 0}, 1000, 0),
        ({"maxRemovals": None}, 1000, 100),
        ({"maxPercent": None}, 10, 20),
        ({"maxPercent": 100}, 10, 20),
        ({"maxPercent": 0, "maxRemovals": None}, 1000, 5),
        ({"maxRemovals": None, "maxPercent": None}, 10, float("inf")),
    ],
)
def test_limit(spec: dict[str, int | None], people_with_access: int, limit: float) -> None:
    assert limit_of(GuardSpec.model_validate(spec), people_with_access) == limit


def test_within_the_limit_they_go_by_name_and_the_others_wait() -> None:
    ledger = Ledger()
    kept = decide(ledger, people(*range(299, -1, -1)), setting())
    assert names(kept) == list(range(20, 300))
    assert [entry.name for entry in ledger.removals.waiting][:2] == ["p020", "p021"]
    assert {entry.reason for entry in ledger.removals.waiting} == {"Limit"}


def test_percent_is_of_those_with_access_and_those_let_go_in_the_window() -> None:
    ledger = Ledger()
    for number in range(10):  # one after the other: 10 % of 100 are 10 whoever has gone meanwhile
        assert not decide(ledger, people(number), setting(holders=100 - number))
    assert names(decide(ledger, people(10), setting(holders=90))) == [10]


def test_somebody_counts_once_in_a_window_wherever_they_leave() -> None:
    ledger = Ledger()
    assert not decide(ledger, people(1), setting(maxRemovals=1))
    assert not decide(ledger, people(1), setting(maxRemovals=1, now=LATER))
    assert names(decide(ledger, people(2), setting(maxRemovals=1, now=LATER))) == [2]


def test_after_the_window_one_goes_while_those_who_wait_stay() -> None:
    ledger = Ledger()
    assert names(decide(ledger, people(1, 2, 3), setting(maxRemovals=1))) == [2, 3]
    assert names(decide(ledger, people(2, 3), setting(maxRemovals=1, now=NEXT))) == [2, 3]
    assert names(decide(ledger, people(2, 3, 4), setting(maxRemovals=1, now=NEXT))) == [2, 3]


def test_approval_covers_what_was_read_and_nobody_who_came_later() -> None:
    ledger = Ledger()
    decide(ledger, people(1, 2), setting(maxRemovals=0))
    read = ledger.removals.hash(UID)
    decide(ledger, people(3), setting(maxRemovals=0))
    assert read != ledger.removals.hash(UID)
    assert ledger.removals.approve(read, UID)
    assert names(decide(ledger, people(1, 2, 3), setting(maxRemovals=0))) == [3]
    assert [entry.name for entry in ledger.removals.waiting] == ["p003"]


def test_approved_ones_go_although_that_takes_longer_than_the_window() -> None:
    ledger = Ledger()
    decide(ledger, people(1, 2), setting(maxRemovals=0))
    assert ledger.removals.approve(ledger.removals.hash(UID), UID)
    ledger.removals.close([who_key(("User", "p001"))])
    ledger = from_status(json.loads(json.dumps(to_status(ledger, UID))))  # a restart in the middle
    assert not decide(ledger, people(2), setting(maxRemovals=0, now=NEXT))


@pytest.mark.parametrize(
    "text", ["", "2-0000000000000000", "1", "nonsense", "99-{hash}", "-1-0000000000000000"]
)
def test_another_hash_approves_nothing(text: str) -> None:
    tally = Tally()
    for number in range(2):
        tally.hold(f"{number:016x}", "User", f"p{number}", "Limit", NOON)
    assert not tally.approve(text.replace("{hash}", tally.hash(UID)[2:]), UID)
    assert not tally.approve(tally.hash("another object"), UID)
    assert len(tally.waiting) == 2


def test_an_old_approval_is_no_answer_to_the_same_question_asked_again() -> None:
    ledger = Ledger()
    decide(ledger, people(1), setting(maxRemovals=0))
    first = ledger.removals.hash(UID)
    assert ledger.removals.approve(first, UID)
    ledger.removals.close([who_key(("User", "p001"))])
    assert names(decide(ledger, people(1), setting(maxRemovals=0))) == [1]
    assert ledger.removals.hash(UID) != first
    assert not ledger.removals.approve(first, UID)


def test_whoever_is_wanted_again_and_leaves_again_is_a_new_question() -> None:
    ledger = Ledger()
    decide(ledger, people(1, 2), setting(maxRemovals=0))
    assert ledger.removals.approve(ledger.removals.hash(UID), UID)
    ledger.removals.close([who_key(("User", "p001"))])  # wanted again before they were gone
    assert names(decide(ledger, people(1, 2), setting(maxRemovals=0))) == [1]


@pytest.mark.parametrize(("members", "kept"), [(3, False), (20, False), (21, True), (None, True), (0, False)])
def test_group_counts_as_its_members(members: int | None, kept: bool) -> None:
    ledger = Ledger()
    assert bool(decide(ledger, {("Group", "team"): members}, setting())) is kept
    assert ledger.removals.spent() == (0 if kept else members)


# approved, protected, frozen, other subjects, beyond the limit -> the reason to wait, or none
ORDER = {
    (approved, protected, frozen, moving, beyond): (
        ""
        if approved
        else "Protected"
        if protected
        else "Frozen"
        if frozen
        else "Subjects"
        if moving
        else "Limit"
        if beyond
        else ""
    )
    for approved, protected, frozen, moving, beyond in product((False, True), repeat=5)
}


@pytest.mark.parametrize("case", ORDER, ids=str)
def test_order_of_decisions(case: tuple[bool, bool, bool, bool, bool]) -> None:
    approved, protected, frozen, moving, beyond = case
    ledger, who = Ledger(), ("User", "p001")
    if protected:
        ledger.protected = {("User", "boss"): frozenset({"p001"})}
    if frozen:
        ledger.freeze(Freeze("NoUsers", "none", NOON))
    if approved:
        ledger.removals.hold(who_key(("User", "p001")), "User", "p001", "Limit", NOON)
        assert ledger.removals.approve(ledger.removals.hash(UID), UID, whole=frozen)
    kept = decide(ledger, people(1), setting(maxRemovals=0 if beyond else 20, moving=moving))
    assert bool(kept) is bool(ORDER[case])
    entry = ledger.removals.find(who_key(("User", who[1])))
    assert (entry.reason if entry and not approved else "") == ORDER[case]


def test_frozen_what_was_approved_before_has_to_be_approved_again_and_whole() -> None:
    ledger = Ledger()
    decide(ledger, people(1, 2), setting(maxRemovals=0))
    before = ledger.removals.hash(UID)
    assert ledger.removals.approve(before, UID)
    ledger.freeze(Freeze("NoUsers", "none", NOON))
    assert names(decide(ledger, people(1, 2, 3), setting())) == [1, 2, 3]
    assert not ledger.removals.approve(before, UID, whole=True)
    assert not ledger.removals.approve(ledger.removals.hash(UID, 2), UID, whole=True), "not all who wait"
    assert ledger.removals.approve(ledger.removals.hash(UID), UID, whole=True)
    assert not decide(ledger, people(1, 2, 3), setting())


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(("ask", "close", "approve", "tick"))), max_size=40)
)
def test_ledger_survives_being_stored(steps: list[tuple[int, str]]) -> None:
    ledger = Ledger(subjects=SubjectTemplate(), protected={("User", "p007"): frozenset({"p007", "x"})})
    minute = 0
    for number, what in steps:
        minute += what == "tick"
        now = setting(maxRemovals=3, now=f"2026-01-01T12:{minute:02}:00Z")
        if what == "ask":
            decide(ledger, people(number, number + 1), now)
        elif what == "close":
            ledger.removals.close([who_key(("User", f"p{number:03}"))])
        elif what == "approve":
            count = min(number, len(ledger.removals.entries))
            ledger.removals.approve(ledger.removals.hash(UID, count), UID)
        status = json.loads(json.dumps(to_status(ledger, UID)))
        RemovalHoldStatus.model_validate(status)
        again = from_status(status)
        assert to_status(again, UID) == status
        assert again.removals.entries == [
            entry if not entry.closed else again.removals.entries[n]
            for n, entry in enumerate(ledger.removals.entries)
        ]
        assert ledger.removals.spent() <= 3


@given(st.lists(st.text("0123456789abcdef", min_size=16, max_size=16)))
def test_packing(keys: list[str]) -> None:
    assert unpack(pack(keys)) == keys


@pytest.mark.parametrize("status", [{"keys": "AAA"}, {"keys": "AAAA"}, {"keys": "!"}, {"closed": "/w=="}])
def test_what_was_tampered_with_is_no_ledger(status: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_status(status)
