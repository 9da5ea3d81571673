"""Which places a group opens under a policy, and which policies make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.access.places import Opening, Place, Settings, invalid, places_of, widest
from scim_operator.api.policy import PolicySpec
from tests.access.policies import SETTINGS, grant, policy

MADE = Opening(captured=True, create=True)


def test_group_opens_the_place_it_names() -> None:
    opened = places_of("teams", policy(), "k8s-Red-EDIT", SETTINGS)
    assert opened.matched
    assert opened.places == ((Place("teams", "edit", "team-red"), MADE),)
    assert opened.problems == ()


def test_group_that_is_not_meant_opens_nothing() -> None:
    opened = places_of("teams", policy(), "Marketing", SETTINGS)
    assert (opened.matched, opened.places, opened.problems) == (False, (), ())


def test_every_grant_opens_its_place() -> None:
    spec = policy(
        "k8s-{team}-{role}",
        grant("{role}", "team-{team}"),
        grant("Pod:Reader", "shared"),
        grant("view", "{team}"),
    )
    opened = places_of("p", spec, "k8s-red-edit", SETTINGS)
    assert dict(opened.places) == {
        Place("p", "edit", "team-red"): Opening(captured=True, create=False),
        # a literal role keeps its case, a literal namespace is the author's own word
        Place("p", "Pod:Reader", "shared"): Opening(captured=False, create=False),
        Place("p", "view", "red"): Opening(captured=True, create=False),
    }


@pytest.mark.parametrize("order", [1, -1])
def test_two_grants_in_one_place_count_together(order: int) -> None:
    grants = [grant("view", "team-{team}", create=True), grant("view", "team-red")][::order]
    spec = policy("k8s-{team}", *grants)
    opened = places_of("p", spec, "k8s-red", SETTINGS)
    assert opened.places == ((Place("p", "view", "team-red"), Opening(captured=False, create=True)),)


@pytest.mark.parametrize(
    ("openings", "together"),
    [
        ([Opening(True, False)], Opening(True, False)),
        ([Opening(True, False), Opening(False, False)], Opening(False, False)),
        ([Opening(True, False), Opening(True, True)], Opening(True, True)),
    ],
)
def test_widest(openings: list[Opening], together: Opening) -> None:
    assert widest(openings) == together


def test_ambiguous_name_grants_nothing_and_says_so() -> None:
    spec = policy("{team}-{name}", grant("view", "team-{team}"))
    opened = places_of("p", spec, "a-b-c", SETTINGS)
    assert opened.matched
    assert opened.places == ()
    (problem,) = opened.problems
    assert (problem.condition, problem.reason) == ("Ambiguous", "TwoSplits")
    assert "'a-b-c'" in problem.message
    assert "team=a, name=b-c or team=a-b, name=c" in problem.message


@pytest.mark.parametrize(
    "namespace", ["kube-system", "kube-public", "kube-anything", "default", "scim-operator", "monitoring"]
)
def test_protected_namespace_is_no_target_of_a_capture(namespace: str) -> None:
    spec = policy("k8s:{ns}:{role}", grant("{role}", "{ns}", create=True), grant("view", "shared"))
    opened = places_of("p", spec, f"k8s:{namespace}:admin", SETTINGS)
    assert [place.namespace for place, _ in opened.places] == ["shared"]
    (problem,) = opened.problems
    assert (problem.condition, problem.reason) == ("Conflict", "ProtectedNamespace")
    assert repr(namespace) in problem.message


@pytest.mark.parametrize("template", ["kube-{rest}", "{head}-system", "k{rest}"])
def test_protected_namespace_is_not_reached_in_pieces(template: str) -> None:
    name = template.split("{", 1)[1].split("}", 1)[0]
    value = {"kube-{rest}": "system", "{head}-system": "kube", "k{rest}": "ube-system"}[template]
    opened = places_of("p", policy(f"g {{{name}}}", grant("view", template)), f"g {value}", SETTINGS)
    assert opened.places == ()
    assert opened.problems[0].reason == "ProtectedNamespace"


@pytest.mark.parametrize("disguise", ["KUBE-SYSTEM", "\uff4bube\uff0dsystem", "\u212aube-system"])
def test_protected_namespace_in_disguise(disguise: str) -> None:
    opened = places_of("p", policy("g {ns}", grant("view", "{ns}")), f"g {disguise}", SETTINGS)
    assert opened.places == ()
    assert opened.problems[0].reason == "ProtectedNamespace"


def test_author_may_name_a_protected_namespace() -> None:
    # With a literal name it is the author's own `bind` there that decides (admission).
    opened = places_of("p", policy("Ops", grant("view", "kube-system")), "Ops", SETTINGS)
    assert opened.places == ((Place("p", "view", "kube-system"), Opening(captured=False, create=False)),)


def test_names_like_protected_ones_are_not() -> None:
    protected = Settings(frozenset({"monitoring"})).is_protected
    assert not any(map(protected, ["kubernetes", "kube", "defaults", "monitoring-2", "my-kube-system"]))


@pytest.mark.parametrize("team", ["a" * 59, "a-" * 29 + "a"])
def test_namespace_that_would_be_too_long(team: str) -> None:
    opened = places_of("p", policy("g {team}", grant("view", "team-{team}")), f"g {team}", SETTINGS)
    (problem,) = opened.problems
    assert opened.places == ()
    assert (problem.condition, problem.reason) == ("NamespaceMissing", "InvalidName")
    assert f"team-{team}" in problem.message


def test_longest_namespace() -> None:
    opened = places_of("p", policy("g {team}", grant("view", "team-{team}")), "g " + "a" * 58, SETTINGS)
    assert len(opened.places[0][0].namespace) == 63


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (policy("k8s-{team}", where={"role": ["a"]}), "groups.where names 'role'"),
        (policy("k8s-{team}", grant("view", "team-{other}")), "grants[0].namespaces.name uses {other}"),
        (policy("k8s-{team}", grant("{role}", "a")), "grants[0].clusterRole uses {role}"),
        (
            policy("k8s-{team}-{role}", grant("view", "a"), grant("{role}", "a"), where={"team": ["a"]}),
            "grants[1].clusterRole: {role} must be limited by groups.where",
        ),
        (policy("k8s-{a}-{a}", grant("view", "a")), "captures the same name twice"),
        (policy("k8s-{team}", grant("view-*", "a")), "grants[0].clusterRole holds a *"),
    ],
)
def test_policy_that_makes_no_sense_says_why(spec: PolicySpec, said: str) -> None:
    wrong = invalid(spec)
    assert wrong is not None
    assert said in wrong


@pytest.mark.parametrize("role", ["x-{role}", "{role}-x", "{role}{team}"])
def test_role_is_a_name_or_one_capture(role: str) -> None:
    # The CRD says so too, but helm never upgrades a CRD; a part of a name must not become another role.
    spec = policy("k8s-{team}-{role}", grant(role, "a"), where={"role": ["edit"], "team": ["red"]})
    assert invalid(spec) is not None


@pytest.mark.parametrize(
    "spec",
    [
        policy(),
        policy("Ops", grant("system:node-reader", "kube-system")),
        policy("*-{role}", grant("{role}", "shared"), where={"role": ["view"]}),
    ],
)
def test_policy_that_can_be_used(spec: PolicySpec) -> None:
    assert invalid(spec) is None


def test_places_sort_by_their_names() -> None:
    places = [Place("b", "a", "a"), Place("a", "b", "a"), Place("a", "a", "b")]
    assert sorted(places) == places[::-1]


def everywhere(role: str) -> dict[str, Any]:
    return {"clusterRole": role, "cluster": True}


def test_cluster_wide_grant() -> None:
    spec = policy("Platform Admins", everywhere("admin"), grant("view", "kube-system"))
    assert invalid(spec) is None
    opened = places_of("p", spec, "platform ADMINS", SETTINGS)
    literal = Opening(captured=False, create=False)
    assert dict(opened.places) == {
        Place("p", "admin", ""): literal,
        Place("p", "view", "kube-system"): literal,
    }


@pytest.mark.parametrize("pattern", ["k8s-*", "k8s-{team}"])
def test_cluster_wide_grant_is_for_one_group_alone(pattern: str) -> None:
    wrong = invalid(policy(pattern, everywhere("admin")))
    assert wrong == "grants[0].cluster needs one group's exact name as groups.displayName"


@pytest.mark.parametrize(
    "both",
    [
        {"clusterRole": "view"},
        {**grant("view", "a"), "cluster": True},
        {"clusterRole": "view", "cluster": False},
    ],
)
def test_grant_is_for_namespaces_or_for_the_cluster(both: dict[str, Any]) -> None:
    assert invalid(policy("a", both)) == "grants[0] needs exactly one of namespaces and cluster: true"
