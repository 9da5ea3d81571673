"""Who may write ScimUsers, ScimGroups and what was decided: the operator, and the value identityEditors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.release import Release
from tests.chart.test_crds import BASE, SAMPLES, sample
from tests.cluster.client import Answer
from tests.eventually import eventually

Object = dict[str, Any]

RESOURCES = ("scimusers", "scimgroups")
# Writes everything of ours, as far as RBAC is concerned; isn't among the editors, as the admin is.
STRANGER = "stranger@chart.example.com"
ANNOTATION = "scim-operator.io/granted-as"
# What admins and approvers write: kind, spec, an edit of it, and a lie about what the operator decided by it.
DECISIONS: dict[str, tuple[str, Object, Object, Object]] = {
    "accessgrants": ("AccessGrant", SAMPLES["accessgrants"]["spec"], {}, {"id": "somebody-else"}),
    "accesslocks": (
        *("AccessLock", SAMPLES["accesslocks"]["spec"]),
        *({"reason": "found again"}, {"subject": "nobody@example.com"}),
    ),
    "removalholds": (
        *("RemovalHold", {}, {"approve": "1-0123456789abcdef"}),
        {"approved": "1-0123456789abcdef", "approvedCount": 1},
    ),
}


@pytest.fixture(scope="module")
def stranger(release: Release) -> Iterator[str]:
    """A token of somebody with all rights on our kinds."""
    cluster = release.cluster
    rules = [{"apiGroups": ["scim-operator.io"], "resources": ["*"], "verbs": ["*"]}]
    role = {"metadata": {"name": "strangers"}, "rules": rules}
    assert cluster.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", body=role).status == 201
    cluster.kubectl(
        "create", "clusterrolebinding", "strangers", "--clusterrole=strangers", f"--user={STRANGER}"
    )
    yield cluster.person_token(STRANGER)
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", "strangers")


@pytest.fixture(params=RESOURCES)
def stored(request: pytest.FixtureRequest, release: Release, stranger: str) -> Iterator[tuple[str, Object]]:
    """A user or group that is there, and its path; the fence is in force."""
    path = f"{BASE}/{request.param}"
    made = release.cluster.request("POST", path, body=sample(request.param))
    assert made.status == 201, made.body
    path = f"{path}/chart-tests-sample"
    eventually(
        lambda: release.cluster.request("DELETE", f"{path}?dryRun=All", token=stranger).status,
        lambda status: status == 403,
        10,
    )
    yield path, made.body
    release.cluster.request("DELETE", path)


def refused(answer: Answer, did: str) -> None:
    """Refused by the fence, in words that help."""
    assert answer.status == 403, answer.body
    message = answer.body["message"]
    assert f'user "{STRANGER}" may not {did}' in message
    assert "in the provider" in message
    assert "identityEditors" in message


def kind_of(path: str) -> str:
    """As messages name it."""
    return ("ScimUser" if "/scimusers" in path else "ScimGroup") + ' "chart-tests-sample"'


def test_nobody_else_creates(release: Release, stored: tuple[str, Object], stranger: str) -> None:
    path, made = stored
    body = {**made, "metadata": {"name": "other"}}
    answer = release.cluster.request("POST", path.rpartition("/")[0], body=body, token=stranger)
    refused(answer, f"create {kind_of(path)}".replace("chart-tests-sample", "other"))


def test_nobody_else_edits(release: Release, stored: tuple[str, Object], stranger: str) -> None:
    path, made = stored
    changed = {**made, "spec": {**made["spec"], "externalId": "somebody-else"}}
    refused(release.cluster.request("PUT", path, body=changed, token=stranger), f"edit {kind_of(path)}")
    resource = path.split("/")[-2]
    for patch in ("merge", "json"):
        spec = {
            "merge": {"spec": {"externalId": "x"}},
            "json": [{"op": "add", "path": "/spec/externalId", "value": "x"}],
        }
        said = release.cluster.kubectl(
            *("patch", resource, "chart-tests-sample", f"--type={patch}", "-p", json.dumps(spec[patch])),
            token=stranger,
            check=False,
        )
        assert "identityEditors" in said


def test_nobody_else_deletes_one_or_all(release: Release, stored: tuple[str, Object], stranger: str) -> None:
    path, _ = stored
    refused(release.cluster.request("DELETE", path, token=stranger), f"delete {kind_of(path)}")
    everything = path.rpartition("/")[0]
    refused(release.cluster.request("DELETE", everything, token=stranger), f"delete {kind_of(path)}")
    assert release.cluster.request("GET", path).status == 200


def test_shards_are_fenced_too(release: Release, stranger: str) -> None:
    """They hold members of large groups."""
    path, name = f"{BASE}/scimgroupshards", "chart-tests-sample"
    assert release.cluster.request("POST", path, body=sample("scimgroupshards")).status == 201
    one = f"{path}/{name}"

    def deletes() -> int:
        return release.cluster.request("DELETE", f"{one}?dryRun=All", token=stranger).status

    try:
        eventually(deletes, lambda status: status == 403, 10)
        body = sample("scimgroupshards", "other")
        refused(
            release.cluster.request("POST", path, body=body, token=stranger), 'create ScimGroupShard "other"'
        )
        changed = release.cluster.request("GET", one).body
        changed["spec"]["members"] = []
        refused(
            release.cluster.request("PUT", one, body=changed, token=stranger), f'edit ScimGroupShard "{name}"'
        )
        made = release.cluster.request("POST", path, body=body, token=release.operator_token())
        assert made.status == 201
        assert release.cluster.request("DELETE", f"{path}/other").status == 200
    finally:
        release.cluster.request("DELETE", one)


def test_nobody_else_writes_status(release: Release, stored: tuple[str, Object], stranger: str) -> None:
    path, made = stored
    lie = {**made, "status": {"subject": "admin@example.com", "groups": 1, "members": 1}}
    answer = release.cluster.request("PUT", f"{path}/status", body=lie, token=stranger)
    refused(answer, f"write the status of {kind_of(path)}")


def test_labels_and_annotations_are_free_but_for_one(
    release: Release, stored: tuple[str, Object], stranger: str
) -> None:
    path, _ = stored
    cluster, resource = release.cluster, path.split("/")[-2]
    for verb, pair in (("label", "team=red"), ("label", "team-"), ("annotate", "note=seen")):
        cluster.kubectl(verb, resource, "chart-tests-sample", pair, token=stranger)

    def annotate(pair: str) -> str:
        return cluster.kubectl("annotate", resource, "chart-tests-sample", pair, token=stranger, check=False)

    assert "identityEditors" in annotate(f"{ANNOTATION}=k8s-prod-admin")
    cluster.kubectl("annotate", resource, "chart-tests-sample", f"{ANNOTATION}=k8s-red-view")
    assert "identityEditors" in annotate(f"{ANNOTATION}-")
    assert "annotated" in annotate("other=note")


def test_the_operator_and_editors_write(release: Release, stored: tuple[str, Object]) -> None:
    """The fixture's object was made by an editor, the admin."""
    path, made = stored
    for token in (release.operator_token(), None):
        current = release.cluster.request("GET", path).body
        current["spec"]["externalId"] = f"changed by {token is None}"
        current["metadata"].setdefault("annotations", {})[ANNOTATION] = f"changed by {token is None}"
        assert release.cluster.request("PUT", path, body=current, token=token).status == 200
        body = {**made, "metadata": {"name": "other"}}
        everything = path.rpartition("/")[0]
        assert release.cluster.request("POST", everything, body=body, token=token).status == 201
        assert release.cluster.request("DELETE", f"{everything}/other", token=token).status == 200


