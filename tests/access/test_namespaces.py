"""What a namespace should be, for every state it may be found in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from scim_operator.access.choice import Claim
from scim_operator.access.namespaces import (
    NamespaceFacts,
    NamespacePlan,
    is_made_by_us,
    plan_namespace,
    unused_since,
)
from scim_operator.access.places import Creation
from scim_operator.api.template import TemplateSpec

NAME = "team-red"
NOW = "2026-01-01T00:00:00Z"
TEAMS = Claim("teams", "entra", Creation(), wanted=True)
OURS = {
    "app.kubernetes.io/managed-by": "scim-operator",
    "scim-operator.io/policy": "teams",
    "scim-operator.io/directory": "entra",
}
MADE = {"scim-operator.io/made": "true"}
ADOPTED = {"scim-operator.io/adopted": "true"}
SINCE = "scim-operator.io/unused-since"
TEMPLATE = TemplateSpec.model_validate({"labels": {"tier": "team"}, "podSecurity": {"enforce": "baseline"}})


def namespace(labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": NAME, **({"labels": labels} if labels else {}), **metadata}}


def facts(*claims: Claim, there: dict[str, Any] | None = None, **changes: Any) -> NamespaceFacts:
    whole = NamespaceFacts(
        claims=frozenset(claims),
        used=any(claim.wanted for claim in claims),
        frozen=False,
        orphan=False,
        closed=False,
        protected=False,
        namespace=there,
        templates={"team": TEMPLATE},
        now=NOW,
        deletion=True,
        delete_after=max((claim.creation.delete_after for claim in claims), default=math.inf),
    )
    return replace(whole, **changes)


def planned(there: dict[str, Any] | None, *claims: Claim, **changes: Any) -> NamespacePlan:
    return plan_namespace(NAME, facts(*claims, there=there, **changes))


def told(plan: NamespacePlan) -> list[tuple[str, str, str]]:
    return [(item.policy, item.problem.condition, item.problem.reason) for item in plan.problems]


# --- making and adopting -----------------------------------------------------------------------------------


def test_missing_namespace_is_made_without_an_owner() -> None:
    plan = planned(None, TEAMS)
    assert plan.create == {"metadata": {"name": NAME, "labels": OURS, "annotations": MADE}}
    assert plan.template == ""


def test_template_is_in_the_namespace_from_its_first_moment() -> None:
    plan = planned(None, TEAMS._replace(creation=Creation("team")))
    assert plan.create is not None
    labels = plan.create["metadata"]["labels"]
    assert labels == {**OURS, "tier": "team", "pod-security.kubernetes.io/enforce": "baseline"}
    assert plan.template == "team"
    assert planned({"metadata": plan.create["metadata"]}, TEAMS._replace(creation=Creation("team"))) == (
        NamespacePlan(template="team")
    ), "and that is all it needs"


@pytest.mark.parametrize("claims", [[], [TEAMS._replace(wanted=False)]])
def test_nothing_is_made_for_nobody(claims: list[Claim]) -> None:
    assert planned(None, *claims) == NamespacePlan()


def test_nothing_is_made_without_its_template() -> None:
    plan = planned(None, TEAMS._replace(creation=Creation("other")))
    assert plan.create is None
    assert told(plan) == [("teams", "TemplateMissing", "NotUsable")]
    assert "kubectl get nst other" in plan.problems[0].problem.message


def test_protected_namespace_is_neither_made_nor_adopted_nor_kept_up() -> None:
    adopting = TEAMS._replace(creation=Creation(adopt=True))
    for there in (None, namespace(), namespace(annotations=MADE)):
        assert planned(there, adopting, closed=True) == NamespacePlan()


@pytest.mark.parametrize("labels", [None, {"app.kubernetes.io/managed-by": "Helm"}, {"team": "red"}])
def test_namespace_of_others_is_left_alone(labels: dict[str, str] | None) -> None:
    claims = TEAMS, TEAMS._replace(wanted=False, creation=Creation(adopt=True))
    assert planned(namespace(labels), *claims) == NamespacePlan()


def test_adoption_fills_gaps_and_overwrites_nothing() -> None:
    there = namespace({"tier": "gold", "app.kubernetes.io/managed-by": "Helm"}, annotations={"a": "b"})
    plan = planned(there, TEAMS._replace(creation=Creation("team", adopt=True)))
    assert plan.adopts
    assert plan.template == "team"
    assert plan.patch["labels"] == {
        "scim-operator.io/policy": "teams",
        "scim-operator.io/directory": "entra",
        "pod-security.kubernetes.io/enforce": "baseline",
    }
    assert plan.patch["annotations"].keys() == {*ADOPTED, "scim-operator.io/from-template"}


def test_adopted_namespace_is_settled_and_never_deleted() -> None:
    creation = Creation("team", adopt=True, delete_after=1)
    there = applied(
        namespace({"tier": "gold"}), planned(namespace({"tier": "gold"}), TEAMS._replace(creation=creation))
    )
    assert planned(there, TEAMS._replace(creation=creation)) == NamespacePlan(template="team")
    empty = TEAMS._replace(creation=creation, wanted=False)
    marked = applied(there, planned(there, empty))
    assert marked["metadata"]["annotations"][SINCE] == "2026-01-01T00:00:00Z"
    plan = planned(marked, empty, now="2026-01-02T00:00:00Z")
    assert (plan.delete, plan.delete_in) == (False, None)


def applied(there: Mapping[str, Any], plan: NamespacePlan) -> dict[str, Any]:
    """The namespace after a plan's patch."""
    metadata = dict(there["metadata"])
    for kind, keys in plan.patch.items():
        merged = {**(metadata.get(kind) or {}), **keys}
        metadata[kind] = {key: value for key, value in merged.items() if value is not None}
    return {"metadata": metadata}


