"""Ledgers of 100,000 people: what is dropped and when, what is shown, what happens when nothing fits in."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_operator.access import tally as tallies
from scim_operator.access.guard import MOST_RECORDS, Freeze, Ledger, Verdict, admitting, decide, deciding
from scim_operator.access.ledger import from_status, to_status
from scim_operator.access.tally import Entry, Release, Tally, who_key
from tests.access.test_guard import NEXT, NOON, UID, names, people, setting

# Of etcd's 1.5 MiB the request takes the rest: metadata, conditions, who is protected.
MOST_BYTES = 1_572_864 - 50_000


def key(number: int) -> str:
    return f"{number:016x}"


def filled(count: int, name: str = "") -> Tally:
    """So many who wait."""
    return Tally([Entry(key(number), "User", name, "Limit", NOON) for number in range(count)])


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(("hold", "hold", "close", "approve", "store"))),
        max_size=60,
    )
)
def test_dropping_closed_entries_changes_nobody_s_turn(steps: list[tuple[int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "_MOST_CLOSED", 2)
        ledger = Ledger()
        known: dict[str, bool] = {}  # who waits, in the order of asking, and whether they were approved
        for number, what in steps:
            tally = ledger.removals
            if what == "hold":
                tally.hold(key(number), "User", "p", "Limit", NOON)
                known.setdefault(key(number), False)
            elif what == "close":
                tally.close([key(number)])
                known.pop(key(number), None)
            elif what == "store":
                ledger = from_status(json.loads(json.dumps(to_status(ledger, UID))))
            elif tally.approve(tally.hash(UID, count := min(number, len(tally.entries))), UID):
                covered = {entry.key for entry in tally.entries[:count]}
                known.update({item: True for item in known if item in covered})
            tally = ledger.removals
            assert {entry.key: tally.is_approved(entry.key) for entry in tally.open} == known
            assert [entry.key for entry in tally.waiting] == [item for item in known if not known[item]]
            assert len(tally.entries) - len(known) <= max(2, len(known) // 8)


def test_few_are_done_with_and_what_was_read_can_be_approved() -> None:
    tally = filled(20_000)
    read = tally.hash(UID)
    tally.close(key(number) for number in range(2_100))
    assert tally.approve(read, UID)
    assert len(tally.approved_ones) == 17_900


def test_many_are_done_with_and_go_although_some_were_approved() -> None:
    tally = filled(20_000)
    assert tally.approve(tally.hash(UID, 10_000), UID)
    for number in range(9_000):
        tally.close([key(number)])
        assert len(tally.entries) - len(tally.open) <= 2_500
    assert [entry.key for entry in tally.approved_ones] == [key(number) for number in range(9_000, 10_000)]
    assert len(tally.waiting) == 10_000
    again = from_status(to_status(Ledger(tally), UID)).removals
    assert (again.approved_ones, again.hash(UID)) == (
        [Entry(entry.key) for entry in tally.approved_ones],
        tally.hash(UID),
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [("p", 1000), ("ü" * 100, 370), ("<&>" * 50, 110), ("x" * 130_000, 0)],
    ids=["short", "long", "longer as the API server writes it", "longer than the room"],
)
def test_names_and_messages_have_room_and_no_more(name: str, shown: int) -> None:
    tally = Tally([Entry(key(n), "User", name, "Limit", NOON) for n in range(1_500)])
    status = to_status(Ledger(tally), UID)
    assert shown <= len(status.get("held", ())) <= 1.1 * shown
    assert len(status.get("held", ())) <= 1_000
    assert from_status(status).removals.hash(UID) == tally.hash(UID)


@pytest.mark.parametrize("where", ["removals", "additions", "released", "all"])
def test_full_ledger_fits_into_an_object(where: str) -> None:
    ledger, long = Ledger(), "ä" * 200
    share = MOST_RECORDS // 3 if where == "all" else MOST_RECORDS
    if where in ("removals", "all"):
        ledger.removals = filled(share, long)
        ledger.removals.close(key(2 * number) for number in range(1_000))
    if where in ("additions", "all"):
        ledger.additions = filled(share, long)
    if where in ("released", "all"):
        moments = [f"2026-01-01T12:{second // 60:02}:{second % 60:02}Z" for second in range(600)]
        ledger.removals.released = {key(n): Release(moments[n % 600]) for n in range(share)}
    assert ledger.records >= MOST_RECORDS - 3
    assert len(orjson.dumps(to_status(ledger, UID))) < MOST_BYTES


def verdicts(ledger: Ledger, *numbers: int, limit: int = 0, now: str = NOON) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    asked = people(*numbers)
    for who, verdict in deciding(ledger, asked, asked, setting(maxRemovals=limit, now=now)):
        found.setdefault(verdict.value, []).append(int(who[1][1:]))
    return found


def test_full_list_keeps_everybody_and_takes_on_others_as_it_empties() -> None:
    ledger = Ledger(most=4)
    assert verdicts(ledger, *range(7)) == {"waits": [0, 1, 2, 3], "unlisted": [4, 5, 6]}
    assert ledger.is_full
    read = ledger.removals.hash(UID)
    assert ledger.removals.approve(read, UID)
    assert verdicts(ledger, *range(7)) == {"goes": [0, 1, 2, 3], "unlisted": [4, 5, 6]}
    ledger.removals.close([who_key(("User", "p000")), who_key(("User", "p002"))])
    assert verdicts(ledger, 1, 3, 4, 5, 6) == {"goes": [1, 3], "waits": [4, 5], "unlisted": [6]}
    assert not ledger.removals.approve(read, UID)
    assert [entry.name for entry in ledger.removals.waiting] == ["p004", "p005"]


def test_nobody_goes_who_can_t_be_counted() -> None:
    ledger = Ledger(most=4)
    assert verdicts(ledger, *range(6), limit=5) == {"goes": [0, 1, 2, 3], "unlisted": [4, 5]}
    assert verdicts(ledger, *range(6), limit=5) == {"goes": [0, 1, 2, 3], "unlisted": [4, 5]}
    assert verdicts(ledger, 4, 5, limit=5, now=NEXT) == {"goes": [4, 5]}
    assert ledger.removals.spent() == 2


def test_nobody_comes_who_can_t_be_counted_or_listed() -> None:
    ledger = Ledger(most=3)
    found = dict(admitting(ledger, people(*range(5)), setting(maxAdditions=2)))
    assert list(found.values()) == [Verdict.GOES] * 2 + [Verdict.WAITS] + [Verdict.UNLISTED] * 2
    # Both lists share the room.
    assert names(decide(ledger, people(7), setting(maxRemovals=20))) == [7]
    assert not ledger.removals.entries


def test_what_could_not_be_stored_keeps_freezes_and_names() -> None:
    stored = Ledger(filled(3))
    assert stored.removals.approve(stored.removals.hash(UID, 2), UID)
    lost = Ledger(filled(5, "somebody"), protected={("User", "boss"): frozenset({"boss"})}, most=7)
    lost.freeze(Freeze("NoUsers", "none", NOON))
    stored.resume(lost)
    assert stored.frozen == Freeze("NoUsers", "none", NOON)
    assert not stored.removals.approved_ones, "approved before the freeze"
    assert [entry.name for entry in stored.removals.open] == ["somebody"] * 3
    assert (stored.protected, stored.most) == (lost.protected, 7)