@pytest.mark.parametrize("resource", DECISIONS)
def test_nobody_else_writes_what_was_decided(release: Release, stranger: str, resource: str) -> None:
    """The status of a grant says who gets the role; nobody is asked for `bind` there."""
    cluster, (kind, spec, edit, lie) = release.cluster, DECISIONS[resource]
    body = {"apiVersion": BASE.removeprefix("/apis/"), "kind": kind, "spec": spec}
    path = f"{BASE}/{resource}/chart-tests-decided"
    named = {**body, "metadata": {"name": "chart-tests-decided"}}
    made = cluster.request("POST", f"{BASE}/{resource}", body=named)
    assert made.status == 201, made.body
    try:
        answer = eventually(
            lambda: cluster.request(
                "PUT", f"{path}/status?dryRun=All", body={**made.body, "status": lie}, token=stranger
            ),
            lambda answer: answer.status == 403,
            10,
        )
        said = answer.body["message"]
        assert f'user "{STRANGER}" may not write the status of {kind} "chart-tests-decided"' in said
        assert "its spec" in said
        assert "identityEditors" in said
        # The spec goes on to be theirs: an approver's word, an admin's reason.
        edited = cluster.request("PUT", path, body={**made.body, "spec": {**spec, **edit}}, token=stranger)
        assert edited.status == 200, edited.body
        written = cluster.request("PUT", f"{path}/status", body={**edited.body, "status": lie})
        assert written.status == 200, "an editor restores it"
    finally:
        assert cluster.request("DELETE", path, token=stranger).status == 200