# --- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_labels_stripped_from_our_namespace_come_back(number: int) -> None:
    for stripped in itertools.combinations(OURS, number):
        left = {key: value for key, value in OURS.items() if key not in stripped}
        assert planned(namespace(left), TEAMS).patch == {"labels": {key: OURS[key] for key in stripped}}


def test_all_labels_stripped_from_our_namespace_come_back() -> None:
    assert planned(namespace(annotations=MADE), TEAMS).patch == {"labels": OURS}


def test_labels_that_others_chose_are_left_alone() -> None:
    chosen = {**OURS, "app.kubernetes.io/managed-by": "Helm", "scim-operator.io/policy": "other"}
    assert planned(namespace(chosen), TEAMS) == NamespacePlan()


def test_namespace_that_is_going_is_let_go() -> None:
    going = namespace(deletionTimestamp="2026-01-01T00:00:00Z", annotations=MADE)
    assert planned(going, TEAMS) == NamespacePlan()


@pytest.mark.parametrize(
    ("metadata", "ours"),
    [
        ({}, False),
        ({"labels": {"scim-operator.io/allow-policy": "any"}}, False),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({"annotations": MADE}, True),
        ({"annotations": ADOPTED}, True),
        ({"annotations": {SINCE: "x"}}, False),
        ({"labels": {"scim-operator.io/policy": "teams"}}, True),
        ({"labels": {"scim-operator.io/directory": "entra"}}, True),
        ({"labels": {"app.kubernetes.io/managed-by": "scim-operator"}}, True),
    ],
)
def test_marks(metadata: dict[str, Any], ours: bool) -> None:
    assert is_made_by_us({"metadata": {"name": NAME, **metadata}}) is ours


# --- several policies --------------------------------------------------------------------------------------


def test_of_several_makers_always_the_same_one_is_named() -> None:
    claims = [TEAMS, TEAMS._replace(policy="all", directory="okta"), TEAMS._replace(policy="zoo")]
    for order in itertools.permutations(claims):
        made = planned(None, *order).create
        assert made is not None
        assert made["metadata"]["labels"]["scim-operator.io/policy"] == "all"
        assert made["metadata"]["labels"]["scim-operator.io/directory"] == "okta"


