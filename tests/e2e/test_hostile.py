"""The hostile names of tests/access/hostile.py sent through SCIM; what came of them is read from the cluster.

Names that are one when folded can't both be in a directory (409), so each of them gets one of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from scim_operator.scim.attributes import fold
from tests.access.hostile import GROUPS, PATTERN, PEOPLE, WHERE, Group
from tests.access.hostile import Person as HostilePerson
from tests.e2e.policies import apply, bindings, policy
from tests.entra import CORE_GROUP, CORE_USER, EntraClient
from tests.eventually import becomes, eventually
from tests.installation import Installation

Object = dict[str, Any]
T = TypeVar("T")
_API = {"apiVersion": "scim-operator.io/v1alpha1"}
_OPERATOR = "system:serviceaccount:scim-operator:scim-operator"
# The longest name that any pattern matches.
_LONGEST_MATCHED = 256


@contextmanager
def connected(operator: Installation, name: str, **subjects: Any) -> Iterator[EntraClient]:
    """A directory with these templates, for a while; its policies are named as it is."""
    body = {**_API, "kind": "ScimDirectory", "metadata": {"name": name}, "spec": {"subjects": subjects}}
    apply(operator.cluster, body)
    try:
        yield operator.client(name)
    finally:
        operator.cluster.kubectl("delete", "accesspolicy", name, "--ignore-not-found")
        everybody = ("scimgroups,scimusers", "-l", f"scim-operator.io/directory={name}")
        operator.cluster.kubectl("delete", *everybody, f"--as={_OPERATOR}")
        operator.cluster.kubectl("delete", "scimdirectory", name)


def make(entra: EntraClient, endpoint: str, **attributes: Any) -> str:
    """POST. -> the id"""
    schema = CORE_GROUP if endpoint == "Groups" else CORE_USER
    made = entra.call("POST", f"/{endpoint}", {"schemas": [schema], **attributes})
    assert made.status == 201, (attributes, made.answer)
    return str(made.answer["id"])


def members(*ids: str) -> list[Object]:
    """As a POST holds them."""
    return [{"value": id_} for id_ in ids]


def apart(cases: Mapping[str, T], name: Callable[[T], str]) -> list[dict[str, T]]:
    """The cases in several parts, in none of which two names are one when folded."""
    parts: list[dict[str, T]] = []
    seen: dict[str, int] = defaultdict(int)
    for title, case in cases.items():
        number = seen[fold(name(case))]
        seen[fold(name(case))] += 1
        while len(parts) <= number:
            parts.append({})
        parts[number][title] = case
    return parts


def recorded(operator: Installation, kind: str, ids: Mapping[str, T]) -> dict[str, Object]:
    """Id -> object, once each has a status that speaks of its spec."""

    def found() -> dict[str, Object]:
        items = operator.cluster.request("GET", f"/apis/scim-operator.io/v1alpha1/{kind}").body["items"]
        return {
            item["spec"]["id"]: item
            for item in items
            if item["spec"]["id"] in ids
            and item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
        }

    return eventually(found, lambda seen: seen.keys() == ids.keys(), 20)


def said(obj: Object) -> str:
    """All that its conditions say."""
    return "; ".join(condition["message"] for condition in obj["status"]["conditions"])


@pytest.mark.parametrize("part", range(len(apart(GROUPS, lambda case: case.name))))
def test_groups_of_hostile_names(operator: Installation, part: int) -> None:
    cases = apart(GROUPS, lambda case: case.name)[part]
    name = f"hostile-groups-{part}"
    person = f"ada@{name}.example.com"
    with connected(operator, name) as entra:
        apply(operator.cluster, policy(name, name, PATTERN, namespace="{team}", where=WHERE))
        ada = make(entra, "Users", userName=person)
        ids: dict[str, Group] = {
            make(entra, "Groups", displayName=case.name, members=members(ada)): case
            for case in cases.values()
        }
        wanted = {place: [person] for case in cases.values() for place in case.opens}
        becomes(lambda: bindings(operator.cluster, name), wanted, 20)

        def unexplained() -> list[tuple[str, str]]:
            found = recorded(operator, "scimgroups", ids)
            return [
                (case.name, said(found[id_]))
                for id_, case in ids.items()
                if case.said not in said(found[id_])
            ]

        becomes(unexplained, [], 10)
        assert bindings(operator.cluster, name) == wanted


def _templates() -> Iterator[tuple[str, bool, dict[str, HostilePerson]]]:
    by_template: dict[tuple[str, bool], dict[str, HostilePerson]] = defaultdict(dict)
    for title, case in PEOPLE.items():
        by_template[case.template, case.lowercase][title] = case
    for (template, lowercase), cases in by_template.items():
        for part in apart(cases, lambda case: case.user_name):
            yield template, lowercase, part


TEMPLATES = list(_templates())


def check_subjects(operator: Installation, kind: str, name: str, ids: Mapping[str, HostilePerson]) -> None:
    """Those who can be named are in the binding, and of the others each has a condition that says why."""
    called = sorted(case.called for case in ids.values() if case.called is not None)
    becomes(lambda: bindings(operator.cluster, name).get((name, "view"), []), called, 20)
    assert bindings(operator.cluster, name).keys() <= {(name, "view")}

    def reasons() -> dict[str, str]:
        found = recorded(operator, kind, ids)
        return {
            case.user_name: next(
                (c["reason"] for c in found[id_]["status"]["conditions"] if c["type"] == "SubjectRefused"), ""
            )
            for id_, case in ids.items()
        }

    becomes(reasons, {case.user_name: case.reason for case in ids.values()}, 10)


@pytest.mark.parametrize("number", range(len(TEMPLATES)))
def test_people_of_hostile_names(operator: Installation, number: int) -> None:
    template, lowercase, cases = TEMPLATES[number]
    name = f"hostile-people-{number}"
    with connected(operator, name, user=template, lowercase=lowercase) as entra:
        apply(operator.cluster, policy(name, name, "everybody", role="view", namespace=name))
        ids = {make(entra, "Users", userName=case.user_name): case for case in cases.values()}
        make(entra, "Groups", displayName="everybody", members=members(*ids))
        check_subjects(operator, "scimusers", name, ids)


@pytest.mark.parametrize("attribute", ["displayName", "externalId"])
@pytest.mark.parametrize(
    "number", [number for number, (template, _, _) in enumerate(TEMPLATES) if template == "{userName}"]
)
def test_groups_as_subjects_of_hostile_names(operator: Installation, number: int, attribute: str) -> None:
    _, lowercase, cases = TEMPLATES[number]
    name = f"hostile-{attribute.lower()}-{number}"
    with connected(operator, name, group=f"{{{attribute}}}", lowercase=lowercase) as entra:
        by_group = policy(name, name, "*", role="view", namespace=name)
        by_group["spec"]["subjects"] = "Group"
        apply(operator.cluster, by_group)
        ada = make(entra, "Users", userName=f"ada@{name}.example.com")
        ids = {}
        for position, case in enumerate(cases.values()):
            named = {"displayName": f"{name} {position}", attribute: case.user_name}
            # Not even `*` matches a longer one.
            if len(named["displayName"]) <= _LONGEST_MATCHED:
                ids[make(entra, "Groups", **named, members=members(ada))] = case
        check_subjects(operator, "scimgroups", name, ids)
