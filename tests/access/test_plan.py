"""What one place should look like, for every state it may be found in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scim_operator.access.bindings import Who, desired_binding
from scim_operator.access.places import Creation, Opening, Place
from scim_operator.access.plan import Facts, Plan, plan

BARE = frozenset({Creation()})
PLACE = Place("teams", "edit", "team-red")
OURS = {
    "app.kubernetes.io/managed-by": "scim-operator",
    "scim-operator.io/policy": "teams",
    "scim-operator.io/directory": "entra",
}
ALLOW = "scim-operator.io/allow-policy"


def people(*names: str) -> list[Who]:
    return [("User", name) for name in names]


BINDING = desired_binding(PLACE, "entra", people("ada"))
ADA = frozenset({"ada"})


def namespace(labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "team-red", **({"labels": labels} if labels else {}), **metadata}}


def facts(**changes: Any) -> Facts:
    """Everything is there, in a namespace of ours; with changes."""
    whole = Facts(
        directory="entra",
        directory_exists=True,
        opening=Opening(True, BARE),
        kind="User",
        subjects=frozenset({"ada"}),
        anybody=True,
        namespace=namespace(OURS),
        role_exists=True,
    )
    return replace(whole, **changes)


def only_problem(planned: Plan) -> tuple[str, str]:
    (problem,) = planned.problems
    return problem.condition, problem.reason


def test_binding_of_the_active_members() -> None:
    assert plan(PLACE, facts()) == Plan(subjects=ADA)


def test_plan_does_not_depend_on_the_binding_that_is_there() -> None:
    assert plan(PLACE, facts(bindings={0: desired_binding(PLACE, "entra", people("bob"))})) == Plan(
        subjects=ADA
    )


@pytest.mark.parametrize("place", [PLACE, PLACE._replace(kind="Role")])
def test_namespace_that_is_being_made_is_waited_for_without_a_problem(place: Place) -> None:
    # A Role can be there only after its namespace.
    assert plan(place, facts(namespace=None, role_exists=place.kind == "ClusterRole")) == Plan(keep=True)


@pytest.mark.parametrize("gone", [{"opening": None}, {"subjects": frozenset()}])
@pytest.mark.parametrize("there", [{}, {0: BINDING}])
def test_place_without_people_has_no_binding_and_waits_for_no_namespace(
    gone: dict[str, Any], there: dict[int, Any]
) -> None:
    planned = plan(PLACE, facts(**gone, bindings=there, namespace=None, role_exists=False))
    assert planned == Plan()


def test_missing_directory_leaves_everything_as_it_is() -> None:
    planned = plan(PLACE, facts(directory_exists=False, subjects=frozenset(), bindings={0: BINDING}))
    assert planned.keep
    assert planned.subjects == frozenset()
    assert only_problem(planned) == ("Stalled", "DirectoryMissing")
    assert "'entra'" in planned.problems[0].message


def test_namespace_is_waited_for_where_it_may_not_be_made() -> None:
    planned = plan(PLACE, facts(namespace=None, opening=Opening(captured=True)))
    assert (planned.subjects, planned.keep) == (frozenset(), False)
    assert only_problem(planned) == ("NamespaceMissing", "NotFound")
    assert "create: {}" in planned.problems[0].message


def test_nothing_is_made_in_a_namespace_that_is_going() -> None:
    planned = plan(PLACE, facts(namespace=namespace(OURS, deletionTimestamp="2026-01-01T00:00:00Z")))
    assert not planned.subjects
    assert only_problem(planned) == ("NamespaceMissing", "Terminating")


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {"app.kubernetes.io/managed-by": "Helm"},
        {ALLOW: "other"},
        {ALLOW: "Teams"},
        {ALLOW: ""},
        {"scim-operator.io/shards": "1"},
    ],
)
def test_captured_name_does_not_open_a_namespace_of_others(labels: dict[str, str] | None) -> None:
    planned = plan(PLACE, facts(namespace=namespace(labels), bindings={0: BINDING}))
    assert not planned.subjects
    assert not planned.keep, "what was granted there must go"
    assert only_problem(planned) == ("Conflict", "ForeignNamespace")
    assert f"kubectl label ns team-red {ALLOW}=teams" in planned.problems[0].message


@pytest.mark.parametrize("labels", [OURS, {ALLOW: "teams"}, {ALLOW: "any"}])
def test_namespace_of_ours_or_with_consent(labels: dict[str, str]) -> None:
    assert plan(PLACE, facts(namespace=namespace(labels))) == Plan(subjects=ADA)


def test_literal_name_needs_no_consent() -> None:
    opening = Opening(captured=False)
    assert plan(PLACE, facts(namespace=namespace(), opening=opening)) == Plan(subjects=ADA)


@pytest.mark.parametrize("there", [{}, {0: BINDING}])
def test_closed_namespace_is_named_in_vain(there: dict[int, Any]) -> None:
    literal = Opening(False, BARE)
    planned = plan(PLACE, facts(opening=literal, closed=True, bindings=there, namespace=None))
    assert planned == Plan(problems=planned.problems)
    assert only_problem(planned) == ("Conflict", "ProtectedNamespace")
    assert "'team-red'" in planned.problems[0].message
    assert "literalNamespaces" in planned.problems[0].message


def test_missing_role_grants_nothing() -> None:
    planned = plan(PLACE, facts(role_exists=False, namespace=None))
    assert (planned.subjects, planned.keep) == (frozenset(), False)
    assert only_problem(planned) == ("RoleMissing", "NotFound")


def test_vanished_role_keeps_the_binding_and_leavers_leave_all_the_same() -> None:
    before = desired_binding(PLACE, "entra", people("ada", "bob"))
    planned = plan(PLACE, facts(role_exists=False, bindings={0: before}))
    assert planned.subjects == ADA
    assert only_problem(planned) == ("RoleMissing", "NotFound")


def test_binding_of_somebody_else_is_left_alone() -> None:
    foreign = {"metadata": {"name": BINDING["metadata"]["name"]}, "roleRef": {}, "subjects": []}
    planned = plan(PLACE, facts(bindings={0: foreign}))
    assert only_problem(planned) == ("Conflict", "ForeignBinding")
    assert f"team-red/{BINDING['metadata']['name']}" in planned.problems[0].message


# --- who moves, whole clusters, groups --------------------------------------------------------------------


def standing(*names: str) -> dict[int, Any]:
    return {0: desired_binding(PLACE, "entra", people(*names))}


@pytest.mark.parametrize("gone", [{"opening": None}, {"subjects": frozenset()}])
def test_who_moves_stays_until_the_other_binding_is_there(gone: dict[str, Any]) -> None:
    moving = facts(bindings=standing("ada", "bob"), moving=frozenset({"ada"}), **gone)
    # Bob leaves at once, Ada goes over.
    assert plan(PLACE, moving).subjects == ADA
    assert plan(PLACE, replace(moving, moving=frozenset())) == Plan()


def test_who_moves_stays_beside_those_who_stay() -> None:
    there = facts(bindings=standing("ada", "bob", "eve"), moving=frozenset({"bob"}))
    assert plan(PLACE, there).subjects == {"ada", "bob"}


EVERYWHERE = Place("teams", "edit", "")


def test_cluster_wide_binding_needs_no_namespace() -> None:
    planned = plan(EVERYWHERE, facts(opening=Opening(captured=False), namespace=None))
    assert planned == Plan(subjects=ADA)
    assert "namespace" not in desired_binding(EVERYWHERE, "entra", people("ada"))["metadata"]


def test_foreign_cluster_wide_binding_is_left_alone() -> None:
    foreign = {"metadata": {"name": "scim-teams-x"}, "roleRef": {"kind": "ClusterRole", "name": "edit"}}
    planned = plan(EVERYWHERE, facts(opening=Opening(False), namespace=None, bindings={0: foreign}))
    assert only_problem(planned) == ("Conflict", "ForeignBinding")
    assert planned.problems[0].message.startswith("ClusterRoleBinding scim-teams-")


def test_group_stands_in_the_binding_itself() -> None:
    planned = plan(PLACE, facts(kind="Group", subjects=frozenset({"oid"})))
    assert planned.subjects == {"oid"}


def test_group_without_an_active_member_waits_for_no_namespace() -> None:
    group = facts(kind="Group", subjects=frozenset({"oid"}), namespace=None)
    assert plan(PLACE, group) == Plan(keep=True)
    assert plan(PLACE, replace(group, anybody=False)) == Plan()
    assert plan(PLACE, replace(group, anybody=False, namespace=namespace(OURS))).subjects


def test_namespace_that_only_consents() -> None:
    assert plan(PLACE, facts(namespace=namespace({ALLOW: "any"}))) == Plan(subjects=ADA)
