"""Who may write which AccessPolicy: the author's own right to bind, checked by the real API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.chart.person import Person
from tests.chart.release import Release
from tests.eventually import eventually

POLICIES = "/apis/scim-operator.io/v1alpha1/accesspolicies"
NAME = "chart-tests-admission"


def policy(
    roles: Sequence[str],
    where: Mapping[str, Sequence[str]] | None = None,
    kinds: Sequence[str] = ("clusterRole",),
) -> dict[str, Any]:
    """A policy with one grant per role and kind."""
    groups: dict[str, Any] = {"directory": "chart-tests", "displayName": "k8s-{team}-{role}"}
    if where is not None:
        groups["where"] = where
    return {
        "apiVersion": "scim-operator.io/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "groups": groups,
            "grants": [
                {kind: role, "namespaces": {"name": "team-{team}"}} for role in roles for kind in kinds
            ],
        },
    }


@pytest.fixture(autouse=True)
def clean(release: Release) -> Iterator[None]:
    """Each test starts and ends without the policy."""
    yield
    release.cluster.request("DELETE", f"{POLICIES}/{NAME}")


@pytest.fixture(autouse=True)
def in_force(release: Release, people: dict[str, Person]) -> None:
    """An admission policy takes a moment to act; so does the right to write policies."""
    status, body = eventually(
        lambda: people["nobody"].request("POST", f"{POLICIES}?dryRun=All", policy(["view"])),
        lambda answer: "may not grant" in answer[1].get("message", ""),
        10,
    )
    assert status == 403, body


@contextmanager
def bindable(release: Release, names: Sequence[str]) -> Iterator[None]:
    """Let the viewer bind other roles for a while."""
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/chart-tests-viewer"

    def write(names: Sequence[str]) -> list[str]:
        role = release.cluster.request("GET", path).body
        before: list[str] = role["rules"][1]["resourceNames"]
        role["rules"][1]["resourceNames"] = list(names)
        assert release.cluster.request("PUT", path, body=role).status == 200
        return before

    before = write(names)
    try:
        yield
    finally:
        write(before)


def test_types_check(release: Release) -> None:
    """The API server checks the expressions against the CRD's schema and reports what doesn't fit."""
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"

    def status() -> dict[str, Any]:
        answer = release.cluster.request("GET", f"{path}/{release.fullname}-policy-authors")
        found: dict[str, Any] = answer.body.get("status", {})
        return found

    assert eventually(status, lambda found: "typeChecking" in found, 10)["typeChecking"] == {}


def test_without_bind_nothing_can_be_granted(people: dict[str, Person]) -> None:
    status, body = people["nobody"].request("POST", POLICIES, policy(["view"]))
    assert status == 403
    assert 'user "nobody@chart.example.com" may not grant ClusterRole "view"' in body["message"]
    assert 'needs the verb "bind"' in body["message"]
    assert "resourceNames [view]" in body["message"]


def test_who_may_bind_view_grants_view_alone(people: dict[str, Person]) -> None:
    status, body = people["viewer"].request("POST", POLICIES, policy(["view"]))
    assert status == 201, body
    for roles in (["edit"], ["view", "edit"], ["view", "view", "edit"]):
        changed = {**body, "spec": policy(roles)["spec"]}
        status, answer = people["viewer"].request("PUT", f"{POLICIES}/{NAME}", changed)
        assert status == 403
        assert 'may not grant ClusterRole "edit"' in answer["message"]


def test_a_capture_is_what_where_allows(people: dict[str, Person]) -> None:
    viewer = people["viewer"]
    status, body = viewer.request("POST", f"{POLICIES}?dryRun=All", policy(["{role}"], {"role": ["view"]}))
    assert status == 201, body
    status, body = viewer.request("POST", POLICIES, policy(["{role}"], {"role": ["view", "edit"]}))
    assert status == 403
    assert 'may not grant ClusterRole "edit"' in body["message"]


def test_widening_where_is_a_change_of_roles(people: dict[str, Person]) -> None:
    status, body = people["viewer"].request("POST", POLICIES, policy(["{role}"], {"role": ["view"]}))
    assert status == 201, body
    body["spec"]["groups"]["where"]["role"].append("admin")
    status, body = people["viewer"].request("PUT", f"{POLICIES}/{NAME}", body)
    assert status == 403
    assert 'may not grant ClusterRole "admin"' in body["message"]


@pytest.mark.parametrize("who", ["viewer", "admin"])
@pytest.mark.parametrize("where", [None, {}, {"team": ["red"]}])
def test_a_capture_without_where_is_refused_for_all(
    people: dict[str, Person], who: str, where: Mapping[str, Sequence[str]] | None
) -> None:
    status, body = people[who].request("POST", POLICIES, policy(["{role}"], where))
    assert status == 422
    assert "must be limited by spec.groups.where" in body["message"]
    assert "missing there: role" in body["message"]


def test_the_last_of_twenty_roles_is_checked(release: Release, people: dict[str, Person]) -> None:
    """Every index has a validation of its own: forbid exactly one role, at each place in turn."""
    names = [f"chart-tests-{number}" for number in range(20)]
    with bindable(release, names[1:]):
        for place in range(20):
            roles = names[1 : place + 1] + names[:1] + names[place + 1 :]
            status, body = people["viewer"].request("POST", f"{POLICIES}?dryRun=All", policy(roles))
            assert status == 403, f"the role at index {place} was not checked"
            assert f'may not grant ClusterRole "{names[0]}"' in body["message"]
        status, body = people["viewer"].request("POST", f"{POLICIES}?dryRun=All", policy(names[1:]))
        assert status == 201, body


@pytest.mark.parametrize("role", ["view", "{role}"])
def test_right_to_bind_a_cluster_role_is_none_on_a_role(people: dict[str, Person], role: str) -> None:
    where = {"role": ["view"]}
    assert people["viewer"].request("POST", f"{POLICIES}?dryRun=All", policy([role], where))[0] == 201
    for kinds in (("role",), ("clusterRole", "role")):
        body = policy([role], where, kinds)
        status, answer = people["viewer"].request("POST", f"{POLICIES}?dryRun=All", body)
        assert status == 403
        assert 'may not grant Role "view"' in answer["message"]
        assert "resources [roles], verbs [bind], resourceNames [view]" in answer["message"]
        assert people["admin"].request("POST", f"{POLICIES}?dryRun=All", body)[0] == 201


def test_more_than_twenty_roles_are_refused(people: dict[str, Person]) -> None:
    roles = [f"r{number}" for number in range(21)]
    halves = policy(roles[:11], kinds=("clusterRole", "role"))
    for body in (policy(roles), policy(["{role}"], {"role": roles}), halves):
        status, answer = people["admin"].request("POST", f"{POLICIES}?dryRun=All", body)
        assert status == 422
        assert "at most 20 different roles" in answer["message"]


@pytest.mark.parametrize("who", ["viewer", "admin"])
def test_the_largest_policy_fits_the_cost_limits(
    release: Release, people: dict[str, Person], who: str
) -> None:
    """As many grants and values as the CRD allows, with names as long as can be: decided, not given up."""
    names = [f"{'r' * 60}{number:03}" for number in range(19)]
    where = {f"c{number}": [*names, *["r" * 60] * 45] for number in range(8)}
    body = policy([*(f"{{c{number}}}" for number in range(8)), *(["{c0}", *names] * 13)[:248]], where)
    body["spec"]["groups"]["displayName"] = "-".join(["{team}", *(f"{{{name}}}" for name in where)])
    assert len(body["spec"]["grants"]) == 256
    with bindable(release, [*names, "r" * 60]):
        status, answer = people[who].request("POST", f"{POLICIES}?dryRun=All", body)
    assert status == 201, answer["message"]


def test_who_may_bind_any_role_grants_any(people: dict[str, Person]) -> None:
    status, body = people["admin"].request("POST", POLICIES, policy(["cluster-admin", "made-up"]))
    assert status == 201, body


def test_what_leaves_spec_alone_is_free(people: dict[str, Person]) -> None:
    """GitOps controllers and people label what others wrote."""
    status, body = people["admin"].request("POST", POLICIES, policy(["edit"]))
    assert status == 201, body
    body["metadata"]["labels"] = {"team": "platform"}
    status, body = people["nobody"].request("PUT", f"{POLICIES}/{NAME}", body)
    assert status == 200, body
    body["spec"]["groups"]["directory"] = "other"
    status, body = people["nobody"].request("PUT", f"{POLICIES}/{NAME}", body)
    assert status == 403


def test_a_literal_protected_namespace_asks_for_no_less(people: dict[str, Person]) -> None:
    body = policy(["edit"])
    body["spec"]["grants"][0]["namespaces"]["name"] = "kube-system"
    assert people["viewer"].request("POST", f"{POLICIES}?dryRun=All", body)[0] == 403
    assert people["admin"].request("POST", f"{POLICIES}?dryRun=All", body)[0] == 201
