"""Nothing is granted that a policy's author didn't mean, whatever names are chosen; and it is said why."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scim_operator.access.grants import GroupNames, places_of_group
from scim_operator.access.misses import missed
from scim_operator.access.places import Opened, Settings
from scim_operator.access.subjects import Refused, group_subject, user_subject
from scim_operator.api.directory import SubjectTemplate
from tests.access.hostile import GROUPS, PATTERN, PEOPLE, WHERE, Group, Person
from tests.access.policies import grant, policy

SETTINGS = Settings(frozenset({"scim-operator"}))


def opened(name: str, *, pattern: str = PATTERN, namespace: str = "{team}") -> Opened:
    spec = policy(pattern, grant("{role}", namespace, create=True), where=WHERE)
    return places_of_group("p", spec, GroupNames(name), SETTINGS, lambda _: [])


@pytest.mark.parametrize("case", GROUPS.values(), ids=GROUPS)
def test_group_of_a_hostile_name(case: Group) -> None:
    found = opened(case.name)
    assert {(place.namespace, place.role) for place, _ in found.places} == case.opens
    said = found.missed + "".join(problem.message for problem in found.problems)
    assert case.said in said
    if case.opens:
        assert said == ""
    # What is said can be printed anywhere, and isn't as long as the name.
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("case", PEOPLE.values(), ids=PEOPLE)
def test_person_of_a_hostile_name(case: Person) -> None:
    template = SubjectTemplate(user=case.template, lowercase=case.lowercase)
    found = user_subject(template, {"userName": case.user_name})
    if case.called is not None:
        assert found == case.called
        return
    assert isinstance(found, Refused)
    assert found.reason == case.reason
    assert found.message.isprintable()
    assert len(found.message) < 400


@pytest.mark.parametrize("case", PEOPLE.values(), ids=PEOPLE)
@pytest.mark.parametrize("attribute", ["externalId", "displayName"])
def test_group_as_a_subject_is_judged_alike(case: Person, attribute: str) -> None:
    template = SubjectTemplate(
        group=case.template.replace("{userName}", f"{{{attribute}}}"), lowercase=case.lowercase
    )
    found = group_subject(template, {attribute: case.user_name})
    if case.called is not None:
        assert found == case.called
    else:
        assert isinstance(found, Refused)
        assert found.reason == case.reason


# --- two captures in one namespace's name ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "namespace"),
    [("g:pay/roll", "pay-roll"), ("g:pay/r", "pay-r"), ("g:a/b", "a-b")],
)
def test_captures_that_can_be_told_apart_in_the_namespace(name: str, namespace: str) -> None:
    spec = policy("g:{team}/{app}", grant("view", "{team}-{app}"))
    found = places_of_group("p", spec, GroupNames(name), SETTINGS, lambda _: [])
    assert [place.namespace for place, _ in found.places] == [namespace]


@pytest.mark.parametrize("name", ["g:pay/roll-admins", "g:pay-roll/admins"])
def test_team_cannot_reach_into_the_namespace_of_another(name: str) -> None:
    """team pay, app roll-admins; team pay-roll, app admins: one namespace, and two owners of groups."""
    spec = policy("g:{team}/{app}", grant("view", "{team}-{app}"), grant("view", "{team}"))
    found = places_of_group("p", spec, GroupNames(name), SETTINGS, lambda _: [])
    assert [place.namespace for place, _ in found.places] == [name[2:].split("/")[0]]
    (problem,) = found.problems
    assert (problem.condition, problem.reason) == ("Ambiguous", "TwoSplits")
    assert "team=pay, app=roll-admins or team=pay-roll, app=admins" in problem.message


def test_separator_that_no_name_holds_keeps_teams_apart() -> None:
    spec = policy("g:{team}/{app}", grant("view", "{team}--{app}"))
    names = ("g:pay/roll-admins", "g:pay-roll/admins")
    found = [places_of_group("p", spec, GroupNames(name), SETTINGS, lambda _: []).places for name in names]
    assert [place.namespace for ((place, _),) in found] == ["pay--roll-admins", "pay-roll--admins"]


# --- what is said of those who nearly fit ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Marketing Europe", "", "k9s-team-admin", "my-k8s-team", "x" * 500])
def test_nothing_is_said_of_groups_that_nobody_meant(name: str) -> None:
    assert missed(PATTERN, WHERE, name) == ""


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=300),
    st.sampled_from([PATTERN, "{team}", "*-{role}", "Platform Engineers", "{team}{role}*"]),
)
def test_of_any_name_something_printable_is_said(name: str, pattern: str) -> None:
    said = missed(pattern, WHERE, name)
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("pattern", ["{team}", "{team}-{role}", "*", "*-{role}"])
def test_nothing_is_said_where_every_group_would_be_near(pattern: str) -> None:
    assert missed(pattern, WHERE, "Marketing Europe") == missed(pattern, WHERE, "red owner") == ""


@pytest.mark.parametrize("name", ["Marketing Europe, all employees {}", "\u55b6\u696d\u90e8 {} \u5168\u54e1"])
def test_group_that_nobody_meant_costs_next_to_nothing(name: str) -> None:
    names = [name.format(number) for number in range(2000)]
    missed(PATTERN, WHERE, name)
    started = time.thread_time()
    for _ in range(5):  # policies
        assert not any(missed(PATTERN, WHERE, one) for one in names)
    assert (time.thread_time() - started) / 10_000 < 50e-6


@pytest.mark.parametrize("pattern", ["Platform Engineers", "k8s-*", "{a}*{b}*{c}"])
def test_long_names_take_no_time(pattern: str) -> None:
    assert len(missed(pattern, {}, "k8s-" + "a-" * 500_000)) < 100


_STRANGE = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=500, deadline=None)
@given(_STRANGE, _STRANGE)
def test_any_name_opens_what_its_plain_form_says_or_nothing(team: str, role: str) -> None:
    """The plain form: NFKC and lower case, in letters, digits and dashes that anybody can read."""
    name = f"k8s-{team}-{role}"
    plain = unicodedata.normalize("NFKC", name).lower()
    for place, _ in opened(name).places:
        assert plain == f"k8s-{place.namespace}-{place.role}"
        assert place.namespace.isascii()
        assert place.role in WHERE["role"]
        assert not SETTINGS.is_protected(place.namespace)


@settings(max_examples=500, deadline=None)
@given(
    _STRANGE, st.sampled_from(["{userName}", "sys{userName}", " {userName}", "o:{userName}"]), st.booleans()
)
def test_no_name_is_reserved_or_unreadable(value: str, template: str, lowercase: bool) -> None:
    found = user_subject(SubjectTemplate(user=template, lowercase=lowercase), {"userName": value})
    if isinstance(found, str):
        assert not found.strip().casefold().startswith("system:")
        assert not any(unicodedata.category(character) in ("Cc", "Cf") for character in found)
