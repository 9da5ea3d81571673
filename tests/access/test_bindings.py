"""The objects of a place, and how an actual binding differs from the desired one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scim_operator.access.bindings import (
    Who,
    binding_name,
    content,
    desired_binding,
    is_as_wanted,
    is_ours,
    merged,
    own_place,
    place_of,
    short_hash,
)
from scim_operator.access.places import Place

PLACE = Place("teams", "edit", "team-red")
WRITTEN = "scim-operator.io/written"


def people(*names: str) -> list[Who]:
    return [("User", name) for name in names]


def actual(**changes: Any) -> dict[str, Any]:
    """The desired binding of two people as the API server gives it back, with changes to its metadata."""
    made = copy.deepcopy(desired_binding(PLACE, "entra", people("b", "a")))
    made["metadata"] |= {"uid": "u", "resourceVersion": "5", "managedFields": [{}]}
    for field, values in changes.items():
        made["metadata"][field] = {**made["metadata"][field], **values}
    return made


def test_binding_of_a_place() -> None:
    rbac = "rbac.authorization.k8s.io"
    assert desired_binding(PLACE, "entra", people("b", "a", "b")) == {
        "metadata": {
            "name": binding_name(PLACE),
            "namespace": "team-red",
            "labels": {
                "app.kubernetes.io/managed-by": "scim-operator",
                "scim-operator.io/policy": "teams",
                "scim-operator.io/directory": "entra",
                "scim-operator.io/shards": "1",
            },
            "annotations": {WRITTEN: f"{short_hash('a')},{short_hash('b')}"},
        },
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "edit"},
        "subjects": [
            {"apiGroup": rbac, "kind": "User", "name": "a"},
            {"apiGroup": rbac, "kind": "User", "name": "b"},
        ],
    }


def test_binding_name_never_changes() -> None:
    # A new version that names them otherwise would leave the old bindings, and the access, behind.
    assert binding_name(PLACE) == "scim-teams-8806877212"
    assert short_hash("teams", "ClusterRole", "edit", "0") == "8806877212"


def test_binding_name_tells_policies_and_roles_apart() -> None:
    long = "p" * 39 + "-" + "q" * 23
    names = {
        binding_name(Place(policy, role, "ns"))
        for policy, role in [("a", "b"), ("a", "c"), ("ab", "c"), (long, "b"), (long + "x", "b")]
    }
    assert len(names) == 5
    assert max(map(len, names)) <= 63
    assert not any("--" in name for name in names)


def test_binding_name_is_the_same_in_every_namespace() -> None:
    assert binding_name(PLACE) == binding_name(PLACE._replace(namespace="other"))


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        (short_hash("a"), True),
        (f"{short_hash('a')},{short_hash('b')}", True),
        ("", True),
        ("x", False),
        ("0123456789,", False),
        ("0123456789 ", False),
        ("0123456789\n", False),
        ("0123456789AB", False),
    ],
)
def test_valid_written_annotation_makes_it_ours(written: str, ours: bool) -> None:
    assert is_ours({"metadata": {"annotations": {WRITTEN: written}}}) is ours


@pytest.mark.parametrize("metadata", [{}, {"annotations": None}, {"annotations": {"other": ""}}])
def test_without_annotation_it_is_not_ours(metadata: dict[str, Any]) -> None:
    assert not is_ours({"metadata": metadata})


def test_stripped_annotation_leaves_it_ours_by_its_labels_and_name() -> None:
    stripped = actual()
    stripped["metadata"]["annotations"] = {}
    assert is_ours(stripped)
    stripped["metadata"]["name"] = "a-copy"
    assert not is_ours(stripped)


def test_place_of_a_binding() -> None:
    assert place_of(actual()) == PLACE
    of_a_role = {**actual(), "roleRef": {"kind": "Role", "name": "edit"}}
    assert place_of(of_a_role) == PLACE._replace(kind="Role")
    assert own_place(of_a_role) is None, "another kind of role is another name"
    assert place_of({"metadata": {"namespace": "a"}, "roleRef": {"kind": "ClusterRole", "name": "x"}}) is None


# --- comparing ----------------------------------------------------------------------------------------------


def as_wanted(seen: dict[str, Any], *names: str) -> bool:
    return is_as_wanted(seen, content(seen), PLACE, "entra", frozenset(people(*names)), 1)


def test_same_is_no_change() -> None:
    assert as_wanted(actual(), "a", "b")
    assert not as_wanted(actual(), "a")
    assert not as_wanted(actual(), "a", "b", "c")


def test_labels_and_annotations_of_others_are_no_change() -> None:
    assert as_wanted(actual(labels={"team": "red"}, annotations={"note": "x"}), "a", "b")


@pytest.mark.parametrize(
    "seen",
    [
        actual(labels={"scim-operator.io/policy": "other"}),
        actual(labels={"scim-operator.io/shards": "2"}),
        actual(annotations={WRITTEN: ""}),
        actual(annotations={WRITTEN: f"{short_hash('b')},{short_hash('a')}"}),
        actual(annotations={WRITTEN: f"{short_hash('a')},{short_hash('b')},{short_hash('c')}"}),
        {**actual(), "subjects": None},
        {**actual(), "subjects": actual()["subjects"][:1]},
        {**actual(), "subjects": actual()["subjects"][::-1]},
        {**actual(), "subjects": [*actual()["subjects"], actual()["subjects"][0]]},
        {**actual(), "subjects": [*actual()["subjects"], {"kind": "Group", "name": "system:authenticated"}]},
        {**actual(), "subjects": [{**actual()["subjects"][0], "kind": "Group"}, actual()["subjects"][1]]},
        {**actual(), "roleRef": {**actual()["roleRef"], "name": "admin"}},
    ],
    ids=[
        *(
            "label",
            "shards",
            "written",
            "order of written",
            "one too many written",
            "no subjects",
            "one gone",
        ),
        *("order", "twice", "stranger", "another kind", "another role"),
    ],
)
def test_whatever_was_done_to_it_is_put_right(seen: dict[str, Any]) -> None:
    assert not as_wanted(seen, "a", "b")
    desired = desired_binding(PLACE, "entra", people("a", "b"))
    assert as_wanted(merged(seen, desired), "a", "b")


def test_strangers_are_told_from_those_we_wrote() -> None:
    stranger = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "c"}
    held = content({**actual(), "subjects": [*actual()["subjects"], stranger]})
    assert held.standing == frozenset(people("a", "b", "c"))
    assert held.written == frozenset(people("a", "b"))
    as_group = content({**actual(), "subjects": [{**stranger, "kind": "Group", "name": "a"}]})
    assert as_group.written == frozenset(), "a group of a person's name is somebody else"


def test_merged_keeps_what_others_put_there_and_the_version_seen() -> None:
    seen = actual(labels={"team": "red", "scim-operator.io/policy": "other"}, annotations={"note": "x"})
    desired = desired_binding(PLACE, "entra", people("c"))
    made = merged(seen, desired)
    assert made["metadata"]["labels"] == {"team": "red", **desired["metadata"]["labels"]}
    assert made["metadata"]["annotations"] == {"note": "x", **desired["metadata"]["annotations"]}
    assert (made["metadata"]["uid"], made["metadata"]["resourceVersion"]) == ("u", "5")
    assert "managedFields" not in made["metadata"]
    assert made["subjects"] == desired["subjects"]
    assert seen["metadata"]["managedFields"] == [{}]
