"""Mass removal held on the real control plane: 1,000 people with access, and Entra takes 300 of them away."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from scim_operator.directory.records import GROUPS, USERS, Meta, object_of, spec_of
from scim_operator.kube.resources import Resource
from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, conditions, policy
from tests.e2e.restoring import restore
from tests.entra import EntraClient
from tests.eventually import becomes, eventually
from tests.faults.killing import deployed
from tests.installation import Installation

_API = {"apiVersion": "scim-operator.io/v1alpha1"}
_META = Meta("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 1, None)
# Directory -> how many people it has: 300 are to leave each of them.
SIZES = {"one": 1000, "delete": 320, "edit": 320, "put": 320}
LEAVERS, LIMIT, WINDOW = 300, 20, 60
Objects = list[tuple[Resource, dict[str, Any]]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A cluster of its own; its directories have the default limits, and a window to be waited for."""
    cluster = Cluster.start(tmp_path_factory.mktemp("guard") / "state", tied=True)
    installation = Installation.install(cluster, [], values=["identityEditors={admin}"])
    for number, name in enumerate(SIZES):
        spec = {"guard": {"maxPercent": 100, "window": f"{WINDOW}s"}}
        apply(cluster, {**_API, "kind": "ScimDirectory", "metadata": {"name": name}, "spec": spec})
        asyncio.run(restore(cluster, people(number, name)))
        apply(cluster, policy(name, name, f"{name}-team", role="view", namespace=f"{name}-team"))
    installation.start()
    for name, size in SIZES.items():
        becomes(partial(count, cluster, name), size, 60)
    yield installation
    installation.end()
    cluster.stop()


def people(directory_number: int, directory: str) -> Objects:
    """Those of a directory, and the group that all of them are in."""
    ids = [str(UUID(int=directory_number * 10_000 + number)) for number in range(SIZES[directory])]
    made: Objects = [
        (USERS, object_of(f"{directory}-{n}", spec_of(directory, ids[n], document(directory, n), {}, _META)))
        for n in range(SIZES[directory])
    ]
    identifier = str(UUID(int=1_000_000 + directory_number))
    group = spec_of(directory, identifier, {"displayName": f"{directory}-team"}, dict.fromkeys(ids), _META)
    return [*made, (GROUPS, object_of(f"{directory}-team", group))]


def document(directory: str, number: int) -> dict[str, Any]:
    return {"userName": user_name(directory, number), "active": True}


def user_name(directory: str, number: int) -> str:
    return f"u{number:04}@{directory}.example.com"


def holding(cluster: Cluster, directory: str) -> set[str]:
    """Who stands in the binding."""
    return set(bindings(cluster, directory).get((f"{directory}-team", "view"), ()))


def count(cluster: Cluster, directory: str) -> int:
    """How many they are."""
    return len(holding(cluster, directory))


def ledger(cluster: Cluster, directory: str) -> dict[str, Any]:
    """The status of a directory's RemovalHold."""
    found = cluster.request("GET", f"/apis/scim-operator.io/v1alpha1/removalholds/{directory}").body
    status: dict[str, Any] = found.get("status", {})
    return status


def approve(cluster: Cluster, directory: str, text: str) -> None:
    """What the condition says to type."""
    spec = json.dumps({"spec": {"approve": text}})
    cluster.kubectl("patch", "removalhold", directory, "--type=merge", "-p", spec)


def known(entra: EntraClient, name: str, endpoint: str = "Users") -> str:
    """Somebody's SCIM id, as Entra learns it by its filter."""
    attribute = "userName" if endpoint == "Users" else "displayName"
    found = entra.find(endpoint, attribute, name)
    assert found is not None, name
    entra.ids[name] = found["id"]
    return name


def waits(cluster: Cluster, directory: str) -> int:
    """How many removals wait."""
    return int(ledger(cluster, directory).get("waiting", 0))


