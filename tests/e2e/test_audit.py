"""The audit stream of a real run: what a security team reads of it, and that it is the whole story."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.policies import apply, bindings, policy
from tests.entra import EntraClient, Person
from tests.eventually import becomes
from tests.heard import Object, read, standing
from tests.installation import Installation

PHONE = "+49 30 5550199"


@pytest.fixture
def heard(operator: Installation, directory: str) -> Callable[[], list[Object]]:
    """What was told since the test began of its directory, and of the namespace of that name."""
    since = len(operator.process.audit.read_text())

    def lines() -> list[Object]:
        text = operator.process.audit.read_text()[since:]
        told = [read(line) for line in text.splitlines()]
        return [line for line in told if directory in (line.get("directory"), line.get("object"))]

    return lines


def actual(cluster: Cluster, policy_name: str) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Who stands in a policy's bindings."""
    query = f"labelSelector=scim-operator.io/policy={policy_name}"
    items = cluster.request("GET", f"/apis/rbac.authorization.k8s.io/v1/rolebindings?{query}").body["items"]
    return {
        (item["metadata"]["namespace"], item["metadata"]["name"]): {
            (who["kind"], who["name"]) for who in item["subjects"]
        }
        for item in items
    }


def people(line: Object, list_name: str) -> list[tuple[str, str]]:
    return [(who["name"], who["why"]) for who in line[list_name]]


def test_a_run_is_told_line_by_line_and_can_be_replayed(
    operator: Installation, directory: str, heard: Callable[[], list[Object]]
) -> None:
    cluster, entra = operator.cluster, operator.client(directory)
    ada, bob = f"ada@{directory}.example.com", f"bob@{directory}.example.com"
    apply(cluster, policy(directory, directory, f"{directory}-*", role="view", namespace=directory))

    def stands(*names: str) -> None:
        becomes(lambda: bindings(cluster, directory), {(directory, "view"): list(names)} if names else {})
        becomes(lambda: standing(heard()), actual(cluster, directory))

    requests = [_join(entra, ada), _join(entra, bob)]
    stands(ada, bob)
    group = f"{directory}-g"
    _told_of_the_beginning(heard(), directory, entra, requests)

    # What changes nothing isn't told, what access doesn't depend on only by its name.
    before = len(heard())
    entra.add_members(group, [ada])
    entra.provision_user(Person(ada, "Ada", "Lovelace", external_id="x-ada"))
    assert heard()[before:] == []
    titled = entra.update_user(ada, {"title": "Countess"})
    (line,) = heard()[before:]
    assert (line["action"], line["other"], line["request"]) == ("Changed", ["title"], _id(titled))
    assert (line["before"], line["after"], "members" in line) == ({}, {}, False)

    disabled = entra.set_active(ada, False)
    stands(bob)
    identity, binding = heard()[before + 1 :]
    assert (identity["before"], identity["after"]) == ({"active": True}, {"active": False})
    assert (binding["action"], people(binding, "removed")) == ("Changed", [(ada, "Disabled")])
    assert (identity["request"], binding["requests"]) == (_id(disabled), [_id(disabled)])

    deleted = entra.delete("Users", bob)
    stands()
    identity, binding = heard()[before + 3 :]
    assert (identity["action"], identity["before"]["userName"], identity["after"]) == ("Deleted", bob, {})
    assert (binding["action"], people(binding, "removed")) == ("Deleted", [(bob, "Gone")])
    assert (identity["request"], binding["requests"]) == (_id(deleted), [_id(deleted)])
    _tells_of_nobody_more_than_their_name(operator, heard())


def _join(entra: EntraClient, user_name: str) -> str:
    """Somebody new, whom the group gets. -> the id of the last request"""
    short = user_name[:3]
    document = entra.user_document(Person(user_name, short.title(), "Lovelace", external_id=f"x-{short}"))
    mail = {"emails": [{"type": "work", "value": f"{short}.mail@private.example.org"}]}
    phone = {"phoneNumbers": [{"type": "work", "value": PHONE}], "password": "planted-password-6e1f0c"}
    made = entra.call("POST", "/Users", document | mail | phone)
    entra.ids[user_name] = made.answer["id"]
    name = f"{entra.url.rpartition('/')[2]}-g"
    if name not in entra.ids:
        entra.provision_group(name, [], external_id="x-group")
    return _id(entra.add_members(name, [user_name]))


