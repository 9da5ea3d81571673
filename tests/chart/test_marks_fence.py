"""Who says whom the operator put into a binding: nobody but the operator, not even a namespace's admin."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.chart.attacker import NAME, NAMESPACES, OURS
from tests.chart.release import Release
from tests.chart.test_binding_fence import Object, binding, bindings_in, subject
from tests.eventually import eventually

SPACE, ADMIN = "fence-marks", "space-admin@chart.example.com"
WRITTEN = "scim-operator.io/written"
# 30 people who never were, as the operator would list them.
CROWD = [f"{number:010x}" for number in range(30)]


@pytest.fixture(scope="module")
def admin(release: Release) -> Iterator[str]:
    """A token of somebody who is admin in a namespace of theirs; the fence is in force."""
    cluster = release.cluster
    assert cluster.request("POST", NAMESPACES, body={"metadata": {"name": SPACE}}).status == 201
    granted = ("--clusterrole=admin", f"--user={ADMIN}")
    cluster.kubectl("create", "rolebinding", "admins", "-n", SPACE, *granted)
    token = cluster.person_token(ADMIN)
    path = f"{bindings_in(SPACE)}?dryRun=All"
    eventually(
        lambda: cluster.request("POST", path, body=forged(), token=token).body.get("message", ""),
        lambda said: WRITTEN in said,
        10,
    )
    yield token
    cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


def forged(*crowd: str) -> Object:
    """As if the operator had put somebody there, who isn't wanted any more: the guard would count them."""
    return binding(subject("nobody@example.com"), annotations={WRITTEN: ",".join(crowd or CROWD)})


def test_nobody_makes_up_people_who_leave(release: Release, admin: str) -> None:
    cluster, where = release.cluster, bindings_in(SPACE)
    refused = cluster.request("POST", where, body=forged(), token=admin)
    assert refused.status == 403
    said = refused.body["message"]
    assert f'user "{ADMIN}" may not write the annotation {WRITTEN} of RoleBinding "{NAME}"' in said
    assert "identityEditors" in said
    # Nor afterwards, nor by one word.
    plain = binding(subject("nobody@example.com"), labels=OURS, annotations={})
    assert cluster.request("POST", where, body=plain, token=admin).status == 201
    patch = json.dumps({"metadata": {"annotations": {WRITTEN: CROWD[0]}}})
    said = cluster.kubectl(
        *("patch", "rolebinding", NAME, "-n", SPACE, "--type=merge", "-p", patch), token=admin, check=False
    )
    assert "identityEditors" in said
    cluster.kubectl("delete", "rolebinding", NAME, "-n", SPACE, token=admin)


def test_what_their_right_to_edit_bindings_is_for(release: Release, admin: str) -> None:
    cluster, where = release.cluster, bindings_in(SPACE)
    # The operator's, or a restore tool's among the editors, as this fixture's admin is.
    for token in (release.operator_token(), None):
        made = cluster.request("POST", where, body=forged(), token=token)
        assert made.status == 201, made.body
        for change in ({"labels": {"note": "seen"}}, {"annotations": {WRITTEN: None}}):
            cluster.kubectl(
                *("patch", "rolebinding", NAME, "-n", SPACE, "--type=merge"),
                *("-p", json.dumps({"metadata": change})),
                token=admin,
            )
        cluster.kubectl("delete", "rolebinding", NAME, "-n", SPACE, token=admin)