def test_policy_on_the_label_keeps_the_say_about_the_template() -> None:
    other = TEAMS._replace(policy="all", creation=Creation("small"))
    mine = TEAMS._replace(creation=Creation("team"))
    templates = {"team": TEMPLATE, "small": TemplateSpec()}
    first = planned(None, mine, other, templates=templates)
    assert first.template == "small", "without a label the first by name"
    assert told(first) == [("teams", "TemplateConflict", "OtherTemplate")]
    assert first.create is not None
    for wanted in ((True, True), (True, False), (False, True)):
        claims = mine._replace(wanted=wanted[0]), other._replace(wanted=wanted[1])
        for label, template in (("teams", "team"), ("all", "small"), ("gone", "small")):
            there = namespace({**OURS, "scim-operator.io/policy": label}, annotations=MADE)
            assert planned(there, *claims, templates=templates).template == template


def test_missing_template_of_the_winner_is_no_turn_of_the_loser() -> None:
    other = TEAMS._replace(policy="all", creation=Creation("missing"))
    plan = planned(None, TEAMS._replace(creation=Creation("team")), other)
    assert (plan.create, plan.template) == (None, None)
    assert told(plan) == [
        ("teams", "TemplateConflict", "OtherTemplate"),
        ("all", "TemplateMissing", "NotUsable"),
    ]


def test_policy_without_a_template_disputes_none() -> None:
    plan = planned(None, TEAMS._replace(creation=Creation("team")), TEAMS._replace(policy="all"))
    assert (plan.template, plan.problems) == ("team", ())


@pytest.mark.parametrize(
    ("claims", "template"),
    [([], None), ([TEAMS._replace(creation=Creation("missing"))], None), ([TEAMS], "")],
)
def test_what_a_template_brought_stays_unless_a_policy_says_otherwise(
    claims: list[Claim], template: str | None
) -> None:
    made = planned(None, TEAMS._replace(creation=Creation("team"))).create
    assert made is not None
    plan = planned({"metadata": made["metadata"]}, *claims, used=True)
    assert plan.template == template
    if template is None:
        assert plan.patch == {}
    else:
        assert plan.patch["labels"] == {"tier": None, "pod-security.kubernetes.io/enforce": None}


# --- unused ------------------------------------------------------------------------------------------------

EMPTY = TEAMS._replace(wanted=False)
FOR_AN_HOUR = EMPTY._replace(creation=Creation(delete_after=3600))


def unused(since: str = "2026-01-01T00:00:00Z", **more: str) -> dict[str, Any]:
    return namespace(OURS, annotations={**MADE, SINCE: since, **more})


def test_mark_comes_with_the_last_and_goes_with_the_first() -> None:
    there = namespace(OURS, annotations=MADE)
    assert planned(there, EMPTY).patch == {"annotations": {SINCE: "2026-01-01T00:00:00Z"}}
    assert planned(there).patch == {"annotations": {SINCE: "2026-01-01T00:00:00Z"}}, "its policy is gone"
    assert planned(unused(), EMPTY, now="2026-01-10T00:00:00Z").patch == {}, "and stays what it was"
    assert planned(unused(), TEAMS).patch == {"annotations": {SINCE: None}}


@pytest.mark.parametrize("odd", ["", "yesterday", "2026-13-01"])
def test_mark_that_nobody_can_read_is_set_anew(odd: str) -> None:
    plan = planned(unused(odd), FOR_AN_HOUR)
    assert plan.patch == {"annotations": {SINCE: "2026-01-01T00:00:00Z"}}
    assert (plan.delete, plan.delete_in) == (False, None)
    assert unused_since(unused(odd)) is None


def test_namespace_goes_when_its_time_has_come() -> None:
    assert planned(unused(), FOR_AN_HOUR, now="2026-01-01T00:59:00Z").delete_in == 60
    plan = planned(unused(), FOR_AN_HOUR, now="2026-01-01T01:00:00Z")
    assert (plan.delete, plan.patch) == (True, {})