def _id(exchange: Any) -> str:
    return str(exchange.headers["X-Request-Id"])


def _told_of_the_beginning(
    lines: list[Object], directory: str, entra: EntraClient, requests: list[str]
) -> None:
    ada, bob = sorted(name for name in entra.ids if "@" in name)
    identities = [line for line in lines if line["event"] == "identity"]
    assert [(line["action"], line["kind"], line["id"], line["version"]) for line in identities] == [
        ("Created", "ScimUser", entra.ids[ada], "1"),
        ("Created", "ScimGroup", entra.ids[f"{directory}-g"], "1"),
        ("Changed", "ScimGroup", entra.ids[f"{directory}-g"], "2"),
        ("Created", "ScimUser", entra.ids[bob], "1"),
        ("Changed", "ScimGroup", entra.ids[f"{directory}-g"], "3"),
    ]
    assert {(line["token"], line["directory"]) for line in identities} == {
        (identities[0]["token"], directory)
    }
    assert identities[0]["token"].startswith(f"scim-token-{directory}"[:20])
    assert identities[0]["before"] == {}
    assert identities[0]["after"] == {"userName": ada, "externalId": "x-ada", "active": True}
    assert identities[1]["after"] == {"displayName": f"{directory}-g", "externalId": "x-group"}
    joined = {"before": 1, "after": 2, "added": [entra.ids[bob]], "removed": [], "unnamed": 0}
    assert identities[4]["members"] == joined
    (namespace,) = [line for line in lines if line["event"] == "namespace"]
    assert (namespace["action"], namespace["policies"]) == ("Created", [directory])
    changes = [line for line in lines if line["event"] == "binding"]
    came = [who for line in changes for who in people(line, "added")]
    assert came == [(ada, "Policy"), (bob, "Policy")]
    assert changes[0]["action"] == "Created"
    assert changes[-1]["requests"][-1] == requests[-1]
    first = {"kind": "RoleBinding", "namespace": directory, "role": {"kind": "ClusterRole", "name": "view"}}
    assert changes[0] | {**first, "policy": directory} == changes[0]
    assert not [line for line in changes if line["removed"]]


def _tells_of_nobody_more_than_their_name(operator: Installation, lines: list[Object]) -> None:
    text = json.dumps(lines)
    for private in ("private.example.org", PHONE, "Lovelace", "Countess", "Engineering", "planted"):
        assert private not in text
    log = operator.process.log.read_text()
    assert '"audit":1' not in log, "the stream has standard output to itself"


def test_what_an_admin_does_names_no_request(
    operator: Installation, directory: str, heard: Callable[[], list[Object]]
) -> None:
    cluster, entra = operator.cluster, operator.client(directory)
    ada = f"ada@{directory}.example.com"
    _join(entra, ada)
    apply(cluster, policy(directory, directory, f"{directory}-*", role="view", namespace=directory))
    becomes(lambda: bindings(cluster, directory), {(directory, "view"): [ada]})
    (name,) = (key[1] for key in actual(cluster, directory))
    eve = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve@example.com"}
    add = json.dumps([{"op": "add", "path": "/subjects/-", "value": eve}])
    cluster.kubectl("patch", "rolebinding", name, "-n", directory, "--type=json", "-p", add)
    becomes(lambda: bindings(cluster, directory), {(directory, "view"): [ada]})
    cluster.kubectl("delete", "accesspolicy", directory)
    becomes(lambda: bindings(cluster, directory), {})

    def changes() -> list[tuple[Any, ...]]:
        return [
            (line["action"], people(line, "added"), people(line, "removed"), line["requests"])
            for line in heard()
            if line["event"] == "binding"
        ]

    becomes(
        changes,
        [
            ("Created", [(ada, "Policy")], [], []),
            ("Changed", [], [("eve@example.com", "Stranger")], []),
            ("Deleted", [], [(ada, "Policy")], []),
        ],
    )
