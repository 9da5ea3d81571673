"""What `scim-operator preview` makes of files, of hostile names, and of a directory's guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from scim_operator.access.bindings import Who, desired_binding
from scim_operator.access.foreseen import Change, Foreseen, Spot
from scim_operator.access.places import Place
from scim_operator.cli.failure import UsageError
from scim_operator.cli.guarding import guard_notes
from scim_operator.cli.manifests import read_policies
from scim_operator.cli.preview import _cells
from scim_operator.cli.tables import shown
from scim_operator.directory.directories import DIRECTORIES
from scim_operator.directory.records import USERS
from scim_operator.kube.resources import ROLE_BINDINGS
from scim_operator.reconcile.resources import HOLDS
from tests.reconcile.worlds import Observer, Universe
from tests.reconcile.worlds import user as user_spec

PLACE = Place("teams", "edit", "team-red")
SPOT = Spot.of(PLACE)
PEOPLE: list[Who] = [("User", f"person{number}") for number in range(12)]
POLICY = """
apiVersion: scim-operator.io/v1alpha1
kind: AccessPolicy
metadata: {name: NAME}
spec:
  groups: {directory: entra, displayName: "k8s-{team}"}
  grants: [{clusterRole: view, namespaces: {name: "team-{team}"}}]
"""
A_POLICY = POLICY.replace("NAME", "a")


def losing(count: int) -> Foreseen:
    """So many of them would lose access."""
    return Foreseen({SPOT: frozenset(PEOPLE)}, {SPOT: frozenset(PEOPLE[count:])})


def gaining(count: int) -> Foreseen:
    """So many of them would gain access."""
    return Foreseen({SPOT: frozenset()}, {SPOT: frozenset(PEOPLE[:count])})


def notes(foreseen: Foreseen, frozen: dict[str, str] | None = None, **spec: object) -> list[str]:
    """What is said of a directory with such a spec, whose twelve people stand in a binding."""
    universe, observer = Universe(), Observer()
    if frozen:
        observer.see(universe.put(HOLDS, "entra", spec={}, status={"frozen": frozen}))
    observer.see(universe.put(DIRECTORIES, "entra", spec=spec))
    for number in range(12):
        observer.see(universe.put(USERS, f"u{number}", spec=user_spec(number)))
    made = desired_binding(PLACE, "entra", PEOPLE)
    metadata = made["metadata"]
    fields = {"roleRef": made["roleRef"], "subjects": made["subjects"]}
    fields |= {"labels": metadata["labels"], "annotations": metadata["annotations"]}
    observer.see(universe.put(ROLE_BINDINGS, metadata["name"], PLACE.namespace, **fields))
    return guard_notes(observer.world, foreseen)


def test_guard_is_told_of_when_it_would_hold_somebody() -> None:
    assert notes(losing(5)) == []
    (note,) = notes(losing(12))
    assert "lets 5 of its people go in 10m: of the 12 who would lose access, 7 keep it" in note
    assert notes(losing(12), guard={"maxRemovals": None, "maxPercent": None}) == []
    (note,) = notes(losing(1), access="Hold")
    assert "`access: Hold`" in note
    assert notes(losing(0), access="Hold") == []


def test_what_else_keeps_it_from_happening_is_told() -> None:
    assert notes(gaining(12)) == []
    (note,) = notes(gaining(12), access="Hold")
    assert "nothing of this happens" in note
    (note,) = notes(gaining(12), guard={"maxAdditions": 2})
    assert "of the 12 who would gain access, 10 wait for approval" in note
    (note,) = notes(losing(12), {"reason": "LedgerLost", "message": "", "since": ""})
    assert "is frozen (LedgerLost): nobody of it loses access" in note
    (note,) = notes(losing(3), protected={"users": ["person0"]})
    assert note.endswith("1 of those who would lose access")


def test_names_are_hostile_text() -> None:
    assert shown("a\x1b[2Jb\u202ec\nd") == "a\\x1b[2Jb\\u202ec\\nd"
    assert shown("Ännchen 山田") == "Ännchen 山田"
    assert _cells(Change("Add", "", "view", "ClusterRole", "x\x07", "Group")) == (
        "(cluster)",
        "+",
        "view",
        "group x\\x07",
    )


def test_several_policies_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text("---\n".join(POLICY.replace("NAME", name) for name in ("a", "b")))
    assert list(read_policies([str(file)])) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no AccessPolicy in it"),
        ("[", "no YAML"),
        ("- 1", "expected an object"),
        (POLICY.replace("v1alpha1", "v2"), "expected 'scim-operator.io/v1alpha1'"),
        (
            POLICY.replace("NAME", "a") + "---" + A_POLICY,
            "document 2: AccessPolicy 'a' is given",
        ),
        (
            POLICY.replace("NAME", "a").replace("k8s-{team}", "k8s-*"),
            "uses {team}, not in groups.displayName",
        ),
        (
            POLICY.replace("NAME", "a").replace("clusterRole: view", "clusterRole: []"),
            "spec.grants[0].clusterRole: ",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_policies([str(file)])
    assert message in str(raised.value)