def test_one_patch_at_a_time(guarded: Installation) -> None:
    cluster, directory = guarded.cluster, "one"
    entra, can = guarded.client(directory), partial(cluster.can_list_pods, namespace="one-team")
    team = known(entra, "one-team", "Groups")
    leavers = [known(entra, user_name(directory, number)) for number in range(LEAVERS)]
    since = time.monotonic()
    for name in leavers:
        entra.remove_members(team, [name])
    becomes(partial(waits, cluster, directory), LEAVERS - LIMIT, 30)
    assert time.monotonic() - since < WINDOW, "the window ended while they left: nothing is shown by that"
    becomes(partial(count, cluster, directory), SIZES[directory] - LIMIT)
    left = holding(cluster, directory)
    gone = [name for name in leavers if name not in left]
    assert gone == leavers[:LIMIT]
    held = leavers[LIMIT:]

    tripped = conditions(cluster, "removalhold", directory)["GuardTripped"]["message"]
    first = ledger(cluster, directory)["hash"]
    assert f"{len(held)} removals are held" in tripped
    assert all(name in tripped for name in held[:5])
    assert first in tripped
    # The next one to leave: in the window they wait, and what was read doesn't cover them.
    late = known(entra, user_name(directory, LEAVERS))
    entra.remove_members(team, [late])
    becomes(partial(waits, cluster, directory), len(held) + 1)
    assert {can(name) for name in gone} == {403}
    assert {can(name) for name in held} == {200}
    told = ("get", "events", "-n", "default", "--field-selector=reason=GuardTripped", "-o", "json")
    eventually(lambda: cluster.kubectl(*told), lambda text: ledger(cluster, directory)["hash"] in text, 30)

    # A locked one goes at once, always.
    locked = held.pop()
    lock = {"subject": locked, "reason": "lost laptop"}
    apply(cluster, {**_API, "kind": "AccessLock", "metadata": {"name": "lost"}, "spec": lock})
    becomes(partial(can, locked), 403)

    time.sleep(max(0.0, since + WINDOW + 15 - time.monotonic()))
    # After the window one leaver goes at once, while the others stay.
    single = known(entra, user_name(directory, LEAVERS + 1))
    entra.remove_members(team, [single])
    becomes(partial(can, single), 403)
    assert set(held) | {late} <= holding(cluster, directory)

    approve(cluster, directory, first)
    becomes(partial(waits, cluster, directory), 1, 30)
    eventually(partial(holding, cluster, directory), lambda names: not names & set(held), 30)
    assert {can(name) for name in held} == {403}
    assert can(late) == 200
    assert ledger(cluster, directory)["hash"] != first
    approve(cluster, directory, ledger(cluster, directory)["hash"])
    becomes(partial(can, late), 403)
    becomes(partial(count, cluster, directory), SIZES[directory] - LEAVERS - 2)


def _delete(installation: Installation, entra: EntraClient) -> None:
    entra.delete("Groups", known(entra, "delete-team", "Groups"))


def _edit(installation: Installation, entra: EntraClient) -> None:
    apply(installation.cluster, policy("edit", "edit", "edit-others", role="view", namespace="edit-team"))


def _put(installation: Installation, entra: EntraClient) -> None:
    identifier = entra.ids[known(entra, "put-team", "Groups")]
    stay = [known(entra, user_name("put", number)) for number in range(LEAVERS, SIZES["put"])]
    members = [{"value": entra.ids[name]} for name in stay]
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "put-team",
        "members": members,
    }
    assert entra.call("PUT", f"/Groups/{identifier}", body).status == 200


@pytest.mark.parametrize("directory", ["delete", "edit", "put"])
def test_all_in_one_request(guarded: Installation, directory: str) -> None:
    cluster = guarded.cluster
    leaving = LEAVERS if directory == "put" else SIZES[directory]
    {"delete": _delete, "edit": _edit, "put": _put}[directory](guarded, guarded.client(directory))
    becomes(partial(waits, cluster, directory), leaving - LIMIT, 30)
    # Those within the limit go as soon as the ledger has them.
    becomes(partial(count, cluster, directory), SIZES[directory] - LIMIT)
    everybody = {user_name(directory, number) for number in range(SIZES[directory])}
    left = holding(cluster, directory)
    assert sorted(everybody - left) == sorted(everybody)[:LIMIT]
    assert cluster.can_list_pods(max(left), f"{directory}-team") == 200
    assert cluster.can_list_pods(min(everybody), f"{directory}-team") == 403
    approve(cluster, directory, ledger(cluster, directory)["hash"])
    becomes(partial(count, cluster, directory), SIZES[directory] - leaving, 30)
    becomes(partial(waits, cluster, directory), 0)


def test_users_kind_is_deleted_with_everybody_in_it(guarded: Installation) -> None:
    cluster, directory, kind = guarded.cluster, "put", "scimusers.scim-operator.io"
    before, versions = holding(cluster, directory), _versions(cluster)
    assert before
    users = json.loads(cluster.kubectl("get", "scimusers", "-o", "json"))["items"]
    cluster.kubectl("delete", "crd", kind)
    becomes(partial(_frozen, cluster, directory), "InputMissing")
    with deployed(guarded.process):  # the process ends, to watch the kind that is there again
        assert guarded.command("crds", "apply").returncode == 0
        becomes(partial(_frozen, cluster, directory), "NoUsers", 60)
        assert holding(cluster, directory) == before
        asyncio.run(restore(cluster, [(USERS, _bare(user)) for user in users]))
        becomes(partial(_frozen, cluster, directory), None, 60)
    assert holding(cluster, directory) == before
    assert waits(cluster, directory) == 0
    assert _versions(cluster) == versions, "not one binding was written"


def _frozen(cluster: Cluster, directory: str) -> str | None:
    reason: str | None = ledger(cluster, directory).get("frozen", {}).get("reason")
    return reason


def _versions(cluster: Cluster) -> dict[str, str]:
    """Of all bindings of ours."""
    listed = json.loads(
        cluster.kubectl("get", "rolebindings", "-A", "-l", "scim-operator.io/policy", "-o", "json")
    )
    metadata = [item["metadata"] for item in listed["items"]]
    return {f"{item['namespace']}/{item['name']}": item["resourceVersion"] for item in metadata}


def _bare(user: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": user["metadata"]["name"]}, "spec": user["spec"]}
