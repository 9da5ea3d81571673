"""The main job: an Entra provisioning run becomes namespaces and bindings, seen by people's own tokens."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.e2e.policies import apply, bindings, policy
from tests.entra import Dialect, EntraClient, Person
from tests.eventually import SECONDS, becomes
from tests.installation import Installation

DIALECTS = {"legacy": Dialect.LEGACY, "modern": Dialect.MODERN}


@pytest.fixture(params=list(DIALECTS))
def entra(request: pytest.FixtureRequest, operator: Installation) -> EntraClient:
    """Entra without and with the flag, each with a directory of its own."""
    return operator.client(request.param, DIALECTS[request.param])


def _people(entra: EntraClient, *names: str) -> list[Person]:
    tag = entra.dialect.name.lower()
    return [Person(f"{name}@{tag}.example.com", name.title(), "Tester") for name in names]


def test_a_provisioning_run_gives_access_and_a_leaver_loses_it(
    operator: Installation, entra: EntraClient
) -> None:
    cluster = operator.cluster
    tag = entra.dialect.name.lower()
    apply(cluster, policy(f"run-{tag}", tag, f"{tag}-{{team}}-{{role}}", namespace=f"{tag}-{{team}}"))
    connected = entra.test_connection()
    assert (connected.status, connected.answer["totalResults"]) == (200, 0)
    alice, bob = _people(entra, "alice", "bob")
    namespace = f"{tag}-payments"
    assert cluster.can_list_pods(alice.user_name, namespace) == 403

    for person in (alice, bob):
        entra.provision_user(person)
    entra.provision_group(f"{tag}-payments-edit", [alice.user_name, bob.user_name])

    for person in (alice, bob):
        becomes(partial(cluster.can_list_pods, person.user_name, namespace), 200)
    assert bindings(cluster, f"run-{tag}") == {(namespace, "edit"): [alice.user_name, bob.user_name]}
    labels = json.loads(cluster.kubectl("get", "namespace", namespace, "-o", "json"))["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "scim-operator"

    entra.set_active(alice.user_name, False)
    becomes(lambda: cluster.can_list_pods(alice.user_name, namespace), 403, SECONDS)
    assert cluster.can_list_pods(bob.user_name, namespace) == 200
    assert entra.get("Users", alice.user_name)["active"] is False

    entra.set_active(alice.user_name, True)  # the membership was remembered: Entra doesn't send it again
    becomes(lambda: cluster.can_list_pods(alice.user_name, namespace), 200)

    entra.remove_members(f"{tag}-payments-edit", [alice.user_name])
    becomes(lambda: bindings(cluster, f"run-{tag}"), {(namespace, "edit"): [bob.user_name]})

    entra.delete("Users", bob.user_name)
    becomes(lambda: bindings(cluster, f"run-{tag}"), {})
    assert cluster.kubectl("get", "namespace", namespace, "-o", "name").strip() == f"namespace/{namespace}"


def test_who_is_deactivated_by_put_loses_access_and_omission_changes_nothing(
    operator: Installation, entra: EntraClient
) -> None:
    # Okta's way: GET, then PUT of the whole.
    cluster, tag = operator.cluster, f"put-{entra.dialect.name.lower()}"
    directory = entra.dialect.name.lower()
    apply(cluster, policy(tag, directory, f"{tag}-{{team}}-{{role}}", namespace=f"{tag}-{{team}}"))
    (olga,) = _people(entra, "olga")
    user = entra.provision_user(olga)
    group = entra.provision_group(f"{tag}-a-view", [olga.user_name])
    can = partial(cluster.can_list_pods, olga.user_name, f"{tag}-a")
    becomes(can, 200)

    shown = entra.get("Users", olga.user_name)
    entra.call("PUT", f"/Users/{user}", {**shown, "active": False})
    becomes(can, 403, SECONDS)
    without = {name: value for name, value in shown.items() if name != "active"}
    assert entra.call("PUT", f"/Users/{user}", {**without, "title": "Dr"}).answer["active"] is False
    assert can() == 403
    entra.call("PUT", f"/Users/{user}", {**shown, "active": True})
    becomes(can, 200)

    renamed = {"id": group, "displayName": f"{tag}-a-view", "externalId": "okta"}
    assert entra.call("PUT", f"/Groups/{group}", renamed).answer["members"] != []
    assert bindings(cluster, tag) == {(f"{tag}-a", "view"): [olga.user_name]}
    entra.call("PUT", f"/Groups/{group}", {**renamed, "members": []})
    becomes(can, 403, SECONDS)