LATER = {"now": "2028-10-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("there", "claims", "changes"),
    [
        pytest.param(unused(), [FOR_AN_HOUR], {"deletion": False}, id="not allowed by the chart's values"),
        pytest.param(unused(), [FOR_AN_HOUR], {"used": True}, id="somebody is back"),
        pytest.param(unused(), [FOR_AN_HOUR], {"frozen": True}, id="a directory is missing"),
        pytest.param(unused(), [FOR_AN_HOUR], {"closed": True}, id="protected"),
        pytest.param(unused(), [], {}, id="its policy is gone"),
        pytest.param(unused(), [EMPTY], {}, id="its policy keeps it"),
        pytest.param(unused(), [FOR_AN_HOUR, EMPTY], {}, id="another grant keeps it"),
        pytest.param(unused(), [FOR_AN_HOUR, EMPTY._replace(policy="b")], {}, id="another policy keeps it"),
        pytest.param(unused(**ADOPTED), [FOR_AN_HOUR], {}, id="adopted"),
        pytest.param(
            namespace(OURS, annotations={SINCE: "2026-01-01T00:00:00Z"}), [FOR_AN_HOUR], {}, id="not made"
        ),
        pytest.param(namespace(annotations={SINCE: "2026-01-01T00:00:00Z"}), [FOR_AN_HOUR], {}, id="foreign"),
        pytest.param(namespace(OURS, annotations=MADE), [FOR_AN_HOUR], {}, id="only just unused"),
    ],
)
def test_namespace_stays(there: dict[str, Any], claims: list[Claim], changes: dict[str, Any]) -> None:
    plan = planned(there, *claims, **{**LATER, **changes})
    assert (plan.delete, plan.delete_in) == (False, None)


def test_nothing_counts_as_unused_while_a_directory_is_missing() -> None:
    assert planned(namespace(OURS, annotations=MADE), EMPTY, frozen=True).patch == {}
    assert planned(unused(), EMPTY, frozen=True).patch == {}
    # That somebody is known to be there is enough.
    assert planned(unused(), TEAMS, frozen=True).patch == {"annotations": {SINCE: None}}


def test_policy_that_could_make_it_keeps_it_even_without_a_group() -> None:
    assert planned(unused(), FOR_AN_HOUR, **LATER, delete_after=math.inf).delete is False


def test_namespace_whose_policy_is_gone_keeps_what_it_has() -> None:
    other = TEAMS._replace(policy="other", creation=Creation(delete_after=1))
    record = planned(None, TEAMS._replace(creation=Creation("team"))).create
    assert record is not None
    for claim in (other, other._replace(wanted=False)):
        plan = planned(record, claim, orphan=True, **LATER)
        assert (plan.template, plan.delete, plan.patch.get("labels")) == (None, False, None)


def test_mark_of_the_namespace_before_a_restore_doesn_t_count() -> None:
    made_later = unused()
    made_later["metadata"]["creationTimestamp"] = "2028-09-30T23:59:50Z"
    plan = planned(made_later, FOR_AN_HOUR, **LATER)
    assert (plan.delete, plan.patch) == (False, {"annotations": {SINCE: LATER["now"]}})


def test_adopted_namespace_takes_templates_from_those_alone_who_adopt() -> None:
    adopter = TEAMS._replace(creation=Creation(adopt=True))
    other = TEAMS._replace(policy="all", creation=Creation("team"))
    assert planned(namespace(OURS, annotations=ADOPTED), adopter, other).template == ""
    assert planned(namespace(OURS, annotations=ADOPTED), other).template is None


def test_protected_namespace_is_never_adopted() -> None:
    adopter = TEAMS._replace(creation=Creation("team", adopt=True))
    assert planned(namespace(), adopter, protected=True) == NamespacePlan()


def test_bare_namespace_of_a_policy_stays_bare() -> None:
    other = TEAMS._replace(policy="all", creation=Creation("team"))
    plan = planned(namespace(OURS, annotations=MADE), TEAMS, other)
    assert plan.template == ""
    assert told(plan) == [("all", "TemplateConflict", "OtherTemplate")]


def test_template_of_nobody_who_waits_keeps_nobody_waiting() -> None:
    other = EMPTY._replace(policy="all", creation=Creation("missing"))
    plan = planned(None, TEAMS, other)
    assert plan.create is not None
    assert plan.problems == ()


def test_the_longest_delay_counts() -> None:
    longer = EMPTY._replace(policy="b", creation=Creation(delete_after=7200))
    assert planned(unused(), FOR_AN_HOUR, longer, now="2026-01-01T01:00:00Z").delete_in == 3600
