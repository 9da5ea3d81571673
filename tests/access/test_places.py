"""Which places a group opens under a policy, and which policies make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from scim_operator.access.grants import GroupNames, places_of_group, places_of_people
from scim_operator.access.places import Creation, Opened, Opening, Place, Settings, widest
from scim_operator.access.selectors import selects
from scim_operator.access.validity import invalid
from scim_operator.api.policy import GroupSelector, NamespaceSelector, PolicySpec
from tests.access.policies import SETTINGS, grant, policy

BARE = frozenset({Creation()})
MADE = Opening(True, BARE)
LITERAL = Opening(captured=False)
LABELS = {"web": {"tier": "front"}, "db": {"tier": "back", "pci": "yes"}, "kube-system": {"tier": "front"}}


def selected(selector: NamespaceSelector) -> list[str]:
    return [name for name, labels in LABELS.items() if selects(selector, labels)]


def places_of(name: str, spec: PolicySpec, group: str, settings: Settings, external_id: str = "") -> Opened:
    return places_of_group(name, spec, GroupNames(group, external_id), settings, selected)


def test_group_opens_the_place_it_names() -> None:
    opened = places_of("teams", policy(), "k8s-Red-EDIT", SETTINGS)
    assert opened.matched
    assert opened.places == ((Place("teams", "edit", "team-red"), MADE),)
    assert opened.problems == ()


def test_group_that_is_not_meant_opens_nothing() -> None:
    opened = places_of("teams", policy(), "Marketing", SETTINGS)
    assert (opened.matched, opened.places, opened.problems) == (False, (), ())


@pytest.mark.parametrize(
    ("selector", "granted_as", "protected", "name", "settled"),
    [
        ("Hold", "old", False, "old", True),
        ("Hold", "", False, "", True),
        ("Hold", None, False, "new", False),
        ("Follow", "old", False, "new", True),
        ("Follow", "", False, "new", True),
        ("Follow", None, False, "new", True),
        ("Follow", "old", True, "old", True),
        ("Follow", "", True, "", True),
        ("Follow", None, True, "new", False),
        ("ids", "old", True, "new", True),
        ("ids", "", False, "new", True),
        ("ids", None, True, "new", True),
    ],
)
def test_which_name_of_a_renamed_group_counts(
    selector: str, granted_as: str | None, protected: bool, name: str, settled: bool
) -> None:
    found = GroupSelector.model_validate(
        {"directory": "entra", **({"externalIds": ["oid"]} if selector == "ids" else {"onRename": selector})}
    )
    names = GroupNames("new", "oid", granted_as, protected)
    assert (names.under(found), names.is_settled(found)) == (name, settled)


def test_group_without_a_name_opens_nothing() -> None:
    names = GroupNames("k8s-red-edit", granted_as="")
    assert places_of_group("p", policy("*", grant("view", "red")), names, SETTINGS, selected) == Opened()


def test_every_grant_opens_its_place() -> None:
    spec = policy(
        "k8s-{team}-{role}",
        grant("{role}", "team-{team}"),
        grant("Pod:Reader", "shared"),
        grant("view", "{team}"),
    )
    opened = places_of("p", spec, "k8s-red-edit", SETTINGS)
    assert dict(opened.places) == {
        Place("p", "edit", "team-red"): Opening(captured=True),
        # a literal role keeps its case, a literal namespace is the author's own word
        Place("p", "Pod:Reader", "shared"): Opening(captured=False),
        Place("p", "view", "red"): Opening(captured=True),
    }


@pytest.mark.parametrize("order", [1, -1])
def test_two_grants_in_one_place_count_together(order: int) -> None:
    grants = [grant("view", "team-{team}", create=True), grant("view", "team-red")][::order]
    spec = policy("k8s-{team}", *grants)
    opened = places_of("p", spec, "k8s-red", SETTINGS)
    assert opened.places == ((Place("p", "view", "team-red"), Opening(False, BARE)),)


@pytest.mark.parametrize(
    ("openings", "together"),
    [
        ([Opening(True)], Opening(True)),
        ([Opening(True), Opening(False)], Opening(False)),
        ([Opening(True), Opening(True, BARE)], Opening(True, BARE)),
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


@pytest.mark.parametrize(
    ("namespace", "closed"),
    [
        *(("kube-system", True), ("kube-x", True), ("default", True), ("monitoring", True), ("web", False)),
        *(("kube-public", False), ("infra", False), ("", False)),
    ],
)
def test_closed_are_protected_ones_that_no_policy_may_name(namespace: str, closed: bool) -> None:
    settings = Settings(frozenset({"monitoring", "infra"}), frozenset({"kube-public", "infra", "web"}))
    assert settings.is_closed(namespace) == closed
    # What a literal name may reach, a capture and a selector may not.
    if namespace in ("kube-public", "infra"):
        assert settings.is_protected(namespace)


def test_author_may_name_a_protected_namespace() -> None:
    # Whether it is granted is for the plan of the place: the chart's value literalNamespaces.
    opened = places_of("p", policy("Ops", grant("view", "kube-system")), "Ops", SETTINGS)
    assert opened.places == ((Place("p", "view", "kube-system"), Opening(captured=False)),)


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
    assert dict(opened.places) == {
        Place("p", "admin", ""): LITERAL,
        Place("p", "view", "kube-system"): LITERAL,
    }


@pytest.mark.parametrize("pattern", ["k8s-*", "k8s-{team}"])
def test_cluster_wide_grant_is_for_one_group_alone(pattern: str) -> None:
    wrong = invalid(policy(pattern, everywhere("admin")))
    assert wrong is not None
    assert "grants[0].cluster needs groups.externalIds, or one group's exact name" in wrong


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


# --- ids, people, names, selectors, Roles ------------------------------------------------------------------


def by_id(*grants: dict[str, Any], **more: Any) -> PolicySpec:
    groups = {"directory": "entra", "externalIds": ["oid-1", "oid-2"], **more}
    return PolicySpec.model_validate({"groups": groups, "grants": list(grants)})


def of_people(*grants: dict[str, Any], text: str = 'department eq "Data"', **more: Any) -> PolicySpec:
    people = {"directory": "entra", "filter": text}
    return PolicySpec.model_validate({"people": people, "grants": list(grants), **more})


def test_groups_by_id_whatever_they_are_called() -> None:
    spec = by_id(grant("view", "shared"), everywhere("edit"))
    assert invalid(spec) is None
    for name in ("Red", "kube-system", ""):
        opened = places_of("p", spec, name, SETTINGS, "oid-2")
        assert dict(opened.places) == {Place("p", "view", "shared"): LITERAL, Place("p", "edit", ""): LITERAL}
    assert not places_of("p", spec, "Red", SETTINGS, "OID-2").matched, "ids are case-exact"
    assert not places_of("p", spec, "Red", SETTINGS).matched


def test_people_open_what_their_policy_says() -> None:
    spec = of_people(grant("view", "data", create=True))
    assert invalid(spec) is None
    opened = places_of_people("p", spec, SETTINGS, selected)
    assert opened.places == ((Place("p", "view", "data"), Opening(False, BARE)),)
    assert not places_of("p", spec, "Data", SETTINGS).matched
    assert not places_of_people("p", policy(), SETTINGS, selected).matched


def test_several_namespaces_by_name() -> None:
    spec = policy("Ops", {"clusterRole": "view", "namespaces": {"names": ["a", "kube-system"]}})
    # Literal: it's the author's own `bind` there that decides.
    assert dict(places_of("p", spec, "ops", SETTINGS).places) == {
        Place("p", "view", "a"): LITERAL,
        Place("p", "view", "kube-system"): LITERAL,
    }


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"matchLabels": {"tier": "front"}}, {"web"}),  # and never a protected one
        ({"matchExpressions": [{"key": "pci", "operator": "Exists"}]}, {"db"}),
        ({"matchExpressions": [{"key": "pci", "operator": "DoesNotExist"}]}, {"web"}),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["back", "x"]}]}, {"db"}),
        ({"matchExpressions": [{"key": "pci", "operator": "NotIn", "values": ["yes"]}]}, {"web"}),
        (
            {"matchLabels": {"tier": "back"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            {"db"},
        ),
        ({"matchLabels": {"tier": "none"}}, set()),
        ({}, set()),
    ],
)
def test_namespaces_by_their_labels(selector: dict[str, Any], names: set[str]) -> None:
    spec = policy("Ops", {"clusterRole": "view", "namespaces": {"selector": selector}})
    opened = places_of("p", spec, "ops", SETTINGS)
    assert {place.namespace for place, _ in opened.places} == names
    assert opened.problems == ()


def test_role_of_the_namespace_itself() -> None:
    spec = policy("k8s-{team}-{role}", {"role": "{role}", "namespaces": {"name": "{team}"}})
    assert invalid(spec) is None
    ((place, _),) = places_of("p", spec, "k8s-red-edit", SETTINGS).places
    assert place == Place("p", "edit", "red", "Role")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (by_id(grant("view", "{team}")), "grants[0].namespaces.name uses {team}"),
        (by_id(grant("view", "a"), where={"team": ["a"]}), "groups.where names 'team'"),
        (by_id(grant("view", "a"), displayName="x"), "exactly one of displayName and externalIds"),
        (of_people(grant("view", "a"), text="department eq"), "people.filter: "),
        (of_people(grant("view", "a"), subjects="Group"), "subjects must be Users"),
        (of_people(everywhere("view")), "grants[0].cluster needs"),
        (
            of_people(grant("view", "a"), groups={"directory": "e", "displayName": "x"}),
            "one of groups and people",
        ),
        (
            policy("a", {**grant("view", "a"), "role": "x"}),
            "grants[0] needs exactly one of clusterRole and role",
        ),
        (policy("a", {"role": "x", "cluster": True}), "grants[0].role: a Role lives in a namespace"),
        (policy("a", {"clusterRole": "x", "namespaces": {}}), "exactly one of name, names and selector"),
        (
            policy("a", {"clusterRole": "x", "namespaces": {"name": "a", "names": ["b"]}}),
            "exactly one of name, names and selector",
        ),
        (
            policy("k-{role}", {"role": "{role}", "namespaces": {"name": "a"}}, where={}),
            "grants[0].role: {role} must",
        ),
    ],
)
def test_policy_in_the_wider_language_that_makes_no_sense(spec: PolicySpec, said: str) -> None:
    wrong = invalid(spec)
    assert wrong is not None
    assert said in wrong
