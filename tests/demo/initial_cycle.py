"""Steps 5 to 7: the initial cycle, what the cluster holds after it, who may do what."""

from __future__ import annotations

from typing import Any

from tests.demo.cast import (
    ADMINS,
    ALICE,
    BOB,
    CAROL,
    DAVE,
    EDITORS,
    GROUPS,
    HOSTILE,
    MALLORY,
    PEOPLE,
    VIEWERS,
)
from tests.demo.scene import Scene
from tests.demo.view import OURS
from tests.entra import Person

PLACES = {EDITORS: ("payments", "edit"), VIEWERS: ("payments", "view"), ADMINS: ("platform", "admin")}
NAMESPACES = ("payments", "platform", "kube-system")
_MAY = {(ALICE, "payments"), (BOB, "payments"), (CAROL, "payments"), (DAVE, "platform")}


def cycle(scene: Scene) -> None:
    """People, then groups, then members."""
    scene.screen.step(
        "The initial cycle: look-up (GET), POST of who is missing; groups come empty, members by PATCH"
    )
    for person in PEOPLE:
        _provision(scene, person)
    for group, (first, *others) in GROUPS.items():
        known = group in PLACES and scene.view.has_namespace(PLACES[group][0])
        with scene.transcript.act(f"{group}, {first.user_name} joins"):
            scene.entra.provision_group(group, [first.user_name])
        _show_effect(scene, group, [first], known)
        for number, person in enumerate(others, start=2):
            with scene.transcript.act(f"{group}, {person.user_name} joins"):
                scene.entra.add_members(group, [person.user_name])
            _show_effect(scene, group, [first, *others][:number], True)
    _show_hostile(scene)


def objects(scene: Scene) -> None:
    """kubectl's view of it."""
    scene.screen.step(
        "What it made of the cluster",
        "Objects and plain RBAC. The badly named group is READY False. (Some columns are left out.)",
    )
    # Statuses come at low priority, after all bindings; a table is no use before they are written.
    scene.expect.count_becoming(
        "every status counts right: the policy's, of 4 groups and of 5 people",
        lambda: _counts(scene),
        {
            "policy": {"groups": 4, "people": 4, "bindings": 3, "namespaces": 2},
            "groups": {name: (len(people), int(name in PLACES)) for name, people in GROUPS.items()},
            "people": {person.user_name: 1 for person in PEOPLE},
        },
    )
    scene.table("get scimusers", "SYNCED")
    scene.table("get scimgroups", "DIRECTORY", "SYNCED", "AGE")
    scene.table("get accesspolicies")
    scene.table(f"get ns -l {OURS} -L scim-operator.io/policy")
    scene.table(f"get rolebindings -A -l {OURS} -o wide", "GROUPS", "SERVICEACCOUNTS")


def access(scene: Scene) -> None:
    """The table of who may do what."""
    scene.screen.step("Who may list pods where, asked with each person's own token")
    wide = max(len(person.user_name) for person in PEOPLE)
    scene.screen.block(" ".join(["".ljust(wide), *(name.ljust(14) for name in NAMESPACES)]))
    for person in PEOPLE:
        cells = [_cell(scene, person, namespace) for namespace in NAMESPACES]
        scene.screen.block(" ".join([person.user_name.ljust(wide), *cells]))


def _provision(scene: Scene, person: Person) -> None:
    with scene.transcript.act(person.user_name):
        scim_id = scene.entra.provision_user(person)
    if person is PEOPLE[0]:
        scene.screen.labelled("cluster", f"ScimUser {scene.view.name_of('scimusers', scim_id)}")
    scene.expect.count(
        f"{person.user_name} is a ScimUser", scene.view.name_of("scimusers", scim_id) != "(none)", True
    )


def _show_effect(scene: Scene, group: str, members: list[Person], namespace_known: bool) -> None:
    if group not in PLACES:
        return
    namespace, role = PLACES[group]
    names = [person.user_name for person in members]
    claim = f"{', '.join(names)}: {role} in {namespace}"
    scene.expect.count_becoming(claim, lambda: scene.view.bound(namespace, role), names)
    binding = scene.view.binding(namespace, role)
    if namespace_known:
        scene.screen.labelled("cluster", f"RoleBinding {namespace}/{binding}")
    else:
        scene.screen.labelled("cluster", f"new Namespace {namespace}; RoleBinding {binding}")


def _counts(scene: Scene) -> dict[str, Any]:
    policy = scene.view.policy_status("teams")
    groups = {name: scene.view.group_status(name) for name in GROUPS}
    return {
        "policy": {name: policy.get(name) for name in ("groups", "people", "bindings", "namespaces")},
        "groups": {name: (status.get("members"), status.get("bindings")) for name, status in groups.items()},
        "people": scene.view.groups_of_people(),
    }


def _show_hostile(scene: Scene) -> None:
    view = scene.view

    def condition() -> dict[str, str]:
        found: dict[str, str] = view.group_status(HOSTILE).get("conditions", {}).get("Conflict", {})
        return found

    scene.expect.count_becoming(
        f"{HOSTILE} has the condition Conflict", lambda: condition().get("reason", ""), "ProtectedNamespace"
    )
    scene.screen.labelled("cluster", f"condition Conflict: {condition().get('message', '(none)')}")
    scene.expect.all(
        "a group's name opens no protected namespace: nothing in kube-system, no binding for mallory",
        [
            ("in kube-system", view.bindings_in("kube-system"), 0),
            ("for mallory", len(view.places_of(MALLORY)), 0),
        ],
    )


def _cell(scene: Scene, person: Person, namespace: str) -> str:
    wanted = 200 if (person, namespace) in _MAY else 403
    status = scene.view.lists_pods(person, namespace)
    held = scene.expect.count(f"{person.given} lists pods in {namespace}: {wanted}", status, wanted)
    text = {200: "allowed", 403: "forbidden"}.get(status, str(status))
    return (text if held else f"{text} FAILED").ljust(14)
