"""How problems become conditions, and when a transition counts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from scim_operator.access.conditions import PROBLEM_TYPES, of_problems, updated
from scim_operator.access.problems import Problem


def problem(condition: str, message: str = "m", reason: str = "R") -> Problem:
    return Problem(condition, reason, message)


def test_ready_without_problems() -> None:
    assert of_problems([], "all is well") == [
        {"type": "Ready", "status": "True", "reason": "Reconciled", "message": "all is well"}
    ]


@pytest.mark.parametrize(("grave", "light"), list(itertools.combinations(PROBLEM_TYPES, 2)))
def test_the_gravest_problem_explains_why_it_is_not_ready(grave: str, light: str) -> None:
    ready, *others = of_problems([problem(light, "light"), problem(grave, "grave")], "")
    assert ready == {"type": "Ready", "status": "False", "reason": grave, "message": "grave"}
    assert [(item["type"], item["status"]) for item in others] == [(grave, "True"), (light, "True")]


def test_one_condition_names_three_and_counts_the_rest() -> None:
    problems = [problem("Conflict", message) for message in "edcba"]
    (_, conflict) = of_problems([*problems, *problems], "")
    assert conflict["message"] == "a; b; c (and 2 more)"


def test_same_message_counts_once() -> None:
    problems = [problem("Conflict", "a", "X"), problem("Conflict", "a", "Y"), problem("Conflict", "b")]
    (_, conflict) = of_problems(problems, "")
    assert conflict["message"] in ("a; b", "b; a")


def test_order_of_problems_does_not_matter() -> None:
    problems = [problem("Conflict", "a"), problem("Conflict", "b"), problem("Ambiguous", "c")]
    first = of_problems(problems, "")
    assert all(of_problems(other, "") == first for other in itertools.permutations(problems))


def test_remarks_are_shown_but_do_not_touch_ready() -> None:
    ready, ambiguous = of_problems([], "fine", [problem("Ambiguous", "whose name")])
    assert (ready["status"], ready["message"]) == ("True", "fine")
    assert (ambiguous["type"], ambiguous["message"]) == ("Ambiguous", "whose name")
    ready, *_ = of_problems([problem("RoleMissing", "mine")], "fine", [problem("Stalled", "theirs")])
    assert ready["message"] == "mine"


def test_every_problem_has_its_place_in_the_order() -> None:
    assert len(of_problems([problem(kind) for kind in PROBLEM_TYPES], "")) == 1 + len(PROBLEM_TYPES)


# --- times --------------------------------------------------------------------------------------------------


def known(status: str, since: str | None = "old") -> list[dict[str, Any]]:
    since_then = {} if since is None else {"lastTransitionTime": since}
    return [{"type": "Ready", "status": status, "reason": "X", "message": "x", **since_then}]


@pytest.mark.parametrize(
    ("before", "since"),
    [
        ([], "now"),
        (known("True"), "old"),
        (known("False"), "now"),
        (known("Unknown"), "now"),
        (known("True", None), "now"),
    ],
)
def test_time_moves_only_when_the_status_does(before: list[dict[str, Any]], since: str) -> None:
    (ready,) = updated(before, of_problems([], "ok"), generation=3, now="now")
    assert ready == {
        "type": "Ready",
        "status": "True",
        "reason": "Reconciled",
        "message": "ok",
        "lastTransitionTime": since,
        "observedGeneration": 3,
    }


def test_conditions_are_sorted_and_those_that_ended_go() -> None:
    before = [*known("False"), {"type": "Stalled", "status": "True", "reason": "", "message": ""}]
    made = updated(before, of_problems([problem("Conflict")], ""), generation=1, now="now")
    assert [item["type"] for item in made] == ["Conflict", "Ready"]


def test_again_changes_nothing() -> None:
    wanted = of_problems([problem("Conflict"), problem("Ambiguous")], "")
    once = updated([], wanted, generation=1, now="now")
    assert updated(once, wanted, generation=1, now="later") == once
